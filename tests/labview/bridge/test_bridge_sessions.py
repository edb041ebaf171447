"""The second-generation interface as a VI uses it."""

from __future__ import annotations

import json
import math
from itertools import pairwise

import bench_vi as vi
import numpy as np
import pytest

from dkl_core.cli import main
from dkl_core.record import read_run
from labview_bridge.worker.importing import import_journal


def test_a_run_goes_from_the_first_point_to_the_budget(client):
    handle = vi.opened(client)
    places = vi.whole_run(client, handle)
    assert len(places) == len(set(places)) == 8
    status = json.loads(client.status_json(handle))
    assert status["code"] == 0
    assert status["phase"] == "finished"
    assert "budget of 8" in status["stop_reason"]
    assert status["best"]["value"] == pytest.approx(max(vi_scalar(x, y) for x, y in places), rel=1e-9)


def vi_scalar(x: float, y: float) -> float:
    from dkl_core.scalarizers import Spectrum, get_scalarizer

    raw = np.array([vi.BIAS, *vi.spectrum(x, y)])
    return get_scalarizer("in_gap_ratio")(Spectrum.from_array(raw, ("bias", "current", "didv"))).value


def test_the_same_seed_gives_the_same_sites(client):
    first = vi.whole_run(client, vi.opened(client, run="first"))
    assert vi.whole_run(client, vi.opened(client, run="second")) == first
    assert vi.whole_run(client, vi.opened(client, run="third", seed=2)) != first


def test_predictions_come_with_the_first_fit_and_maps_have_the_order_of_the_image(client):
    handle = vi.opened(client)
    found = vi.suggested(client, handle)
    assert all(math.isnan(value) for value in found[7:])
    assert client.submit_result(handle, found[2], vi.BIAS, vi.spectrum(found[3], found[4])) == (0, "")
    vi.whole_run(client, handle, 4)
    found = vi.suggested(client, handle)
    assert all(math.isfinite(value) for value in found[7:])
    code, _, x0, dx, y0, dy = client.map_axes(handle)
    assert code == 0
    for name, expected in (("mean", found[7]), ("std", found[8]), ("acquisition", found[9])):
        values = np.array(client.get_map(handle, name))
        assert values.shape == (5, 5)
        assert values[round((found[4] - y0) / dy), round((found[3] - x0) / dx)] == pytest.approx(expected)
    measured = np.array(client.get_map(handle, "measured"))
    assert np.isfinite(measured).sum() == 5


def test_metres_follow_from_pixels_by_centre_size_and_angle(client):
    handle = vi.opened(client)
    _, _, _, x_px, y_px, x_m, y_m, *_ = vi.suggested(client, handle)
    width, height, xc, yc, angle, y_up = vi.FRAME
    assert y_up
    u = (x_px + 0.5) * width / 48 - width / 2
    v = (y_px + 0.5) * height / 48 - height / 2
    turn = math.radians(angle)
    assert x_m == pytest.approx(xc + u * math.cos(turn) + v * math.sin(turn), rel=1e-12)
    assert y_m == pytest.approx(yc - u * math.sin(turn) + v * math.cos(turn), rel=1e-12)


def test_a_result_submitted_twice_counts_once_and_another_one_is_refused(client):
    handle = vi.opened(client)
    point = vi.suggested(client, handle)[2]
    good = vi.spectrum(8, 8)
    for _ in range(2):
        assert client.submit_result(handle, point, vi.BIAS, good) == (0, "")
    code, text = client.submit_result(handle, point, vi.BIAS, vi.spectrum(16, 8))
    assert code == client.CONFLICT
    assert f"point {point}" in text
    vi.wait_for(lambda: client.result_get(handle, point)[2] == 1, "the scalar")
    assert client.result_get(handle, point)[3:] == (pytest.approx(vi_scalar(8, 8)), True)
    assert json.loads(client.status_json(handle))["measured"] == 1


def test_an_invalid_spectrum_is_kept_and_its_site_tried_again(client):
    handle = vi.opened(client, budget=9, retries=1)
    places = []
    for number in range(2):
        found = vi.suggested(client, handle)
        places.append(found[3:5])
        flat = [[0.0] * len(vi.BIAS)] * 2
        answer = (
            client.submit_result(handle, found[2], vi.BIAS, flat)
            if number == 0
            else client.submit_failed(handle, found[2], "the tip was changed")
        )
        assert answer == (0, "")
        vi.wait_for(lambda point=found[2]: client.result_get(handle, point)[2] == 1, "the scalar")
        code, why, _, scalar, valid = client.result_get(handle, found[2])
        assert (code, valid) == (0, False)
        assert math.isnan(scalar)
        assert why
    assert json.loads(client.status_json(handle))["failed"] == 2


