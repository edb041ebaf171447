"""Runs of the drop-in: each VI run has a journal of its own, and goes on after any interruption."""

from __future__ import annotations

import json

import pytest

ITERATIONS = 6


class InProcess:
    """A bridge whose worker answers with a fixed choice and remembers what it was asked."""

    def __init__(self, choose=None):
        self.asked, self.choose = [], choose or (lambda sites, closed: next(i for i in range(sites) if i not in closed))

    def connect(self, _settings):
        return self

    def request(self, method, params, arrays, _timeout_s=None):
        data = [list(values) for _, values in arrays]
        self.asked.append((method, params, data))
        if not params.get("decide"):
            return {"index": -1}, []
        return {"index": self.choose(params["sites"], set(data[2])), "source": "model", "mean": 1.0, "std": 0.5}, []


def turn(vi, session, iteration, spectrum, **options):
    x, y, index, sites = vi.ask(session, iteration, 4, 9, **options)
    vi.measure(session, spectrum, (float(x), float(y)))
    return x, y, index, sites


def test_iteration_one_begins_a_new_run_and_the_old_journal_is_kept(vi, heights, spectrum):
    vi.write_scan(heights)
    session = vi.new_session()
    for iteration in (1, 2, 3):
        turn(vi, session, iteration, spectrum)
    first = (vi.runs()[0] / "journal.jsonl").read_bytes()
    turn(vi, session, 1, spectrum)
    assert len(vi.runs()) == 2
    assert (vi.runs()[0] / "journal.jsonl").read_bytes() == first
    assert [event["event"] for event in vi.journal()] == ["start", "image", "suggest", "measurement"]


def test_runs_of_different_names_do_not_mix(vi, heights, spectrum):
    session = vi.new_session()
    vi.write_scan(heights)
    turn(vi, session, 1, spectrum)
    vi.name = "Other"
    vi.write_scan(heights)
    turn(vi, session, 1, spectrum)
    vi.name = "Exp"
    turn(vi, session, 2, spectrum)
    counts = {}
    for run in vi.runs():
        events = [json.loads(line) for line in (run / "journal.jsonl").read_text().splitlines()]
        counts[events[0]["name"]] = sum(event["event"] == "measurement" for event in events)
    assert counts == {"Exp": 2, "Other": 1}


def test_seeds_do_not_repeat_and_are_the_same_in_every_run(vi, heights, spectrum):
    vi.write_scan(heights)
    session = vi.new_session()
    first, second = ([turn(vi, session, n, spectrum)[2] for n in range(1, 21)] for _ in range(2))
    assert len(set(first)) == 20
    assert first == second
    vi.configure(seed=1)
    assert [turn(vi, session, n, spectrum)[2] for n in range(1, 21)] != first


@pytest.mark.parametrize("every", [1, 2])
def test_a_session_that_is_opened_anew_goes_on_as_if_it_had_not_been(vi, heights, spectrum, every):
    vi.write_scan(heights)
    vi.configure(seeds=3)
    answers = []
    for interrupted in (False, True):
        bridge = InProcess()
        session = vi.new_session(bridge)
        points = []
        for iteration in range(1, ITERATIONS + 1):
            if interrupted and iteration % every == 0:
                session = vi.new_session(bridge)
            points.append(turn(vi, session, iteration, spectrum))
        answers.append((points, [request[1:] for request in bridge.asked if request[1]["decide"]]))
    (points, asked), (again, asked_again) = answers
    assert points == again
    assert [data for _, data in asked] == [data for _, data in asked_again]


def test_two_sessions_share_the_run_when_the_vi_opens_one_per_module(vi, heights, spectrum):
    vi.write_scan(heights)
    bridge = InProcess()
    vi.configure(seeds=0)
    for iteration in (1, 2):
        x, y, index, _ = vi.ask(vi.new_session(bridge), iteration, 4, 9)
        vi.measure(vi.new_session(bridge), spectrum, (x, y))
    vi.ask(vi.new_session(bridge), 3, 4, 9)
    measured, values, _ = bridge.asked[-1][2][:3]
    assert measured[-1] == index
    assert len(values) == 2


def test_the_worker_gets_full_precision_and_not_the_digits_of_the_vi(vi, heights, spectrum):
    vi.configure(seeds=0, scalarizer="area", options={"factor": 1e-9})
    vi.write_scan(heights)
    bridge = InProcess()
    session = vi.new_session(bridge)
    x, y, index, _ = vi.ask(session, 1, 4, 9)
    scalar = vi.measure(session, spectrum, (x, y))
    vi.write_rows([(x, y, scalar, index, x * 0.5, y * 0.5)])
    assert b"\t0.000000\t" in vi.compilation.read_bytes()
    vi.ask(session, 2, 4, 9)
    assert bridge.asked[-1][2][:2] == [[index], [scalar]]
    assert vi.journal()[-1]["pixel_nm"] == pytest.approx(0.5)


