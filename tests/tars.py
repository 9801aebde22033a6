"""TARs of any make, for the tests: whole ones by Python's own module, and headers by hand that lie as they like."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Literal

from core.stacks.sources._decompress import zstd
from tests.builders import photo_png

PHOTO = photo_png()
END = bytes(1024)
Compressed = Literal["", "gz", "bz2", "xz", "zst"]
_PACK = {
    "": bytes,
    "gz": partial(gzip.compress, mtime=0),
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": zstd.compress,
}


def tar_bytes(
    files: Mapping[str, bytes] | Iterable[tuple[str, bytes]],
    compressed: Compressed = "",
    tar_format: int = tarfile.PAX_FORMAT,
) -> bytes:
    """A TAR of these files; a name that ends with ``/`` is a folder."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tar_format) as archive:
        for name, data in dict(files).items() if isinstance(files, Mapping) else files:
            member = tarfile.TarInfo(name)
            if name.endswith("/"):
                member.type = tarfile.DIRTYPE
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return _PACK[compressed](packed.getvalue())


def header(
    name: bytes = b"a.png",
    size: int | bytes = 0,
    kind: bytes = b"0",
    *,
    magic: bytes = b"ustar\x0000",
    prefix: bytes = b"",
    checksum: bytes | None = None,
) -> bytes:
    """One header of 512 bytes; ``size`` as a number, or the bytes of the field."""
    field = size if isinstance(size, bytes) else b"%011o\0" % size
    head = name.ljust(100, b"\0") + b"0000644\0" + 2 * b"0000000\0" + field.ljust(12, b"\0") + b"00000000000\0"
    tail = kind + bytes(100) + magic + bytes(80) + prefix.ljust(155, b"\0") + bytes(12)
    computed = b"%06o\0 " % (sum(head) + sum(tail) + 8 * 32)
    return head + (computed if checksum is None else checksum) + tail


def padded(data: bytes) -> bytes:
    """Filled up to whole blocks."""
    return data + bytes(-len(data) % 512)


def member(name: bytes = b"a.png", data: bytes = PHOTO, kind: bytes = b"0") -> bytes:
    """A header and what belongs to it."""
    return header(name, len(data), kind) + padded(data)


def record(key: bytes, value: bytes) -> bytes:
    """One record of a pax header, with the length that includes its own digits."""
    rest = b" " + key + b"=" + value + b"\n"
    length = len(rest) + 1
    while length != len(rest) + len(str(length)):
        length = len(rest) + len(str(length))
    return str(length).encode() + rest


def pax(*records: bytes, kind: bytes = b"x") -> bytes:
    """A header that says more of the next file, or with ``kind`` ``g`` of all."""
    return member(b"pax", b"".join(records), kind)
