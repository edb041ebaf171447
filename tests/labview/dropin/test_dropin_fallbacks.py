"""Whatever fails, the tip goes to a site: the drop-in never raises and never sends it to the corner."""

from __future__ import annotations

import json
import os
import threading

import pytest

STEP, WINDOW = 4, 9
SITES = {(x, y) for x in range(4, 60, 4) for y in range(4, 60, 4)}


class Worker:
    """A worker that does as it is told."""

    def __init__(self, answer):
        self.answer, self.asked = answer, 0

    def connect(self, _settings):
        return self

    def request(self, _method, params, _arrays, _timeout_s=None):
        self.asked += 1
        if not params.get("decide"):
            return {"index": -1}, []
        return self.answer(params), []


def failing(_params):
    raise RuntimeError("it broke")


def ask(vi, session, iteration):
    answer = vi.ask(session, iteration, STEP, WINDOW)
    assert type(answer) is list
    assert [type(item) for item in answer] == [int] * 4
    return answer


@pytest.fixture
def scanned(vi, heights):
    vi.write_scan(heights)
    vi.configure(seeds=2)
    return vi


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (failing, "RuntimeError: it broke"),
        (lambda _: {"index": -1, "reason": "no fit yet"}, "no fit yet"),
        (lambda _: {"index": 10**6}, "chose no site"),
        (lambda _: {"index": 1.5}, "chose no site"),
        (lambda _: {"index": None}, "chose no site"),
        (lambda _: {}, "chose no site"),
    ],
)
def test_without_a_models_answer_the_remotest_site_is_taken(scanned, spectrum, answer, reason):
    session = scanned.new_session(Worker(answer))
    points = []
    for iteration in range(1, 5):
        x, y, _, count = ask(scanned, session, iteration)
        scanned.measure(session, spectrum, (x, y))
        points.append((x, y))
        assert count == len(SITES)
    assert set(points) <= SITES
    assert len(set(points)) == 4
    said = [status for status in scanned.statuses() if status.get("source") == "space-filling"]
    assert len(said) == 2
    assert reason in said[0]["text"]
    assert said[0]["code"] == 2


def test_a_site_that_is_measured_already_is_not_taken_from_the_worker(scanned, spectrum):
    session = scanned.new_session(Worker(lambda _: {"index": 0, "source": "model"}))
    indices = []
    for iteration in range(1, 6):
        x, y, index, _ = ask(scanned, session, iteration)
        scanned.measure(session, spectrum, (x, y))
        indices.append(index)
    assert indices[2] == 0
    assert len(set(indices)) == 5


def test_a_worker_that_hangs_is_not_waited_for_and_asked_again_when_it_is_free(scanned, spectrum):
    free = threading.Event()
    session = scanned.new_session(Worker(lambda _: free.wait(200) and {"index": 7, "source": "model"}))
    scanned.configure(seeds=2, deadline_s=0.6)
    for iteration in range(1, 6):
        x, y, *_ = ask(scanned, session, iteration)
        scanned.measure(session, spectrum, (x, y))
    said = [status["text"] for status in scanned.statuses() if status.get("source") == "space-filling"]
    assert "did not answer within" in said[0]
    assert "still starting, or busy" in said[1]
    free.set()
    scanned.configure(seeds=2)
    assert ask(scanned, session, 6)[2] == 7


def test_when_all_sites_are_measured_the_previous_point_comes_again(vi, spectrum, heights):
    vi.write_scan(heights)
    vi.configure(seeds=0, retries=0)
    session = vi.new_session(Worker(failing))
    points = []
    for iteration in range(1, 7):
        x, y, *_ = vi.ask(session, iteration, 30, 9)
        vi.measure(session, spectrum, (x, y))
        points.append((x, y))
    assert set(points) == {(30, 30)}
    assert vi.statuses()[-2]["source"] == "previous point"
    assert "every one of the 1 sites is measured" in vi.statuses()[-2]["text"]


@pytest.mark.parametrize("content", [None, b"", b"nothing\n", b"a\r\nb\r\n1\t2\t3\r\n4\t5\t6\r\n", b"\x00\xff" * 100])
def test_without_an_image_the_first_site_of_every_image_is_given(vi, content):
    vi.configure(deadline_s=0.6)
    if content is not None:
        vi.scan.write_bytes(content)
    session = vi.new_session()
    for iteration in (1, 2):
        assert vi.ask(session, iteration) == [20, 20, 0, 0]
        code, text = session.dkl.last_error()
        assert code == 3
        assert "no site can be chosen" in text


def test_an_image_that_comes_late_is_used_from_then_on(vi, heights, spectrum):
    vi.configure(deadline_s=0.6)
    session = vi.new_session()
    assert ask(vi, session, 1) == [4, 4, 0, 0]
    vi.write_scan(heights)
    x, y, _, count = ask(vi, session, 2)
    assert (x, y) in SITES
    assert count == len(SITES)


def test_an_image_that_goes_away_is_not_needed_any_more(scanned):
    session = scanned.new_session(Worker(lambda _: {"index": 9, "source": "model"}))
    ask(scanned, session, 1)
    scanned.scan.write_bytes(b"")
    assert ask(scanned, session, 2)[3] == len(SITES)
    scanned.scan.unlink()
    session = scanned.new_session(Worker(lambda _: {"index": 9, "source": "model"}))
    assert ask(scanned, session, 3)[2:] == [9, len(SITES)]