@pytest.mark.parametrize(
    ("bias", "channels", "says"),
    [
        ([0.0] * 61, None, "bias axis"),
        (vi.BIAS[:-1], None, "61 samples"),
        (vi.BIAS, [[1.0, 2.0]], "2 samples"),
        (vi.BIAS, [[float("inf")] * 61], "infinite"),
    ],
)
def test_a_spectrum_that_does_not_fit_is_refused_and_the_point_stays_open(client, bias, channels, says):
    handle = vi.opened(client)
    point = vi.suggested(client, handle)[2]
    code, text = client.submit_result(handle, point, bias, channels or vi.spectrum(8, 8))
    assert code == client.INPUT
    assert says in text
    assert client.submit_result(handle, point, vi.BIAS, vi.spectrum(8, 8)) == (0, "")


def test_the_channels_named_in_the_configuration_are_used(client):
    handle = vi.opened(client, channels=["didv", "current"])
    found = vi.suggested(client, handle)
    current, didv = vi.spectrum(found[3], found[4])
    assert client.submit_result(handle, found[2], vi.BIAS, [didv, current, didv])[0] == client.INPUT
    assert client.submit_result(handle, found[2], vi.BIAS, [didv, current]) == (0, "")
    vi.wait_for(lambda: client.result_get(handle, found[2])[2] == 1, "the scalar")
    assert client.result_get(handle, found[2])[3] == pytest.approx(vi_scalar(found[3], found[4]))


def test_a_scalarizer_of_the_users_own_comes_from_a_file(client, tmp_path):
    code = "def middle(spectrum, factor=1.0):\n    return factor * spectrum.didv[len(spectrum.didv) // 2]\n"
    (tmp_path / "mine.py").write_text(code)
    handle = vi.opened(client, scalarizer={"name": f"{tmp_path}/mine.py:middle", "options": {"factor": 2.0}})
    found = vi.suggested(client, handle)
    spectrum = vi.spectrum(found[3], found[4])
    assert client.submit_result(handle, found[2], vi.BIAS, spectrum) == (0, "")
    vi.wait_for(lambda: client.result_get(handle, found[2])[2] == 1, "the scalar")
    assert client.result_get(handle, found[2])[3] == pytest.approx(2 * spectrum[1][30])


def test_a_point_that_is_cancelled_may_come_again(client):
    handle = vi.opened(client)
    _, _, job = client.suggest_start(handle)
    assert vi.finished(client, handle, job) == 1
    first = client.suggest_get(handle, job)
    for _ in range(2):
        assert client.suggest_cancel(handle, job) == (0, "")
    assert client.suggest_poll(handle, job)[2] == 3
    assert client.suggest_get(handle, job)[0] == client.CANCELLED
    again = vi.suggested(client, handle)
    assert again[2] != first[2]
    assert again[3:5] == first[3:5]
    # What was measured there all the same is not lost.
    assert client.submit_result(handle, first[2], vi.BIAS, vi.spectrum(*first[3:5])) == (0, "")
    vi.wait_for(lambda: client.result_get(handle, first[2])[2] == 1, "the scalar")


def test_a_request_that_is_sent_again_gives_the_same_job(client):
    handle = vi.opened(client)
    first, _ = client._asked(handle, "session.suggest", {"request": "r"})
    assert vi.finished(client, handle, first["job"]) == 1
    again, _ = client._asked(handle, "session.suggest", {"request": "r"})
    other, _ = client._asked(handle, "session.suggest", {"request": "s"})
    assert again == first
    assert other != first


def test_steps_stay_within_the_maximal_step(client):
    most = 16e-9
    handle = vi.opened(client, max_step_m=most, budget=6)
    places = []
    while (found := vi.suggested(client, handle)) is not None:
        places.append(found[5:7])
        assert client.submit_result(handle, found[2], vi.BIAS, vi.spectrum(found[3], found[4])) == (0, "")
    assert len(places) == 6
    assert max(math.dist(a, b) for a, b in pairwise(places)) <= most
    code, text = client.check_position(handle, places[-1][0] + 17e-9, places[-1][1])
    assert code == client.OUTSIDE
    assert "m" in text


def test_where_no_site_lies_within_the_maximal_step_the_job_fails(client):
    handle = vi.opened(client, max_step_m=1e-9)
    assert vi.suggested(client, handle) is not None
    _, _, job = client.suggest_start(handle)
    assert vi.finished(client, handle, job) == 4
    code, text, *_ = client.suggest_get(handle, job)
    assert code == client.OUTSIDE
    assert "maximal step" in text


