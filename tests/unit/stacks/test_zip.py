from __future__ import annotations

import os
import random
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.base.errors import (
    AppError,
    ArchiveEmpty,
    ArchiveEncrypted,
    ArchiveError,
    ArchiveTruncated,
    ImageError,
    LimitExceeded,
    NotAZip,
)
from core.base.settings import MIB, Settings
from core.stacks.sources import open_source
from tests.builders import (
    BROKEN_PNGS,
    PngKind,
    encrypted,
    photo_png,
    png_of_kind,
    zip_bytes,
)
from tests.unit.conftest import Open, names, skipped

PHOTO = photo_png()


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_entries_tell_size_and_kind_and_give_their_bytes(open_zip: Open, compression: int) -> None:
    scan = png_of_kind(PngKind("grey", 16, interlaced=True), 9, 8)
    archive = open_zip(zip_bytes({"scan.png": scan, "photo.png": PHOTO}, compression))
    photo, second = archive.entries
    assert (photo.name, photo.header.width, photo.header.height, photo.file_size) == ("photo.png", 40, 30, len(PHOTO))
    assert (second.name, second.header.description, second.header.interlaced) == ("scan.png", "16-bit grey", True)
    assert [archive.read(0), archive.read(1)] == [PHOTO, scan]
    assert archive.skipped == ()


def test_order_is_natural_and_ignores_case(open_zip: Open) -> None:
    wanted = ["a/1.png", "a/2.png", "a/10.png", "a b/1.png", "IMG_2.PNG", "img_10.png", "img_11.png"]
    shuffled = random.Random(1).sample(wanted, len(wanted))
    assert names(open_zip(zip_bytes((name, PHOTO) for name in shuffled))) == wanted


def test_bytes_follow_their_names_through_sorting(open_zip: Open) -> None:
    files = {f"{number}.png": photo_png(seed=number) for number in (10, 9, 1, 2)}
    archive = open_zip(zip_bytes(files))
    assert {entry.name: archive.read(index) for index, entry in enumerate(archive.entries)} == files


def test_equal_names_are_all_kept_and_told_apart(open_zip: Open) -> None:
    files = [("a/x.png", 1), ("b/x.png", 2), ("b/x.png", 3), ("b/x.png", 4), ("b/x (2).png", 5)]
    archive = open_zip(zip_bytes((name, photo_png(seed=seed)) for name, seed in files))
    found = {entry.name: archive.read(index) for index, entry in enumerate(archive.entries)}
    wanted = {"a/x.png": 1, "b/x.png": 2, "b/x (3).png": 3, "b/x (4).png": 4, "b/x (2).png": 5}
    assert found == {name: photo_png(seed=seed) for name, seed in wanted.items()}


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        ("Größe/写真 1.png", "Größe/写真 1.png"),
        ("cafe\u0301.png", "caf\u00e9.png"),  # macOS writes accents apart
        ("a\\b\\c.png", "a/b/c.png"),
        ("./a//b.png", "a/b.png"),
        ("a..b/c...png", "a..b/c...png"),
    ],
)
def test_names_as_people_know_them(open_zip: Open, stored: str, shown: str) -> None:
    assert names(open_zip(zip_bytes({stored: PHOTO}))) == [shown]


@pytest.mark.parametrize(
    ("raw", "shown"), [("é.png".encode(), "é.png"), ("é.png".encode("cp437") + b"_.png", "é.png_.png")]
)
def test_names_without_the_utf8_flag(open_zip: Open, raw: bytes, shown: str) -> None:
    placeholder = "x" * (len(raw) - 4) + ".png"
    data = zip_bytes({placeholder: PHOTO}).replace(placeholder.encode(), raw)
    assert names(open_zip(data)) == [shown]


