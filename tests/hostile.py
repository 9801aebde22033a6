"""ZIP archives made to do harm, each small: what a directory can claim, and what names can pretend."""

from __future__ import annotations

import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable
from unittest import mock

from tests.builders import photo_png, zip_bytes

PHOTO = photo_png(3, 2)


def directory_entry(name: bytes = b"", offset: int = 0, content: bytes = b"") -> bytes:
    """One file in a central directory (PKWARE APPNOTE.TXT, 4.3.12), stored, with its local header at ``offset``."""
    size = len(content)
    numbers = (20, 20, 0, 0, 0, 0, zlib.crc32(content), size, size, len(name), 0, 0, 0, 0, 0, offset)
    return struct.pack("<4s6H3L5H2L", b"PK\x01\x02", *numbers) + name


def directory_of(entries: Iterable[bytes], before: bytes = b"", claimed: int = 1) -> bytes:
    """``before``, then a central directory, then its end record, which claims any number of files."""
    directory = b"".join(entries)
    return before + directory + end_record(len(directory), len(before), claimed)


def end_record(directory_bytes: int, offset: int, claimed: int = 1, part: int = 0) -> bytes:
    """The end of a ZIP (4.3.16): where its central directory is, and how many files it is said to list."""
    return struct.pack("<4s4H2LH", b"PK\x05\x06", part, part, claimed, claimed, directory_bytes, offset, 0)


def zip64_end(directory_bytes: int, offset: int, at: int, parts: int = 1) -> bytes:
    """The three records that end a ZIP64 (4.3.14 to 4.3.16) of some parts, for one whose directory ends at ``at``."""
    wide = struct.pack("<4sQHHIIQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, 1, 1, directory_bytes, offset)
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, at, parts)
    return wide + locator + end_record(0xFFFFFFFF, 0xFFFFFFFF, 0xFFFF)


def zip64_bytes(files: dict[str, bytes], edit: Callable[[zipfile.ZipInfo], None] | None = None) -> bytes:
    """A ZIP that gives every size and offset in its ZIP64 form, however small."""
    with mock.patch.object(zipfile, "ZIP64_LIMIT", 0), mock.patch.object(zipfile, "ZIP_FILECOUNT_LIMIT", 0):
        return zip_bytes(files, zipfile.ZIP_STORED, edit)


def local_file(name: str, content: bytes = PHOTO) -> bytes:
    """A file as it stands in an archive, stored, before any directory."""
    whole = zip_bytes({name: content}, zipfile.ZIP_STORED)
    return whole[: whole.index(b"PK\x01\x02")]


def same_bytes_many_times(files: int, content: bytes = PHOTO) -> bytes:
    """A directory whose files are all one: it would multiply the work of one image by any number."""
    entries = (directory_entry(b"%d.png" % number, 0, content) for number in range(files))
    return directory_of(entries, local_file("0.png", content))


def one_data_block(files: int) -> bytes:
    """Local headers in a row, each with an extra field that reaches to the one image behind them all."""
    local = local_file("000.png")
    header_bytes = len(local) - len(PHOTO)
    stride = len(local)  # so that by the list alone no file seems to reach into the next
    body = bytearray(files * stride)
    for number in range(files):
        start = number * stride
        extra = len(body) - start - header_bytes
        body[start : start + header_bytes] = local[:28] + struct.pack("<H", extra) + b"%03d.png" % number
    entries = (directory_entry(b"%03d.png" % number, number * stride, PHOTO) for number in range(files))
    return directory_of(entries, bytes(body) + PHOTO)


def quoted_overlap(files: int) -> bytes:
    """Each file's stored data goes on over all files after it, headers included (Fifield, 2019); at most 10 files."""
    local = [local_file(f"{number}.png") for number in range(files)]
    body, header_bytes = b"".join(local), len(local[0]) - len(PHOTO)
    starts = [number * len(local[0]) for number in range(files)]
    return directory_of(
        (directory_entry(b"%d.png" % n, start, body[start + header_bytes :]) for n, start in enumerate(starts)), body
    )


def special_file(kind: int) -> Callable[[zipfile.ZipInfo], None]:
    """An ``edit`` for ``zip_bytes``: mark the file as a link or a device, as Unix programs do."""

    def edit(info: zipfile.ZipInfo) -> None:
        if info.filename != "good.png":
            info.create_system = 3
            info.external_attr = (kind | 0o777) << 16

    return edit


SPECIAL_FILES = {
    "symbolic link": stat.S_IFLNK,
    "character device": stat.S_IFCHR,
    "block device": stat.S_IFBLK,
    "pipe": stat.S_IFIFO,
    "socket": stat.S_IFSOCK,
}
UNSAFE_NAMES = (
    "../../escaped.png",
    "/tmp/escaped.png",
    "a/../../escaped.png",
    "..\\escaped.png",
    "C:\\escaped.png",
    "\\\\server\\share\\escaped.png",
    "photo\u202egnp.png",
)
# Windows opens a device for each of these, in whatever folder.
DEVICE_NAMES = ("CON.png", "nul.png", "AUX.png", "COM1.png", "lpt9.png", "a/PRN.png")
# Parts of archives in several, as zip -s and others make them.
PARTS = {
    "the first, with its mark": b"PK\x07\x08" + local_file("a.png"),
    "the last": PHOTO + directory_entry(b"a.png") + end_record(51, 0, part=2),
    "the last, with ZIP64": zip64_end(100, 0, 0, parts=3),
}
# Each is refused as a whole.
REFUSED_ARCHIVES = {
    **PARTS,
    "no bytes": b"",
    "no files": zip_bytes({}),
    "only folders": zip_bytes({"a/": b"", "b/c/": b""}),
    "only unsafe names": zip_bytes(dict.fromkeys(UNSAFE_NAMES, PHOTO)),
    "a nested archive": zip_bytes({"inner.zip": zip_bytes({"a.png": PHOTO})}),
    "a nested archive posing as an image": zip_bytes({"inner.png": zip_bytes({"a.png": PHOTO})}),
    "links only": zip_bytes({"link.png": b"/etc/passwd"}, edit=special_file(stat.S_IFLNK)),
    "an endless directory": end_record(0xFFFFFFFE, 0),
    "an endless ZIP64 directory": zip64_end(2**62, 0, 0),
    "a directory before the start": end_record(100, 0) + b"x",
    "terabytes": zip_bytes({"a.png": PHOTO}, edit=lambda info: setattr(info, "file_size", 2**43)),
    "no name": directory_of([directory_entry()]),
    "too many files": directory_of([directory_entry()] * 20_001),
}