def test_positions_keep_the_margin_and_others_are_refused(client):
    handle = vi.opened(client, margin_m=12e-9, budget=20)
    width, _, xc, yc, angle, _ = vi.FRAME
    turn = math.radians(angle)
    for x_m, y_m in [found[5:7] for found in iter(lambda: measured_point(client, handle), None)]:
        x, y = x_m - xc, y_m - yc
        u, v = x * math.cos(turn) - y * math.sin(turn), x * math.sin(turn) + y * math.cos(turn)
        assert max(abs(u), abs(v)) <= width / 2 - 12e-9 + 1e-15
    assert client.check_position(handle, xc, yc) == (0, "")
    assert client.check_position(handle, xc + 0.4 * width, yc)[0] == client.OUTSIDE
    assert client.check_position(handle, 0.0, 0.0)[0] == client.OUTSIDE


def measured_point(client, handle):
    found = vi.suggested(client, handle)
    if found is not None:
        assert client.submit_result(handle, found[2], vi.BIAS, vi.spectrum(found[3], found[4])) == (0, "")
    return found


def test_where_a_call_fails_the_position_is_the_last_one_or_the_centre(client):
    handle = vi.opened(client)
    _, _, xc, yc, *_ = vi.FRAME
    assert client.suggest_get(handle, 99)[5:7] == (1e-6, -2e-6) == (xc, yc)
    found = vi.suggested(client, handle)
    failed = client.suggest_get(handle, 99)
    assert failed[0] == client.JOB
    assert failed[2] == 0
    assert failed[3:7] == found[3:7]


def test_the_next_frame_comes_in_metres_and_becomes_the_present_one(client):
    handle = vi.opened(client, zoom={"sigmas": 0.0, "min_sites": 2})
    assert client.next_frame_get(handle, client.next_frame_start(handle, 20e-9)[2])[0] == client.NOT_READY
    vi.whole_run(client, handle)
    _, _, job = client.next_frame_start(handle, 20e-9)
    assert vi.finished(client, handle, job) == 1
    code, why, xc, yc, width, height, angle = client.next_frame_get(handle, job)
    assert code == 0
    assert "average" in why
    assert (width, height, angle) == (pytest.approx(20e-9), pytest.approx(20e-9), 30.0)
    assert client.check_position(handle, xc, yc) == (0, "")
    assert client.session_set_image(handle, image_of(2), width, height, xc, yc, angle, True) == (0, "")
    found = vi.suggested(client, handle)
    assert math.dist(found[5:7], (xc, yc)) < 15e-9
    assert json.loads(client.status_json(handle))["frame"] == 2


def image_of(seed: int) -> list[list[float]]:
    return np.random.default_rng(seed).normal(size=(40, 40)).tolist()


def test_a_next_frame_that_is_too_large_is_refused_with_the_reason(client):
    handle = vi.opened(client)
    vi.whole_run(client, handle, 4)
    _, _, job = client.next_frame_start(handle, 60e-9)
    assert vi.finished(client, handle, job) == 4
    code, text, *_ = client.next_frame_get(handle, job)
    assert code == client.INPUT
    assert "not smaller" in text


def test_the_same_image_again_changes_nothing_and_a_bad_one_leaves_the_frame(client):
    handle = vi.opened(client)
    vi.whole_run(client, handle, 2)
    assert client.session_set_image(handle, vi.image(), *vi.FRAME) == (0, "")
    flat = [[1.0] * 48 for _ in range(48)]
    code, text = client.session_set_image(handle, flat, *vi.FRAME)
    assert code == client.INPUT
    assert "one value" in text
    status = json.loads(client.status_json(handle))
    assert (status["frame"], status["points"]) == (1, 2)


def test_a_point_of_an_earlier_frame_can_be_submitted_but_not_driven_to(client):
    handle = vi.opened(client)
    _, _, job = client.suggest_start(handle)
    assert vi.finished(client, handle, job) == 1
    found = client.suggest_get(handle, job)
    assert client.session_set_image(handle, image_of(3), *vi.FRAME) == (0, "")
    assert client.suggest_get(handle, job)[0] == client.CANCELLED
    assert client.submit_result(handle, found[2], vi.BIAS, vi.spectrum(8, 8)) == (0, "")
    vi.wait_for(lambda: client.result_get(handle, found[2])[2] == 1, "the scalar")


def test_a_vi_that_is_started_anew_gets_its_outstanding_point_again(client, new_client):
    handle = vi.opened(client)
    vi.whole_run(client, handle, 2)
    found = vi.suggested(client, handle)
    vi.put_away(client)
    other = new_client()
    answers = []
    vi.wait_for(
        lambda: answers.append(other.session_open(json.dumps(vi.CONFIG))) or answers[-1][0] == 0, "the takeover"
    )
    handle = answers[-1][2]
    assert vi.suggested(other, handle)[2:5] == found[2:5]