@pytest.mark.parametrize("raw", [b"\xe1\xa9", b"\xff\xfe", b"\xc3\x28", b"\xed\xa0"])
def test_a_name_in_bad_utf8_is_repaired_and_spoils_no_other(open_zip: Open, raw: bytes) -> None:
    """The flag says UTF-8, and it is not."""
    data = zip_bytes({"é.png": PHOTO, "good.png": photo_png(5, 5)})
    archive = open_zip(data.replace("é".encode(), raw))
    found = {entry.name: archive.read(index) for index, entry in enumerate(archive.entries)}
    assert found == {"good.png": photo_png(5, 5), f"{raw.decode('cp437')}.png": PHOTO}
    assert archive.skipped == ()


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("__MACOSX/._photo.png", "hidden"),
        ("a/.cache/photo.png", "hidden"),
        (".DS_Store", "hidden"),
        ("a/Thumbs.db", "hidden"),
        ("desktop.ini", "hidden"),
        ("notes.txt", "not_an_image"),
        ("photo.HEIC", "not_an_image"),
        ("/etc/photo.png", "unsafe_name"),
        ("../photo.png", "unsafe_name"),
        ("a/../../photo.png", "unsafe_name"),
        ("..\\photo.png", "unsafe_name"),
        ("C:\\photo.png", "unsafe_name"),
        ("c:photo.png", "unsafe_name"),
        ("\\\\server\\photo.png", "unsafe_name"),
    ],
)
def test_files_that_are_no_image_are_skipped(open_zip: Open, name: str, code: str) -> None:
    archive = open_zip(zip_bytes({name: PHOTO, "good.png": PHOTO}))
    assert names(archive) == ["good.png"]
    assert list(skipped(archive).values()) == [code]
    assert archive.skipped[0].reason.endswith(".")


@pytest.mark.parametrize("control", ["\n", "\x1b", "\x7f", "\x85", "\x00"])
def test_control_characters_in_names_are_skipped_and_not_shown(open_zip: Open, control: str) -> None:
    raw = control.encode()
    placeholder = "#" * len(raw)
    data = zip_bytes({f"a{placeholder}.png": PHOTO, "good.png": PHOTO}).replace(placeholder.encode(), raw)
    archive = open_zip(data)
    assert names(archive) == ["good.png"]
    assert skipped(archive) == {"a\ufffd.png": "unsafe_name"}


def test_folders_are_neither_entries_nor_skipped(open_zip: Open) -> None:
    archive = open_zip(zip_bytes({"a/": b"", "a.png/": b"", "b\\": b"", "a/x.png": PHOTO}))
    assert names(archive) == ["a/x.png"]
    assert archive.skipped == ()


HEADER_FAULTS = ["wrong checksum of the header", "zero width", "bit depth 3", "signature only", "text", "empty"]


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("fault", HEADER_FAULTS)
def test_broken_header_is_skipped_with_its_reason(open_zip: Open, fault: str, compression: int) -> None:
    archive = open_zip(zip_bytes({"bad.png": BROKEN_PNGS[fault], "good.png": PHOTO}, compression))
    assert (names(archive), skipped(archive)) == (["good.png"], {"bad.png": "image_invalid"})


def test_damage_behind_the_header_does_not_hide_the_image(open_zip: Open) -> None:
    assert names(open_zip(zip_bytes({"bad.png": BROKEN_PNGS["too few rows"]}))) == ["bad.png"]


def test_too_many_pixels(open_zip: Open) -> None:
    archive = open_zip(zip_bytes({"big.png": photo_png(41, 30), "good.png": PHOTO}), max_pixels=1200)
    assert (names(archive), skipped(archive)) == (["good.png"], {"big.png": "image_too_large"})


def test_too_large_entry(open_zip: Open) -> None:
    archive = open_zip(zip_bytes({"big.png": photo_png(60, 60), "good.png": PHOTO}), max_entry_bytes=len(PHOTO))
    assert (names(archive), skipped(archive)) == (["good.png"], {"big.png": "entry_too_large"})


def test_ratio_limit_holds_from_1_mib(open_zip: Open) -> None:
    def padded(size: int) -> bytes:
        return PHOTO + bytes(size - len(PHOTO))

    data = zip_bytes({"small.png": padded(MIB), "bomb.png": padded(MIB + 1)})
    archive = open_zip(data, max_compression_ratio=50)
    assert (names(archive), skipped(archive)) == (["small.png"], {"bomb.png": "suspicious_ratio"})


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_rare_compression_is_skipped(open_zip: Open, compression: int) -> None:
    with pytest.raises(ArchiveEmpty, match="1 unsupported compression"):
        open_zip(zip_bytes({"a.png": PHOTO}, compression))


