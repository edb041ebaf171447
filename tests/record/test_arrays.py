from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dkl_core.errors import InputError
from dkl_core.record.arrays import PackedArray, packed

DTYPES = ["?", "i1", "u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8", "<f2", "<f4", "<f8", "<c8", "<c16"]
SHAPES = [(), (0,), (3, 0, 2), (7,), (4, 121), (2, 3, 4, 5)]


def there_and_back(array: np.ndarray) -> np.ndarray:
    one = packed(array, "raw")
    return PackedArray.of_header(one.header, one.data).array()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_an_array_comes_back_with_its_type_and_shape(dtype: str, shape: tuple[int, ...]) -> None:
    array = (np.arange(np.prod(shape, dtype=int)) % 5).astype(dtype).reshape(shape)
    back = there_and_back(array)
    assert (back.dtype, back.shape) == (array.dtype, array.shape)
    assert np.array_equal(back, array)


@given(hnp.arrays(st.sampled_from([np.dtype(d) for d in DTYPES]), hnp.array_shapes(min_dims=0, max_side=20)))
def test_any_numbers_come_back_bit_by_bit(array: np.ndarray) -> None:
    assert there_and_back(array).tobytes() == array.tobytes()


def test_an_array_of_the_other_byte_order_keeps_its_values() -> None:
    array = np.arange(5, dtype=">f4")
    assert np.array_equal(there_and_back(array), array)


def test_a_strided_view_comes_back() -> None:
    array = np.arange(60).reshape(6, 10)[::2, ::-3]
    assert np.array_equal(there_and_back(array), array)


def test_counts_are_compressed_and_noise_is_not(rng: np.random.Generator) -> None:
    counts, noise = rng.poisson(1.0, (64, 64)).astype("u2"), rng.integers(0, 2**16, (64, 64)).astype("u2")
    assert packed(counts, "raw").deflated
    assert len(packed(counts, "raw").data) < counts.nbytes / 2
    assert not packed(noise, "raw").deflated


@pytest.mark.parametrize("dtype", ["?", "u1", "<u2", "<f8", "<c16"])
def test_the_compressed_bytes_are_what_the_filters_of_hdf5_expect(tmp_path: Path, dtype: str) -> None:
    array = (np.arange(4096) % 7).astype(dtype).reshape(64, 64)
    one = packed(array, "raw")
    assert one.deflated
    with h5py.File(tmp_path / "a.h5", "w") as h5:
        dataset = h5.create_dataset("a", (64, 64), dtype, chunks=(64, 64), shuffle=True, compression="gzip")
        dataset.id.write_direct_chunk((0, 0), one.data)
        assert np.array_equal(dataset[()], array)


@pytest.mark.parametrize("array", [np.array([None]), np.array(["text"]), np.zeros(2, "f4,i4"), np.zeros(1, "M8[s]")])
def test_what_is_not_plain_numbers_is_refused(array: np.ndarray) -> None:
    with pytest.raises(InputError, match="'raw' holds"):
        packed(array, "raw")


def test_an_array_too_large_for_one_chunk_is_refused() -> None:
    huge = np.broadcast_to(np.zeros((), np.uint8), (2**32,))
    with pytest.raises(InputError, match="split it"):
        packed(huge, "raw")
