"""Archives made to do harm: what they must not achieve, counted in bytes and calls and never by a clock."""

from __future__ import annotations

import gc
import io
import os
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import pytest

from core.base.errors import AppError, ArchiveError, ArchiveTruncated, ImageError, LimitExceeded, NotAZip
from core.base.settings import MIB, Settings
from core.stacks.sources import open_source
from core.stacks.store import StackStore
from tests.builders import BROKEN_PNGS, photo_png, zip_bytes
from tests.helpers import open_files
from tests.hostile import (
    PARTS,
    PHOTO,
    REFUSED_ARCHIVES,
    directory_entry,
    directory_of,
    end_record,
    local_file,
    one_data_block,
    quoted_overlap,
    same_bytes_many_times,
    zip64_bytes,
    zip64_end,
)
from tests.unit.conftest import Open, names, skipped


@pytest.fixture
def inflated(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of bytes of each decompression, in order."""
    sizes: list[int] = []
    make = zlib.decompressobj

    class Counting:
        def __init__(self, bits: int) -> None:
            self._real = make(bits)

        def decompress(self, data: bytes, limit: int) -> bytes:
            sizes.append(len(out := self._real.decompress(data, limit)))
            return out

    monkeypatch.setattr(zlib, "decompressobj", Counting)
    return sizes


# What the directory claims


@pytest.mark.parametrize("method", [1, 6, 9, 12, 14, 93, 95, 98, 99, 0xFFFF])
def test_unsupported_compression_is_skipped_with_its_reason(open_zip: Open, method: int) -> None:
    def edit(info: zipfile.ZipInfo) -> None:
        if info.filename == "rare.png":
            info.compress_type = method

    archive = open_zip(zip_bytes({"rare.png": PHOTO, "good.png": PHOTO}, edit=edit))
    assert (names(archive), skipped(archive)) == (["good.png"], {"rare.png": "unsupported_compression"})


def test_one_block_of_data_counts_for_one_file_only(open_zip: Open) -> None:
    """Where a file's data begins is said by its local header, so the list alone does not show that they share it."""
    archive = open_zip(one_data_block(300))
    assert (names(archive), archive.read(0)) == (["299.png"], PHOTO)
    assert set(skipped(archive).values()) == {"overlapping"}
    assert len(archive.skipped) == 299


@pytest.mark.parametrize("make", [same_bytes_many_times, quoted_overlap])
def test_bytes_count_for_one_file_only(open_zip: Open, make: Callable[[int], bytes]) -> None:
    archive = open_zip(make(10))
    assert (names(archive), archive.read(0)) == (["9.png"], PHOTO)
    assert skipped(archive) == {f"{number}.png": "overlapping" for number in range(9)}


def test_no_file_reaches_into_the_list_of_files(open_zip: Open) -> None:
    def edit(info: zipfile.ZipInfo) -> None:
        if info.filename == "b.png":
            info.compress_size += 1

    archive = open_zip(zip_bytes({"a.png": PHOTO, "b.png": PHOTO}, edit=edit))
    assert (names(archive), skipped(archive)) == (["a.png"], {"b.png": "image_invalid"})


def test_files_side_by_side_do_not_overlap(open_zip: Open) -> None:
    """In an order of its own the directory may list them; no byte lies between two of them."""
    first, second = local_file("a.png"), local_file("b.png", photo_png(5, 5))
    entries = [directory_entry(b"b.png", len(first), photo_png(5, 5)), directory_entry(b"a.png", 0, PHOTO)]
    archive = open_zip(directory_of(entries, first + second))
    assert [archive.read(0), archive.read(1)] == [PHOTO, photo_png(5, 5)]


def test_bombs_are_not_unpacked_beyond_what_they_state(open_zip: Open, inflated: list[int]) -> None:
    """The directory states 100 bytes more than an image has, and 20 MiB follow."""
    stated = len(PHOTO) + 100

    def edit(info: zipfile.ZipInfo) -> None:
        info.file_size = stated

    archive = open_zip(zip_bytes({f"{n}.png": PHOTO + bytes(20 * MIB) for n in range(3)}, edit=edit))
    assert max(inflated) <= 512, "opening wants headers only, and whether an animation is announced"
    inflated.clear()
    for index in range(3):
        with pytest.raises(ImageError):
            archive.read(index)
    assert inflated == [stated + 1] * 3


@pytest.mark.parametrize("claimed", [1, 0xFFFF])
def test_more_files_than_allowed_are_refused_before_any_is_made(open_zip: Open, claimed: int) -> None:
    """The number that the end record claims is not asked: 9 MB of directory are 200,000 files."""
    data = directory_of([directory_entry()] * 200_000, claimed=claimed)
    tracemalloc.start()
    try:
        with pytest.raises(LimitExceeded, match=r"200,000 files; at most 20,000"):
            open_zip(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1.1 * len(data), "the list itself, and nothing made of it"


def test_a_million_files_are_refused_unread(open_zip: Open) -> None:
    entries = 1_000_000
    data = directory_of([directory_entry()] * entries)
    tracemalloc.start()
    try:
        with pytest.raises(LimitExceeded, match="list of files is too long"):
            open_zip(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < len(data) / 100


@pytest.mark.parametrize(
    "fault",
    [{"extra": b"\x99\x99\xff\xff"}, {"extract_version": 99}],
    ids=["an extra field too long", "a version not made yet"],
)
def test_one_odd_file_keeps_no_other_from_being_read(open_zip: Open, fault: dict[str, Any]) -> None:
    def edit(info: zipfile.ZipInfo) -> None:
        if info.filename == "odd.png":
            for field, value in fault.items():
                setattr(info, field, value)

    archive = open_zip(zip_bytes({"good.png": PHOTO, "odd.png": PHOTO}, edit=edit))
    assert (names(archive)[0], archive.read(0)) == ("good.png", PHOTO)
    assert len(archive.entries) + len(archive.skipped) == 2


def test_an_index_keeps_no_object_for_each_image(open_zip: Open) -> None:
    """Every full garbage collection would look through them, and hold up whoever is served meanwhile."""
    few, many = (open_zip(zip_bytes({f"{number}.png": PHOTO for number in range(count)})) for count in (10, 1000))
    gc.collect()
    assert len(many.entries) == 1000
    assert len(held(many)) - len(held(few)) < 100


def held(root: object) -> dict[int, object]:
    """What the garbage collector finds by way of ``root``, code aside, by identity."""
    found: dict[int, object] = {}
    waiting = [root]
    while waiting:
        one = waiting.pop()
        if gc.is_tracked(one) and id(one) not in found and not isinstance(one, type | ModuleType | FunctionType):
            found[id(one)] = one
            waiting += gc.get_referents(one)
    return found


def test_exactly_as_many_files_as_allowed_are_opened(open_zip: Open) -> None:
    data = zip_bytes({f"{number}.png": PHOTO for number in range(50)})
    assert len(open_zip(data, max_entries=50).entries) == 50
    with pytest.raises(LimitExceeded, match="50 files; at most 49"):
        open_zip(data, max_entries=49)


# ZIP64


def test_zip64_sizes_and_offsets_are_read(open_zip: Open) -> None:
    files = {"a.png": PHOTO, "b.png": photo_png(5, 5)}
    archive = open_zip(zip64_bytes(files))
    assert {entry.name: archive.read(index) for index, entry in enumerate(archive.entries)} == files


@pytest.mark.parametrize("size", [2**33 + 1, 2**62, 2**64 - 1])
def test_zip64_sizes_are_held_to_the_limits(open_zip: Open, size: int) -> None:
    data = zip64_bytes({"a.png": PHOTO}, lambda info: setattr(info, "file_size", size))
    with pytest.raises(LimitExceeded, match="after decompression"):
        open_zip(data)


def test_zip64_offset_beyond_the_archive_is_skipped(open_zip: Open) -> None:
    def edit(info: zipfile.ZipInfo) -> None:
        if info.filename == "bad.png":
            info.header_offset = 2**60

    archive = open_zip(zip64_bytes({"bad.png": PHOTO, "good.png": PHOTO}, edit))
    assert (names(archive), skipped(archive)) == (["good.png"], {"bad.png": "image_invalid"})


def test_zip64_directory_longer_than_allowed_is_refused_unread(open_zip: Open, tmp_path: Path) -> None:
    """A sparse file: it takes no place on disk, and would take 4 GiB of memory."""
    with pytest.raises(ArchiveError):
        open_zip(zip64_end(2**40, 0, 0))
    path, size = tmp_path / "sparse.zip", 4 * 1024 * MIB
    with path.open("wb") as file:
        file.seek(size)
        file.write(zip64_end(size, 0, size))
    with pytest.raises(LimitExceeded, match="list of files is too long"):
        open_source(path, Settings())


# Cut off, in parts, and added to


@pytest.mark.parametrize("part", PARTS)
def test_one_part_of_an_archive_in_several_is_refused_by_what_it_is(open_zip: Open, part: str) -> None:
    with pytest.raises(ArchiveError, match="one part of a ZIP in several parts") as caught:
        open_zip(PARTS[part])
    assert type(caught.value) is ArchiveError


def test_an_archive_cut_off_anywhere_is_refused_with_its_reason(open_zip: Open) -> None:
    whole = zip_bytes({"a.png": PHOTO, "b.png": PHOTO})
    for end in range(len(whole)):
        with pytest.raises(NotAZip if end < 4 else ArchiveTruncated):
            open_zip(whole[:end])


@pytest.mark.parametrize("garbage", [b"\0" * 500, b"PK" * 30_000, PHOTO], ids=["zeros", "60 kB", "an image"])
def test_bytes_after_the_end_change_nothing(open_zip: Open, garbage: bytes) -> None:
    archive = open_zip(zip_bytes({"a.png": PHOTO}) + garbage)
    assert (names(archive), archive.read(0)) == (["a.png"], PHOTO)


def test_an_end_hidden_by_garbage_is_refused(open_zip: Open) -> None:
    with pytest.raises(ArchiveTruncated):
        open_zip(zip_bytes({"a.png": PHOTO}) + bytes(70_000))


def test_a_second_end_never_gives_other_bytes(open_zip: Open) -> None:
    """Two archives in one, of which programs read the first or the last: we name the last one's files only."""
    first, last = zip_bytes({"first.png": photo_png(9, 9)}), zip_bytes({"last.png": PHOTO})
    archive = open_zip(first + last)
    assert (names(archive), archive.read(0)) == (["last.png"], PHOTO)
    with pytest.raises(ArchiveError):
        open_zip(first + end_record(46, len(first)))


def test_a_nested_archive_is_never_opened(open_zip: Open, inflated: list[int]) -> None:
    inner = zip_bytes({"inner.png": PHOTO})
    archive = open_zip(zip_bytes({"a.zip": inner, "b.png": inner, "c.png": PHOTO}))
    assert names(archive) == ["c.png"]
    assert skipped(archive) == {"a.zip": "not_an_image", "b.png": "image_invalid"}
    assert len(inflated) == 2, "the two called .png"


class _Unseekable(io.RawIOBase):
    """What a program that packs into a pipe writes to: sizes come after the data, in a descriptor."""

    def __init__(self) -> None:
        self.data = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.data += data
        return len(data)


def test_a_streamed_archive_is_read(open_zip: Open) -> None:
    target = _Unseekable()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", PHOTO)
        archive.writestr("b.png", PHOTO)
    assert open_zip(bytes(target.data)).read(1) == PHOTO


# What stays as it was


@pytest.mark.parametrize("kind", REFUSED_ARCHIVES)
def test_a_refused_archive_leaves_no_trace(store: StackStore, kind: str) -> None:
    before = store.create(io.BytesIO(zip_bytes({"a.png": PHOTO})), "before.zip")
    for _, job in before.prepare_ahead([0]):
        job.result()
    files, handles = sorted(store.folder.rglob("*")), open_files(store.folder)
    with pytest.raises(AppError) as caught:
        store.create(io.BytesIO(REFUSED_ARCHIVES[kind]), "hostile.zip")
    assert isinstance(caught.value, ArchiveError)
    assert str(caught.value).endswith(".")
    assert (sorted(store.folder.rglob("*")), open_files(store.folder)) == (files, handles)
    assert (len(store), store.get(before.id).original(0)) == (1, PHOTO)


def test_hostile_files_leave_the_rest_of_their_stack_working(store: StackStore) -> None:
    files = {f"{fault}.png": data for fault, data in BROKEN_PNGS.items()} | {"good.png": PHOTO}
    stack = store.create(io.BytesIO(zip_bytes(files)), "mixed.zip")
    for _, job in stack.prepare_ahead(range(len(stack))):
        job.result()
    readable = [entry.name for index, entry in enumerate(stack.entries) if stack.error(index) is None]
    assert readable == ["good.png"]
    assert stack.thumbnail(stack.find("good.png")).startswith(b"\xff\xd8")
    assert len(stack) + len(stack.skipped) == len(files)


def test_reading_is_bounded_by_what_is_stated(open_zip: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that claims to reach to the end of a large archive is read no further than its own size allows."""
    wanted: list[int] = []
    pread = os.pread

    def counted(descriptor: int, size: int, offset: int) -> bytes:
        wanted.append(size)
        return pread(descriptor, size, offset)

    padding = 3 * MIB
    data = zip_bytes({"a.png": PHOTO}, edit=lambda info: setattr(info, "compress_size", info.compress_size + padding))
    at = data.index(b"PK\x01\x02")
    directory = data[at:-22]
    monkeypatch.setattr(os, "pread", counted)
    archive = open_zip(data[:at] + bytes(padding) + directory + end_record(len(directory), at + padding))
    assert archive.read(0) == PHOTO
    assert max(wanted) < 2000
