"""Which reader a file gets, and what is wrong with files that get none."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dkl_core.datasets import load_recorded
from dkl_core.errors import DataFileError

Writer = Callable[..., Path]
IMAGE = np.arange(12.0).reshape(3, 4)


def test_the_path_may_be_a_string(write_npz: Writer) -> None:
    assert load_recorded(str(write_npz(image=IMAGE, scalar_a=IMAGE))).name == "set.npz"


def test_the_content_decides_on_the_format(write_run: Writer) -> None:
    assert load_recorded(write_run(name="run_8nm.dat")).target_name == "Scalar"


def test_a_missing_file_is_named_with_the_folder_it_is_looked_for_in() -> None:
    with pytest.raises(DataFileError, match=r"there is no file nowhere/set\.npz; check the path") as caught:
        load_recorded("nowhere/set.npz")
    assert str(Path.cwd()) in str(caught.value)


@pytest.mark.parametrize("suffix", ["npz", "hf5", "sxm", "3ds"])
def test_an_empty_file_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"set.{suffix}"
    path.touch()
    with pytest.raises(DataFileError, match=rf"set\.{suffix} is empty \(0 bytes\)"):
        load_recorded(path)


@pytest.mark.parametrize("suffix", ["npz", "hf5", "h5", "sxm", "3ds"])
def test_a_file_that_only_has_the_right_name_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"set.{suffix}"
    path.write_bytes(b"something else entirely")
    with pytest.raises(DataFileError, match="copy it again"):
        load_recorded(path)


def test_an_unknown_format_names_the_known_ones(tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(DataFileError, match=r"picture\.png is of no known format; an \.npz .*\.hf5 .*\.sxm .*\.3ds"):
        load_recorded(path)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match="cannot be opened"):
        load_recorded(tmp_path)


def test_a_relative_path_is_looked_up_from_the_current_folder(write_npz: Writer) -> None:
    path = write_npz(image=IMAGE, scalar_a=IMAGE)
    assert load_recorded(os.path.relpath(path)).name == path.name
