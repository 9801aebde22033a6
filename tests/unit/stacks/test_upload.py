"""A ZIP that arrives piece by piece: on disk at once, within its limits, and gone without a trace where it fails."""

from __future__ import annotations

import errno
import io
from pathlib import Path

import pytest

from core.base.errors import AppError, ArchiveTruncated, DiskFull, LimitExceeded, NotAZip, QuotaExceeded
from core.base.settings import MIB, Settings
from core.stacks.quota import Usage
from core.stacks.store import StackStore
from core.stacks.upload import GRANT_BYTES
from tests.builders import zip_bytes
from tests.helpers import grey_png

ZIP = zip_bytes({"1.png": grey_png(1), "2.png": grey_png(2)})
NOTHING = Usage(0, 0)


def left_behind(store: StackStore) -> list[str]:
    return sorted(path.name for path in store.folder.rglob("*") if path.name != "lock")


@pytest.mark.parametrize("piece", [1, 7, 1000, len(ZIP)])
def test_pieces_of_any_size_become_the_stack(store: StackStore, piece: int) -> None:
    with store.receive("a") as upload:
        for start in range(0, len(ZIP), piece):
            upload.write(ZIP[start : start + piece])
            assert upload.path.read_bytes() == ZIP[: start + piece], "every piece is on disk as soon as it is written"
        assert upload.size == len(ZIP)
        stack = upload.finish("two.zip")
    assert (stack.name, len(stack)) == ("two.zip", 2)
    assert stack.original(0) == grey_png(1)
    assert store.get(stack.id) is stack
    assert store.usage.stacks == 1
    assert store.usage.bytes > len(ZIP)


def test_nobody_else_on_the_machine_can_read_it(store: StackStore) -> None:
    with store.receive() as upload:
        upload.write(ZIP)
        assert upload.folder.stat().st_mode & 0o077 == 0
        upload.finish("x.zip")


class Broken(Exception):
    pass


@pytest.mark.parametrize("error", [Broken, KeyboardInterrupt, AppError])
def test_whatever_interrupts_it_nothing_is_left(store: StackStore, error: type[BaseException]) -> None:
    with pytest.raises(error), store.receive("a") as upload:
        upload.write(ZIP[:100])
        assert store.usage == Usage(1, GRANT_BYTES)
        raise error
    assert (left_behind(store), store.usage, len(store)) == ([], NOTHING, 0)


@pytest.mark.parametrize(
    ("content", "error"), [(b"", NotAZip), (b"text", NotAZip), (ZIP[: len(ZIP) // 2], ArchiveTruncated)]
)
def test_what_is_no_stack_leaves_nothing(store: StackStore, content: bytes, error: type[AppError]) -> None:
    with pytest.raises(error), store.receive("a") as upload:
        upload.write(content)
        upload.finish("x.zip")
    assert (left_behind(store), store.usage, len(store)) == ([], NOTHING, 0)


def test_the_limit_counts_what_really_arrives(settings: Settings) -> None:
    store = StackStore(settings.model_copy(update={"max_upload_bytes": len(ZIP)}))
    try:
        with pytest.raises(LimitExceeded, match="larger than"), store.receive() as upload:
            upload.write(ZIP)
            upload.write(b"x")
        assert (left_behind(store), store.usage) == ([], NOTHING)
        assert len(store.create(io.BytesIO(ZIP), "just fits.zip")) == 2
    finally:
        store.close()


def test_a_clients_quota_ends_it_in_the_middle_and_what_was_there_stays(settings: Settings) -> None:
    store = StackStore(settings.model_copy(update={"max_bytes_per_client": 3 * MIB}))
    try:
        first = store.create(io.BytesIO(ZIP), "first.zip", "a")
        before = store.usage
        with pytest.raises(QuotaExceeded, match="3 MB"), store.receive("a") as upload:
            for _ in range(5):
                upload.write(bytes(MIB))
        assert store.usage == before
        assert store.get(first.id) is first
    finally:
        store.close()


def test_room_for_what_will_be_computed_is_part_of_the_quota(settings: Settings) -> None:
    """A small ZIP of many images takes far more disk than its own size."""
    many = zip_bytes({f"{number}.png": grey_png(number) for number in range(30)})
    store = StackStore(settings.model_copy(update={"max_bytes_per_client": 3 * MIB}))
    try:
        with pytest.raises(QuotaExceeded):
            store.create(io.BytesIO(many), "many.zip", "a")
        assert (left_behind(store), store.usage, len(store)) == ([], NOTHING, 0)
    finally:
        store.close()


@pytest.mark.parametrize("broken", ["mkdir", "open"])
def test_a_disk_that_is_full_at_the_very_beginning(
    store: StackStore, broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, broken, full)
    with pytest.raises(DiskFull):
        store.receive("a")
    monkeypatch.undo()
    assert (left_behind(store), store.usage) == ([], NOTHING)


def test_a_disk_that_fills_up_meanwhile(store: StackStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(DiskFull), store.receive("a") as upload:
        upload.write(ZIP[:50])
        monkeypatch.setattr("core.base.disk.os.pwrite", full)
        upload.write(ZIP[50:])
    monkeypatch.undo()
    assert (left_behind(store), store.usage) == ([], NOTHING)
