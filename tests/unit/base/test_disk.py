"""Writing to a disk that may be full."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from core.base.disk import disk_errors, write_at
from core.base.errors import DiskFull


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_said_in_words(number: int) -> None:
    with pytest.raises(DiskFull, match="disk is full") as caught, disk_errors():
        raise OSError(number, "inside", "/secret/path")
    assert "/secret/path" not in str(caught.value)
    assert caught.value.status == 507


@pytest.mark.parametrize("error", [OSError(errno.EIO, "broken"), PermissionError(errno.EACCES, "no"), ValueError("x")])
def test_other_errors_are_not_called_a_full_disk(error: Exception) -> None:
    with pytest.raises(type(error)) as caught, disk_errors():
        raise error
    assert caught.value is error


def test_a_real_full_device_is_reported() -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full here")
    with full.open("wb", buffering=0) as file, pytest.raises(DiskFull):
        write_at(file.fileno(), b"x", 0)


@pytest.mark.parametrize("most", [1, 3, 7, 100])
def test_everything_is_written_at_its_place_however_little_a_call_takes(
    most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, data, position: real(fd, bytes(data)[:most], position))
    with (tmp_path / "file").open("w+b", buffering=0) as file:
        file.write(b"." * 20)
        write_at(file.fileno(), b"0123456789", 5)
        write_at(file.fileno(), memoryview(b"end"), 20)
        write_at(file.fileno(), b"", 3)
        assert (tmp_path / "file").read_bytes() == b"....." + b"0123456789" + b"....." + b"end"


def test_what_was_written_before_the_disk_was_full_does_not_hide_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, room = os.pwrite, 4

    def nearly_full(descriptor: int, data: memoryview, position: int) -> int:
        if position >= room:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(descriptor, data[: room - position], position)

    monkeypatch.setattr(os, "pwrite", nearly_full)
    with (tmp_path / "file").open("wb") as file, pytest.raises(DiskFull):
        write_at(file.fileno(), b"0123456789", 0)
    assert (tmp_path / "file").read_bytes() == b"0123"
