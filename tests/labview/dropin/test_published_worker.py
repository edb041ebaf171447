"""The worker's part of the drop-in: it decides from what it is given, and the same after a kill."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dkl_core.errors import InputError, RecordError, ScalarizerError
from labview_bridge.worker.published import METHODS, PublishedRuns

STEP, WINDOW, SIZE, SEEDS = 4, 8, 40, 6
AXIS = range(4, 37, 4)
PLACES = [(x, y) for y in AXIS for x in AXIS]
ROWS = np.add.outer(np.sin(np.arange(SIZE) / 5.0), np.cos(np.arange(SIZE) / 3.0))


def scalar_at(index: int) -> float:
    """Largest in one place of the frame."""
    x, y = PLACES[index]
    return float(np.exp(-((x - 28) ** 2 + (y - 12) ** 2) / 60.0))


class Client:
    """What the drop-in sends."""

    def __init__(self, place: Path, **changes: Any) -> None:
        self.folder = place / "Run_1"
        self.folder.mkdir(exist_ok=True)
        (self.folder / "journal.jsonl").touch()
        image = changes.pop("image", ROWS)
        self.image = image
        self.params = {
            "run": "Run_1",
            "folder": str(self.folder),
            "step": STEP,
            "window": WINDOW,
            "size": SIZE,
            "sha256": hashlib.sha256(image.tobytes()).hexdigest(),
            "seeds": SEEDS,
            "seed": 0,
            "retries": 1,
            "goal": "maximise",
            "model": "linear",
            "levelling": "none",
            "sites": len(PLACES),
            "decide": True,
            "wait_s": 200.0,
            **changes,
        }
        self.sites: list[int] = []
        self.values: list[float] = []

    def arrays(self, closed: list[int], *, image: bool) -> list[np.ndarray]:
        vectors = [np.array(part, dtype=float) for part in (self.sites, self.values, closed)]
        return [*vectors, self.image] if image else vectors

    def suggest(self, runs: PublishedRuns, closed: list[int] | None = None, **changes: Any) -> dict[str, Any]:
        params = {**self.params, **changes}
        closed = sorted(set(self.sites)) if closed is None else closed
        answer, _ = runs.suggest(params, self.arrays(closed, image=False))
        if answer.get("need_image"):
            answer, _ = runs.suggest(params, self.arrays(closed, image=True))
        return answer

    def told(self, index: int, value: float | None = None) -> None:
        self.sites.append(index)
        self.values.append(scalar_at(index) if value is None else value)

    def seeded(self, runs: PublishedRuns) -> None:
        for index in (0, 17, 33, 50, 62, 80):
            self.suggest(runs, decide=False)
            self.told(index)


@pytest.fixture
def runs(one_thread: None) -> Iterator[PublishedRuns]:
    made = PublishedRuns()
    yield made
    made.close()


def go_on(client: Client, runs: PublishedRuns, turns: int) -> list[dict[str, Any]]:
    answers = []
    for _ in range(turns):
        answers.append(client.suggest(runs))
        client.told(answers[-1]["index"])
    return answers


def test_the_model_finds_the_place_of_the_largest_scalar(tmp_path, runs):
    client = Client(tmp_path)
    client.seeded(runs)
    answers = go_on(client, runs, 12)
    assert {answer["source"] for answer in answers} == {"model"}
    assert len(set(client.sites)) == len(client.sites)
    assert max(client.values) > 0.9
    assert all(np.isfinite(answer["mean"]) and answer["std"] > 0 for answer in answers)


def test_a_goal_of_the_smallest_scalar_is_reached_too(tmp_path, runs):
    client = Client(tmp_path, goal="minimise")
    client.seeded(runs)
    go_on(client, runs, 6)
    assert np.mean(client.values[-6:]) < 0.2


@pytest.mark.parametrize("kept", [True, False])
def test_a_new_worker_decides_as_the_one_before_would_have(tmp_path, one_thread, kept):
    """With the record of the run or without it, after any number of measurements."""
    answers = []
    for interrupted in (False, True):
        place = tmp_path / str(interrupted)
        place.mkdir()
        client, runs = Client(place, **({} if kept else {"folder": ""})), PublishedRuns()
        client.seeded(runs)
        for turn in range(8):
            if interrupted and turn in (0, 1, 4):
                runs.close()
                runs = PublishedRuns()
            go_on(client, runs, 1)
        runs.close()
        answers.append(client.sites)
    assert answers[0] == answers[1]


def test_a_run_without_folder_is_kept_in_memory(tmp_path, runs):
    client = Client(tmp_path, folder="")
    client.seeded(runs)
    assert client.suggest(runs)["source"] == "model"
    assert sorted(path.name for path in client.folder.iterdir()) == ["journal.jsonl"]


def test_a_record_that_can_no_longer_be_written_does_not_stop_the_run(tmp_path, runs, monkeypatch):
    client = Client(tmp_path)
    client.seeded(runs)
    go_on(client, runs, 1)

    def full(*_: Any) -> None:
        raise RecordError("no space left")

    monkeypatch.setattr("dkl_core.record.RunRecord.append", full)
    assert [answer["source"] for answer in go_on(client, runs, 3)] == ["model"] * 3


def test_failed_measurements_are_not_learned_from(tmp_path, runs):
    client = Client(tmp_path)
    client.seeded(runs)
    client.told(40, float("nan"))
    answer = client.suggest(runs)
    assert answer["source"] == "model"
    assert answer["index"] != 40


def test_closed_sites_are_not_chosen(tmp_path, runs):
    client = Client(tmp_path)
    client.seeded(runs)
    assert client.suggest(runs, closed=[index for index in range(len(PLACES)) if index != 55])["index"] == 55
    answer = client.suggest(runs, closed=list(range(len(PLACES))))
    assert answer["index"] == -1
    assert "no site is left" in answer["reason"]


def test_measurements_that_differ_from_those_before_are_told_anew(tmp_path, runs):
    client = Client(tmp_path)
    client.seeded(runs)
    go_on(client, runs, 2)
    client.values[3] = 0.5
    other = Client(tmp_path, folder="")
    other.sites, other.values = list(client.sites), list(client.values)
    fresh = PublishedRuns()
    assert client.suggest(runs)["index"] == other.suggest(fresh)["index"]
    fresh.close()


def test_before_the_first_fit_there_is_no_site_and_the_reason(tmp_path, runs):
    answer = Client(tmp_path).suggest(runs)
    assert answer["index"] == -1
    assert "no fit yet, with 0 valid measurements" in answer["reason"]


def test_while_a_refit_takes_too_long_the_last_posterior_decides(tmp_path, runs):
    client = Client(tmp_path)
    client.seeded(runs)
    go_on(client, runs, 1)
    free = threading.Event()
    # The refits of all runs wait in one line: nothing is fitted while this one waits.
    runs._pool.submit(free.wait, 250)
    answers = []
    for _ in range(4):
        answers.append(client.suggest(runs, wait_s=0.2))
        client.told(answers[-1]["index"])
    free.set()
    assert [answer["source"] for answer in answers[1:]] == ["last posterior"] * 3
    assert "a refit was not ready" in answers[-1]["reason"]
    assert len(set(client.sites)) == len(client.sites)
    assert client.suggest(runs)["source"] == "model"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"run": "../evil"}, "cannot name a run"),
        ({"run": ""}, "cannot name a run"),
        ({"folder": "/etc"}, "is not the folder of run"),
        ({"folder": "relative/Run_1"}, "is not the folder of run"),
        ({"step": "4"}, "step is '4'"),
        ({"wait_s": float("nan")}, "wait_s is nan"),
        ({"sites": 9}, "a site's number is not within 0 to 8"),
        ({"model": "none"}, "unknown model 'none'"),
        ({"goal": "best"}, "unknown goal 'best'"),
    ],
)
def test_a_request_that_cannot_be_used_is_refused(tmp_path, runs, changes, message):
    client = Client(tmp_path)
    client.told(80)
    with pytest.raises(InputError, match=message):
        client.suggest(runs, **changes)


def test_an_image_of_another_check_sum_or_number_of_sites_is_refused(tmp_path, runs):
    client = Client(tmp_path)
    with pytest.raises(InputError, match="check sum"):
        client.suggest(runs, sha256="0" * 64)
    with pytest.raises(InputError, match="81 sites, the drop-in counts 90"):
        client.suggest(runs, sites=90)


def test_only_so_many_runs_are_kept_open(tmp_path, runs):
    for number in range(7):
        client = Client(tmp_path, folder="", run=f"Run_{number}")
        client.suggest(runs, decide=False)
    assert len(runs._open) == 4


def test_the_cores_scalarizers_and_the_users_own_are_at_hand(tmp_path, spectrum):
    array = [np.array(spectrum)]
    answer, _ = METHODS["published.scalarize"]({"scalarizer": "in_gap_ratio", "options": {"strict": False}}, array)
    assert answer["valid"]
    own = tmp_path / "mine.py"
    own.write_text("def peak(spectrum, channel='didv'):\n    return spectrum.channel(channel).max()\n")
    answer, _ = METHODS["published.scalarize"]({"scalarizer": f"{own}:peak", "options": {}}, array)
    assert answer == {"value": max(spectrum[2]), "valid": True, "reason": ""}
    wide = [np.array([*spectrum, *spectrum[1:]])]
    answer, _ = METHODS["published.scalarize"]({"scalarizer": f"{own}:peak", "options": {"channel": "channel_5"}}, wide)
    assert answer["value"] == max(spectrum[2])
    with pytest.raises(ScalarizerError, match="there is no file"):
        METHODS["published.scalarize"]({"scalarizer": f"{tmp_path / 'none.py'}:peak", "options": {}}, array)


def test_a_scalarizer_of_the_worker_serves_the_vi_and_its_absence_costs_only_the_scalar(vi, tmp_path, spectrum):
    own = tmp_path / "mine.py"
    own.write_text("def peak(spectrum):\n    return float(spectrum.didv.max())\n")
    vi.configure(scalarizer=f"{own}:peak")

    class Worker:
        def connect(self, _settings: Any) -> Any:
            return self

        def request(self, method: str, params: Any, arrays: Any, _timeout_s: float) -> Any:
            return METHODS[method](params, [np.array(values).reshape(shape) for shape, values in arrays])

    assert vi.measure(vi.new_session(Worker()), spectrum, (8.0, 8.0)) == max(spectrum[2])
    assert vi.measure(vi.new_session(), spectrum, (8.0, 8.0)) == 0.0
    assert "gave no scalar" in vi.journal()[-1]["reason"]
    assert vi.journal()[-1]["spectrum"] == spectrum


def test_answers_are_plain_json(tmp_path, runs):
    client = Client(tmp_path)
    client.seeded(runs)
    json.dumps(client.suggest(runs), allow_nan=False)