def test_encrypted_files_are_skipped_while_others_can_be_read(open_zip: Open) -> None:
    def edit(info: zipfile.ZipInfo) -> None:
        if info.filename == "secret.png":
            encrypted(info)

    archive = open_zip(zip_bytes({"secret.png": PHOTO, "open.png": PHOTO}, edit=edit))
    assert (names(archive), skipped(archive)) == (["open.png"], {"secret.png": "encrypted"})


WHOLE = zip_bytes({"a.png": PHOTO, "b.png": PHOTO}, zipfile.ZIP_STORED)


@pytest.mark.parametrize(
    ("data", "error", "sentence"),
    [
        (b"", NotAZip, "not a ZIP"),
        (b"hello", NotAZip, "not a ZIP"),
        (PHOTO, NotAZip, "not a ZIP"),
        (b"\x1f\x8b" + bytes(100), ArchiveError, "damaged"),
        (WHOLE[:100], ArchiveTruncated, "ends too early"),
        (WHOLE[:-30], ArchiveTruncated, "ends too early"),
        (WHOLE[:-1], ArchiveTruncated, "ends too early"),
        (WHOLE.replace(b"PK\x01\x02", b"PK\x01\x99"), ArchiveError, "damaged"),
        (zip_bytes({}), ArchiveEmpty, "is empty"),
        (zip_bytes({"a/": b""}), ArchiveEmpty, "is empty"),
        (zip_bytes({"a.txt": b"", "b.doc": b"", ".c": b""}), ArchiveEmpty, "2 not an image, 1 hidden"),
        (zip_bytes({"a.png": b"text"}), ArchiveEmpty, "1 image invalid"),
        (zip_bytes({"a.png": PHOTO, "b.txt": b""}, edit=encrypted), ArchiveEncrypted, "password"),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_archives_that_hold_nothing_to_show(open_zip: Open, data: bytes, error: type[AppError], sentence: str) -> None:
    with pytest.raises(error, match=sentence) as caught:
        open_zip(data)
    assert type(caught.value) is error


@pytest.mark.parametrize(
    "limits", [{"max_entries": 2}, {"max_total_bytes": 3 * len(PHOTO) - 1}], ids=lambda limits: next(iter(limits))
)
def test_limits_of_the_whole_archive(open_zip: Open, limits: dict[str, int]) -> None:
    data = zip_bytes({"a.png": PHOTO, "b.png": PHOTO, "c.txt": PHOTO})
    with pytest.raises(LimitExceeded, match=f"{next(iter(limits.values())):,}|MiB"):
        open_zip(data, **limits)
    assert len(open_zip(data, **{name: value + 1 for name, value in limits.items()}).entries) == 2


def test_endless_directory_is_refused_unread(open_zip: Open) -> None:
    comments = zip_bytes({"a.png": PHOTO, "b.png": PHOTO}, edit=lambda info: setattr(info, "comment", bytes(60_000)))
    with pytest.raises(LimitExceeded, match="list of files"):
        open_zip(comments, max_entries=234)
    assert len(open_zip(comments, max_entries=235).entries) == 2


def test_file_after_other_bytes_is_read(open_zip: Open) -> None:
    """A self-extracting archive: a program, then the ZIP."""
    assert open_zip(b"MZ program" * 50 + WHOLE).read(1) == PHOTO


def test_what_is_left_of_a_torn_archive_is_read(open_zip: Open) -> None:
    archive = open_zip(WHOLE[:200] + WHOLE[600:])
    assert (names(archive), skipped(archive)) == (["b.png"], {"a.png": "image_invalid"})
    assert archive.read(0) == PHOTO


LIES: dict[str, Callable[[zipfile.ZipInfo], None]] = {
    "smaller": lambda info: setattr(info, "file_size", info.file_size - 1),
    "larger": lambda info: setattr(info, "file_size", info.file_size + 1),
    "nothing": lambda info: setattr(info, "file_size", 0),
    "compressed smaller": lambda info: setattr(info, "compress_size", info.compress_size - 9),
    "another checksum": lambda info: setattr(info, "CRC", 1),
    "stored": lambda info: setattr(info, "compress_type", zipfile.ZIP_STORED),
    "deflated": lambda info: setattr(info, "compress_type", zipfile.ZIP_DEFLATED),
    "shifted": lambda info: setattr(info, "header_offset", info.header_offset + 1),
    "far away": lambda info: setattr(info, "header_offset", 2**31),
    "huge": lambda info: setattr(info, "compress_size", 2**31),
}


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("lie", LIES)
def test_false_directory_never_gives_false_bytes(open_zip: Open, lie: str, compression: int) -> None:
    def edit(info: zipfile.ZipInfo) -> None:
        if info.filename == "b.png":
            LIES[lie](info)

    archive = open_zip(zip_bytes({"a.png": PHOTO, "b.png": PHOTO}, compression, edit))
    assert archive.read(0) == PHOTO
    for index in range(1, len(archive.entries)):
        is_true = LIES[lie] in (LIES["stored"], LIES["deflated"]) and archive.read(index) == PHOTO
        if not is_true:
            with pytest.raises(ImageError):
                archive.read(index)


def test_bomb_that_states_a_small_size_is_not_unpacked(open_zip: Open) -> None:
    archive = open_zip(zip_bytes({"bomb.png": PHOTO + bytes(20 * MIB)}, edit=LIES["nothing"]))
    tracemalloc.start()
    with pytest.raises(ImageError):
        archive.read(0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < MIB


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_damaged_archives_give_errors_of_the_product_only(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    damaged = bytearray(WHOLE)
    for _ in range(data.draw(st.integers(1, 6))):
        # Mostly the directory at the end: that is what opening reads.
        position = data.draw(st.integers(1, 150) | st.integers(1, len(damaged)))
        damaged[-position] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "damaged.zip"
    path.write_bytes(damaged[: data.draw(st.integers(len(damaged) // 2, 2 * len(damaged)))])
    try:
        with open_source(path, Settings()) as archive:
            for index, entry in enumerate(archive.entries):
                try:
                    content = archive.read(index)
                except ImageError:
                    continue
                assert len(content) == entry.file_size
    except ArchiveError:
        pass


def test_many_threads_read_at_once(open_zip: Open) -> None:
    files = {f"{number}.png": photo_png(60, 60, seed=number) for number in range(20)}
    archive = open_zip(zip_bytes(files))
    order = list(range(20)) * 10
    with ThreadPoolExecutor(8) as pool:
        contents = list(pool.map(archive.read, order))
    assert contents == [files[f"{number}.png"] for number in order]


def test_nothing_is_written_beside_the_archive(open_zip: Open, tmp_path: Path) -> None:
    open_zip(zip_bytes({"a/b.png": PHOTO, "../c.png": PHOTO})).read(0)
    assert [path.name for path in tmp_path.iterdir()] == ["0.zip"]


def test_closed_archive_reads_nothing(open_zip: Open) -> None:
    with open_zip(WHOLE) as archive:
        assert archive.read(0) == PHOTO
    with pytest.raises(ValueError, match="closed"):
        archive.read(0)


def test_opening_reads_headers_and_never_whole_images(open_zip: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted: list[int] = []
    read = os.pread

    def counted(descriptor: int, size: int, offset: int) -> bytes:
        wanted.append(size)
        return read(descriptor, size, offset)

    monkeypatch.setattr(os, "pread", counted)
    image = photo_png(100, 100)
    archive = open_zip(zip_bytes({f"{number}.png": image for number in range(50)}, zipfile.ZIP_STORED))
    assert len(archive.entries) == 50
    assert sum(wanted) < 50 * 2000 < 50 * len(image) / 10


def test_zip64_archive_is_read(open_zip: Open) -> None:
    """The end record of an archive of more than 65,535 files refers to a second, wider one."""
    plain = zip_bytes({"a.png": PHOTO})
    end = len(plain) - 22
    size, offset = struct.unpack_from("<II", plain, end + 12)
    wide = struct.pack("<4sQHHIIQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, 1, 1, size, offset)
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, end, 1)
    narrow = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    assert open_zip(plain[:end] + wide + locator + narrow).read(0) == PHOTO
