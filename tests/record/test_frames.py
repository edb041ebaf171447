from __future__ import annotations

import numpy as np
import pytest

from dkl_core.errors import InputError
from dkl_core.record import Event
from dkl_core.record.frames import HEAD, Place, StoredFrame, frame_of, whole_frames

SALT = 12345


@pytest.fixture
def frames() -> list[bytes]:
    arrays = {"raw": np.arange(12.0).reshape(3, 4), "flags": np.array([True, False])}
    events = [Event("ask", {"site": 1}), Event("note", {"text": "Å"}), Event("note", {"value": 0.1}, arrays)]
    return [frame_of(event).to_bytes(seq, SALT) for seq, event in enumerate(events)]


def found(journal: bytes, first: int = 0, salt: int = SALT) -> list[Place]:
    return list(whole_frames(lambda start, size: journal[start : start + size], len(journal), first, salt))


def test_frames_are_found_in_order_up_to_the_empty_rest(frames: list[bytes]) -> None:
    assert [place.kind for place in found(b"".join(frames) + bytes(1000))] == ["ask", "note", "note"]


def test_frames_are_found_in_a_journal_that_is_full_to_the_last_byte(frames: list[bytes]) -> None:
    assert len(found(b"".join(frames))) == 3


def test_a_frame_gives_its_data_and_arrays_back(frames: list[bytes]) -> None:
    journal = b"".join(frames)
    frame = StoredFrame.at(found(journal)[2], lambda start, size: journal[start : start + size])
    assert frame.data == {"value": 0.1}
    assert np.array_equal(frame.packed("raw").array(), np.arange(12.0).reshape(3, 4))
    assert frame.packed("flags").array().tolist() == [True, False]


def test_a_last_frame_cut_at_any_byte_is_left_out_and_the_earlier_ones_stay(frames: list[bytes]) -> None:
    before, last = b"".join(frames[:2]), frames[2]
    for cut in range(len(last)):
        # A zero byte that is zero anyway is no cut.
        torn = last[:cut] + bytes(len(last) - cut)
        assert len(found(before + torn + bytes(100))) == (3 if torn == last else 2), cut


def test_a_last_frame_with_any_byte_flipped_is_left_out_and_the_earlier_ones_stay(frames: list[bytes]) -> None:
    journal = b"".join(frames) + bytes(100)
    for position in range(sum(map(len, frames[:2])), sum(map(len, frames))):
        flipped = bytearray(journal)
        flipped[position] ^= 0x10
        assert len(found(bytes(flipped))) == 2, position


def test_a_frame_that_claims_to_be_longer_than_the_journal_is_left_out(frames: list[bytes]) -> None:
    assert len(found(b"".join(frames)[:-1])) == 2
    assert found(frames[0][: HEAD.size - 1]) == []


def test_frames_of_another_journal_or_another_place_are_not_taken(frames: list[bytes]) -> None:
    assert found(frames[0], salt=SALT + 1) == []
    assert found(frames[1], first=0) == []


def test_the_name_of_an_array_must_be_usable_in_hdf5() -> None:
    with pytest.raises(InputError, match="'a/b'"):
        frame_of(Event("note", {}, {"a/b": np.zeros(1)}))


def test_an_event_without_kind_is_refused() -> None:
    with pytest.raises(InputError, match="kind is empty"):
        frame_of(Event(""))
