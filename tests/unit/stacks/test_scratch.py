"""The scratch files: rows and blobs are independent, thread-safe, and not to be found in any folder."""

from __future__ import annotations

import gc
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.stacks.scratch import BlobFile, RowFile
from tests.helpers import open_files

SHAPE = (3, 4, 2)
ROW = np.zeros(SHAPE, np.uint8)


def read_row(file: RowFile, row: int) -> np.ndarray:
    out = np.full(SHAPE, 99, np.uint8)
    file.read_into(row, out)
    return out


def test_rows_are_independent_and_the_last_write_wins(tmp_path: Path) -> None:
    file = RowFile(tmp_path, SHAPE)
    for row in (7, 0, 3):
        file.write(row, np.full(SHAPE, row, np.uint8))
    file.write(3, np.full(SHAPE, 200, np.uint8))
    assert {row: set(read_row(file, row).ravel()) for row in (0, 3, 7)} == {0: {0}, 3: {200}, 7: {7}}


@pytest.mark.parametrize(("written", "missing"), [([], 0), ([0], 1), ([5], 0), ([0, 2], 1)])
def test_a_row_never_written_raises_and_leaves_the_output_alone(
    tmp_path: Path, written: list[int], missing: int
) -> None:
    file = RowFile(tmp_path, SHAPE)
    for row in written:
        file.write(row, ROW)
    out = np.full(SHAPE, 99, np.uint8)
    with pytest.raises(ValueError, match=f"row {missing} was never written"):
        file.read_into(missing, out)
    assert (out == 99).all()


@pytest.mark.parametrize("array", [ROW.astype(np.float32), ROW[:2], ROW.transpose(1, 0, 2), ROW.ravel()])
def test_an_array_that_does_not_fit_is_refused_and_not_written(tmp_path: Path, array: np.ndarray) -> None:
    file = RowFile(tmp_path, SHAPE)
    with pytest.raises(ValueError, match=r"expected uint8 \(3, 4, 2\), got"):
        file.write(0, array)
    with pytest.raises(ValueError, match="never written"):
        read_row(file, 0)


def test_rows_of_another_dtype_keep_every_bit(tmp_path: Path) -> None:
    file = RowFile(tmp_path, (3,), np.float32)
    row = np.array([1e-30, -0.0, np.pi], np.float32)
    file.write(1, row)
    out = np.empty(3, np.float32)
    file.read_into(1, out)
    assert out.tobytes() == row.tobytes()
    assert (1 in file, 0 in file) == (True, False)
    with pytest.raises(ValueError, match="expected float32"):
        file.write(0, row.astype(np.float64))


def test_a_view_with_strides_is_stored_as_it_looks(tmp_path: Path) -> None:
    file = RowFile(tmp_path, SHAPE)
    view = np.arange(48, dtype=np.uint8).reshape(3, 8, 2)[:, ::2]
    assert not view.flags.c_contiguous
    file.write(0, view)
    assert (read_row(file, 0) == view).all()


def test_rows_written_side_by_side_stay_apart(tmp_path: Path) -> None:
    file = RowFile(tmp_path, (64, 64))
    arrays = [np.full((64, 64), row, np.uint8) for row in range(200)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(file.write, range(200), arrays))
        results = list(pool.map(lambda row: _filled(file, row), range(200)))
    assert results == [{row} for row in range(200)]


def _filled(file: RowFile, row: int) -> set[int]:
    out = np.empty((64, 64), np.uint8)
    file.read_into(row, out)
    return set(out.ravel().tolist())


@settings(max_examples=30, deadline=None)
@given(blobs=st.dictionaries(st.integers(0, 1000), st.binary(max_size=300)))
def test_blobs_come_back_as_they_went_in(tmp_path_factory: pytest.TempPathFactory, blobs: dict[int, bytes]) -> None:
    file = BlobFile(tmp_path_factory.getbasetemp())
    for number, data in blobs.items():
        file.write(number, data)
    assert {number: file.read(number) for number in blobs} == blobs
    with pytest.raises(KeyError):
        file.read(1001)


def test_blobs_written_side_by_side_stay_apart(tmp_path: Path) -> None:
    file = BlobFile(tmp_path)
    blobs = [bytes([number]) * (1 + number * 7 % 50) for number in range(200)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(file.write, range(200), blobs))
    assert [file.read(number) for number in range(200)] == blobs


def test_nothing_is_visible_in_the_folder_and_the_files_close_with_their_objects(tmp_path: Path) -> None:
    rows, blobs = RowFile(tmp_path, SHAPE), BlobFile(tmp_path)
    rows.write(0, ROW)
    blobs.write(0, b"secret")
    assert list(tmp_path.iterdir()) == []
    assert open_files(tmp_path) == 2
    del rows, blobs
    gc.collect()
    assert open_files(tmp_path) == 0


def test_rows_never_written_take_no_disk_space(tmp_path: Path) -> None:
    file = RowFile(tmp_path, (1024, 1024))
    file.write(1000, np.ones((1024, 1024), np.uint8))
    (opened,) = [one for one in Path("/proc/self/fd").iterdir() if str(tmp_path) in os.path.realpath(one)]
    assert 1024 * 1024 <= opened.stat().st_blocks * 512 < 8 * 1024 * 1024