def test_two_sessions_do_not_mix(client, new_client):
    other = new_client()
    mine, theirs = vi.opened(client, run="mine"), vi.opened(other, run="theirs", seed=5)
    assert mine != theirs
    alone = vi.whole_run(client, vi.opened(client, run="alone"), 5)
    places = [vi.measured(one, handle) for _ in range(5) for one, handle in ((client, mine), (other, theirs))]
    assert places[::2] == alone
    assert places[1::2] != alone
    assert client.suggest_start(theirs)[0] == client.IN_USE


def test_a_run_in_use_is_refused_to_a_second_client_unless_it_takes_over(client, new_client):
    handle = vi.opened(client)
    other = new_client()
    code, text, none = other.session_open(json.dumps(vi.CONFIG))
    assert (code, none) == (other.IN_USE, 0)
    assert "take_over" in text
    code, _, taken = other.session_open(json.dumps({**vi.CONFIG, "take_over": True}))
    assert code == 0
    assert client.suggest_start(handle)[0] in {client.HANDLE, client.IN_USE}
    assert other.suggest_start(taken)[0] == 0


def test_another_configuration_for_a_run_is_refused_by_the_key_that_differs(client):
    vi.opened(client)
    code, text, _ = client.session_open(json.dumps({**vi.CONFIG, "window": 10}))
    assert code == client.CONFLICT
    assert "window" in text


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"windw": 8}, "did you mean 'window'"),
        ({"window": 8.5}, "window"),
        ({"scalarizer": "in_gap"}, "there is no scalarizer 'in_gap'"),
        ({"goal": "best"}, "maximise"),
        ({"budget": 2}, "seeds"),
        ({"max_step_m": 0}, "max_step_m"),
        ({"zoom": {"sigma": 1}}, "sigmas"),
        ({"run": ""}, "run"),
    ],
)
def test_a_configuration_that_cannot_be_used_is_refused_by_name(client, change, says):
    code, text, handle = client.session_open(json.dumps({**vi.CONFIG, **change}))
    assert code in {client.INPUT, client.SCALARIZER}
    assert handle == 0
    assert says in text


def test_a_run_that_was_closed_is_opened_again_with_all_it_had(client, runs):
    handle = vi.opened(client)
    first = vi.whole_run(client, handle, 3)
    assert client.session_close(handle) == (0, "")
    again = vi.opened(client)
    vi.wait_for(lambda: json.loads(client.status_json(again)).get("measured") == 3, "the recovery")
    assert vi.whole_run(client, again, 1)[0] not in first
    assert client.session_close(again) == (0, "")
    vi.wait_for((runs / "a" / "run.h5").exists, "the record")
    vi.wait_for(lambda: not (runs / "a" / "journal.jsonl.lock").exists(), "the end")
    once_more = vi.opened(client)
    vi.wait_for(lambda: json.loads(client.status_json(once_more)).get("measured") == 4, "the recovery")


def test_the_command_imports_a_run_that_is_going_on(client, runs, tmp_path, capsys):
    handle = vi.opened(client)
    vi.whole_run(client, handle, 4)
    vi.wait_for(lambda: not json.loads(client.status_json(handle))["working"], "all fits")
    out = tmp_path / "out.h5"
    words = ["import-journal", str(runs / "a" / "journal.jsonl"), "--out", str(out)]
    assert main(words) == 0
    assert "frame 1" in capsys.readouterr().out
    with read_run(out) as contents:
        assert len(contents.measurements) == 4
    assert main(words) == 1
    assert main([*words, "--overwrite"]) == 0
    assert main(["import-journal", str(tmp_path), "--out", str(out)]) == 1
    assert "cannot be read" in capsys.readouterr().err


def test_closing_writes_a_record_that_holds_every_spectrum(client, runs, tmp_path):
    handle = vi.opened(client)
    places = vi.whole_run(client, handle)
    assert client.session_close(handle) == (0, "")
    assert client.suggest_start(handle)[0] == client.HANDLE
    vi.wait_for((runs / "a" / "run.h5").exists, "the record")
    (path,) = import_journal(runs / "a", tmp_path / "imported.h5")
    with read_run(path) as contents:
        table = contents.measurements
        assert len(table) == len(places) == 8
        x, y = places[3]
        assert (table.row[3], table.col[3]) == (47 - y, x)
        assert np.array_equal(contents.raw(3), np.array([vi.BIAS, *vi.spectrum(x, y)]))