def test_rows_of_another_scalarizer_are_learned_from_when_they_are_above_zero(vi, heights):
    vi.configure(seeds=0)
    vi.write_scan(heights)
    bridge = InProcess()
    session = vi.new_session(bridge)
    first = vi.ask(session, 1, 4, 9)
    second = [first[0] + 4, first[1]]
    vi.write_rows([(*first[:2], 3.25, first[2], 1, 1), (*second, 0.0, first[2] + 1, 1, 1)])
    vi.ask(session, 3, 4, 9)
    sites, values, _ = bridge.asked[-1][2][:3]
    assert sites == [first[2], first[2] + 1]
    assert values[0] == 3.25
    assert values[1] != values[1]


def test_a_site_without_valid_scalar_is_tried_once_more_and_then_left(vi, heights):
    """The published loop went back to such a site for ever."""
    vi.configure(seeds=0, retries=1)
    vi.write_scan(heights)
    session = vi.new_session(InProcess(choose=lambda _, closed: 5 if 5 not in closed else 6))
    visited = [turn(vi, session, iteration, [])[2] for iteration in range(1, 5)]
    assert visited == [5, 5, 6, 6]


def test_a_site_whose_spectrum_never_comes_is_left_too(vi, heights):
    vi.configure(seeds=0, retries=1)
    vi.write_scan(heights)
    session = vi.new_session(InProcess(choose=lambda _, closed: 5 if 5 not in closed else 6))
    assert [vi.ask(session, iteration, 4, 9)[2] for iteration in range(1, 5)] == [5, 5, 6, 6]


def test_the_same_iteration_asked_twice_gets_the_same_point(vi, heights, spectrum):
    vi.write_scan(heights)
    session = vi.new_session()
    turn(vi, session, 1, spectrum)
    assert vi.ask(session, 2, 4, 9) == vi.ask(session, 2, 4, 9)
    assert [event["event"] for event in vi.journal()].count("suggest") == 2


def test_a_line_that_a_kill_cut_short_is_cut_off(vi, heights, spectrum):
    vi.write_scan(heights)
    session = vi.new_session()
    turn(vi, session, 1, spectrum)
    path = vi.runs()[-1] / "journal.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"event": "suggest", "x": 1')
    turn(vi, vi.new_session(), 2, spectrum)
    assert path.read_bytes().startswith(whole)
    assert [event["event"] for event in vi.journal()][-2:] == ["suggest", "measurement"]


def test_a_journal_that_was_taken_away_is_written_anew(vi, heights, spectrum):
    vi.write_scan(heights)
    session = vi.new_session()
    turn(vi, session, 1, spectrum)
    before = vi.journal()
    (vi.runs()[-1] / "journal.jsonl").unlink()
    turn(vi, session, 2, spectrum)
    assert vi.journal()[: len(before)] == before


def test_step_and_window_may_change_during_a_run(vi, heights, spectrum):
    vi.configure(seeds=1)
    vi.write_scan(heights)
    bridge = InProcess()
    session = vi.new_session(bridge)
    x, y, *_ = turn(vi, session, 1, spectrum)
    *_, sites = vi.ask(session, 2, 2, 9)
    assert sites == bridge.asked[-1][1]["sites"] == 28 * 28
    measured = bridge.asked[-1][2][0]
    assert measured == [(y - 4) // 2 * 28 + (x - 4) // 2]


@pytest.mark.parametrize("name", ["../../evil", "..", "C:\\x\\Exp", "a/b/Exp", ".hidden", "Exp é"])
def test_no_name_leads_out_of_the_runs_folder(vi, heights, spectrum, name):
    vi.write_scan(heights)
    vi.configure(deadline_s=0.6)
    before = {path.name for path in vi.base.parent.iterdir()}
    session = vi.new_session()
    session.dkl.dkl_gpax_LV(name + "_scan.txt", name + "__compilation.txt", 4, 9, 1)
    session.scalar.scalarizer(name + "_spectroscopy.txt", spectrum, 4.0, 4.0)
    assert {path.name for path in vi.base.parent.iterdir()} == before
    assert all(path.parent == vi.base / "runs" for path in vi.runs())


def test_the_status_file_says_of_every_call_where_the_point_came_from(vi, heights, spectrum):
    vi.configure(seeds=1)
    vi.write_scan(heights)
    session = vi.new_session(InProcess())
    for iteration in (1, 2):
        turn(vi, session, iteration, spectrum)
    said = [status for status in vi.statuses() if "source" in status]
    assert [(status["iteration"], status["source"]) for status in said] == [(1, "seed"), (2, "model")]
    assert all(status["seconds"] >= 0 for status in said)
    assert vi.journal()[-2]["mean"] == 1.0