def test_an_image_that_no_window_fits_into_sends_the_tip_to_its_middle(vi, heights):
    vi.write_scan(heights)
    session = vi.new_session()
    assert vi.ask(session, 1, 10, 65) == [32, 32, 0, 0]
    assert "choose a smaller Window size" in session.dkl.last_error()[1]


@pytest.mark.parametrize(("step", "window"), [(0, 0), (None, None), ("", ""), (-10, -30), (float("nan"), "x")])
def test_a_step_or_window_that_gives_no_site_is_refused_by_name(vi, heights, step, window):
    vi.configure(step=8, window=16)
    vi.write_scan(heights)
    session = vi.new_session()
    x, y, _, count = vi.ask(session, 1, step, window)
    assert count > 0
    assert x % 8 == y % 8 == 0
    assert "Coordinate step is" in session.dkl.last_error()[1]
    assert "8 px are used" in session.dkl.last_error()[1]


@pytest.mark.parametrize("iteration", [None, "", 0, -3, "three", 2.5, float("nan")])
def test_an_iteration_that_is_no_number_goes_on_with_the_run(scanned, spectrum, iteration):
    session = scanned.new_session()
    x, y, *_ = ask(scanned, session, 1)
    scanned.measure(session, spectrum, (x, y))
    assert tuple(ask(scanned, session, iteration)[:2]) in SITES
    assert len(scanned.runs()) == 1


@pytest.mark.parametrize("names", [("", ""), (None, None), (0, 0)])
def test_file_names_that_are_not_wired_are_refused_by_name(vi, names):
    vi.configure(deadline_s=0.6)
    session = vi.new_session()
    assert session.dkl.dkl_gpax_LV(*names, 10, 30, 1) == [20, 20, 0, 0]
    assert session.dkl.last_error()[0] == 3


def test_runs_that_cannot_be_kept_on_the_disk_go_on_in_memory(vi, heights, spectrum, monkeypatch):
    (vi.base / "file").write_text("in the way")
    vi.configure(runs=str(vi.base / "file" / "runs"), seeds=3)
    vi.write_scan(heights)
    session = vi.new_session()
    points = []
    for iteration in range(1, 4):
        x, y, *_ = ask(vi, session, iteration)
        assert vi.measure(session, spectrum, (x, y)) > 0
        points.append((x, y))
    assert len(set(points)) == 3
    assert set(points) <= SITES
    assert "cannot be made" in vi.statuses()[0]["text"]


def test_what_a_full_disk_refused_is_written_when_there_is_room_again(scanned, spectrum, monkeypatch):
    session = scanned.new_session()
    x, y, *_ = ask(scanned, session, 1)

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        scanned.measure(session, spectrum, (x, y))
        assert "No space left" in session.scalar.last_error()[1]
        x, y, *_ = ask(scanned, session, 2)
        assert (x, y) in SITES
    assert [event["event"] for event in scanned.journal()] == ["start", "image", "suggest"]
    scanned.measure(session, spectrum, (x, y))
    kinds = [event["event"] for event in scanned.journal()]
    assert kinds == ["start", "image", "suggest", "measurement", "suggest", "measurement"]


def test_a_new_run_that_cannot_be_announced_does_not_fall_back_to_the_old_one(scanned, spectrum, monkeypatch):
    session = scanned.new_session()
    x, y, *_ = ask(scanned, session, 1)
    scanned.measure(session, spectrum, (x, y))

    def refuse(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", refuse)
        x, y, *_ = ask(scanned, session, 1)
    scanned.measure(session, spectrum, (x, y))
    ask(scanned, session, 2)
    events = [json.loads(line)["event"] for line in (scanned.runs()[0] / "journal.jsonl").read_text().splitlines()]
    assert events.count("measurement") == 1
    assert [event["event"] for event in scanned.journal()].count("measurement") == 1


@pytest.mark.parametrize("text", ["", "{", "[]", '{"published": 3}', '{"published": {"seedz": 3, "step": -1}}', "\xff"])
def test_settings_that_cannot_be_used_are_named_and_cost_no_run(vi, heights, text):
    vi.write_scan(heights)
    vi._settings.write_bytes(text.encode("latin-1"))
    session = vi.new_session()
    settings = session.dkl._decide._dropin_settings.load("nowhere")
    assert settings.problems
    assert (settings.step, settings.window, settings.seeds) == (10, 30, 20)


def test_an_error_nobody_thought_of_gives_the_point_before(scanned, spectrum, monkeypatch):
    session = scanned.new_session()
    before = ask(scanned, session, 1)

    def unheard(*_):
        raise MemoryError("unheard of")

    monkeypatch.setattr(session.dkl._decide, "next_point", unheard)
    assert ask(scanned, session, 2) == before
    monkeypatch.setattr(session.scalar._measure, "measured", unheard)
    assert scanned.measure(session, spectrum, (4, 4)) == 0.0
    assert session.dkl.last_error() == (3, "MemoryError: unheard of")


def test_an_error_nobody_thought_of_at_the_first_call_gives_the_first_site(scanned, monkeypatch):
    session = scanned.new_session()
    monkeypatch.setattr(session.dkl._decide, "next_point", failing)
    assert scanned.ask(session, 1) == [20, 20, 0, 0]


def test_the_working_folder_stays_as_it_is(scanned, spectrum):
    before = os.getcwd()  # noqa: PTH109 - it is what must not change
    session = scanned.new_session()
    x, y, *_ = ask(scanned, session, 1)
    scanned.measure(session, spectrum, (x, y))
    assert os.getcwd() == before  # noqa: PTH109
