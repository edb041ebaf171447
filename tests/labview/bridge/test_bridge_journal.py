"""The journal: whole lines or nothing."""

from __future__ import annotations

import errno
import os

import pytest

from dkl_core.errors import InputError, RecordError
from labview_bridge.worker.journal import Journal, read_journal

EVENTS = [{"kind": "a", "x": 0.1 + 0.2}, {"kind": "b", "y": [float("inf"), 1e-300, None]}, {"kind": "ä", "n": 2**60}]


def test_what_was_appended_comes_back_exactly(tmp_path):
    with Journal(tmp_path / "j") as journal:
        for event in EVENTS:
            journal.append(event)
        assert list(journal.events()) == EVENTS
    assert list(read_journal(tmp_path / "j")) == EVENTS


def test_nan_is_kept_in_valid_json(tmp_path):
    with Journal(tmp_path / "j") as journal:
        journal.append({"x": float("nan")})
        (event,) = journal.events()
    assert event["x"] != event["x"]
    assert b"NaN" not in (tmp_path / "j").read_bytes()


@pytest.mark.parametrize("half", [b'{"kind"', b"\xff\xfe", b'{"kind": "c"}'])
def test_a_half_last_line_is_cut_when_it_is_opened_again(tmp_path, half):
    with Journal(tmp_path / "j") as journal:
        journal.append(EVENTS[0])
    with (tmp_path / "j").open("ab") as file:
        file.write(half)
    assert list(read_journal(tmp_path / "j")) == EVENTS[:1]
    with Journal(tmp_path / "j") as journal:
        journal.append(EVENTS[1])
        assert list(journal.events()) == EVENTS[:2]


def test_damage_before_the_last_line_is_an_error_with_its_line(tmp_path):
    (tmp_path / "j").write_bytes(b'{"kind": "a"}\nrubbish\n{"kind": "b"}\n')
    with pytest.raises(RecordError, match="line 2"):
        list(read_journal(tmp_path / "j"))


def test_there_is_one_writer(tmp_path):
    with Journal(tmp_path / "j"), pytest.raises(RecordError, match="being written"):
        Journal(tmp_path / "j")
    Journal(tmp_path / "j").close()


def test_a_line_that_did_not_fit_leaves_no_trace(tmp_path, monkeypatch):
    real = os.write

    def half(file: int, data: memoryview) -> int:
        real(file, data[:5])
        raise OSError(errno.ENOSPC, "No space left on device")

    with Journal(tmp_path / "j") as journal:
        journal.append(EVENTS[0])
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", half)
            with pytest.raises(RecordError, match="No space left"):
                journal.append(EVENTS[1])
        journal.append(EVENTS[2])
    assert list(read_journal(tmp_path / "j")) == [EVENTS[0], EVENTS[2]]


def test_what_json_cannot_hold_is_refused_and_a_closed_journal_says_so(tmp_path):
    with Journal(tmp_path / "j") as journal, pytest.raises(InputError, match="set"):
        journal.append({"x": {1, 2}})
    with pytest.raises(RecordError, match="closed"):
        journal.append(EVENTS[0])
    journal.close()
    assert list(read_journal(tmp_path / "j")) == []


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(RecordError, match="cannot be written"):
        Journal(tmp_path / "none" / "j")
    with pytest.raises(RecordError, match="cannot be read"):
        list(read_journal(tmp_path / "none"))
