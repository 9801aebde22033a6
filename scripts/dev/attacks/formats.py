"""Attacks by formats that hold many images, and by archives and forms that never end."""

from __future__ import annotations

import gzip
import io
import select
import struct
import tarfile
import time
import zipfile

import imagecodecs
import numpy as np

from scripts.dev.attacks.images import beside
from scripts.dev.attacks.registry import TIMEOUT_SECONDS, AttackOutcome, Target, attack
from scripts.dev.attacks.uploads import session_from

_SIDE, _PAGES, _FRAMES = 10_000, 2_000, 40
_REFUSED_SECONDS = 10.0
_AT_ONCE = 1_000
_ATTACKER = "127.0.3.1"
_FORM = "the-end-of-a-part"


def black_tiff(pages: int) -> bytes:
    """Pages of 100 megapixels of 16 bits, all made of the same strip of a few kilobytes."""
    strip = bytes(imagecodecs.zstd_encode(bytes(2 * _SIDE * _SIDE), level=1))
    data = [b"II*\0" + struct.pack("<L", 8 + len(strip) + len(strip) % 2) + strip + b"\0" * (len(strip) % 2)]
    position = len(data[0])
    for page in range(pages):
        tags = ((256, _SIDE), (257, _SIDE), (258, 16), (259, 50000), (262, 1), (273, 8), (277, 1), (278, _SIDE),
                (279, len(strip)))  # fmt: skip
        position += 2 + 12 * len(tags) + 4
        entries = b"".join(struct.pack("<HHLL", tag, 4, 1, value) for tag, value in tags)
        data.append(struct.pack("<H", len(tags)) + entries + struct.pack("<L", position * (page + 1 < pages)))
    return b"".join(data)


def black_dicom(frames: int) -> bytes:
    """Frames of 100 megapixels of 8 bits, as JPEG-LS of a few kilobytes each."""
    packed = bytes(imagecodecs.jpegls_encode(np.zeros((_SIDE, _SIDE), np.uint8)))
    packed += b"\0" * (len(packed) % 2)
    item = struct.pack("<HHL", 0xFFFE, 0xE000, len(packed)) + packed
    numbers = b"".join(
        struct.pack("<HH2sHH", 0x28, element, b"US", 2, value)
        for element, value in ((2, 1), (0x10, _SIDE), (0x11, _SIDE), (0x100, 8), (0x101, 8), (0x102, 7), (0x103, 0))
    )
    count = f"{frames} "[: 2 * (len(f"{frames} ") // 2)].encode()
    texts = b"".join(
        struct.pack("<HH2sH", 0x28, element, kind, len(value)) + value
        for element, kind, value in ((4, b"CS", b"MONOCHROME2 "), (8, b"IS", count))
    )
    syntax = b"1.2.840.10008.1.2.4.80"
    head = bytes(128) + b"DICM" + struct.pack("<HH2sH", 2, 0x10, b"UI", len(syntax)) + syntax
    pixels = struct.pack("<HH2sHL", 0x7FE0, 0x10, b"OB", 0, 0xFFFFFFFF) + struct.pack("<HHL", 0xFFFE, 0xE000, 0)
    return head + numbers + texts + pixels + item * frames + struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)


def packed_as(name: str, data: bytes) -> bytes:
    """A ZIP with one file."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as files:
        files.writestr(name, data)
    return archive.getvalue()


@attack("huge pages", f"a TIFF of {_PAGES:,} pages of 100 megapixels; thumbnails and windows asked for and hung up")
def huge_pages(target: Target) -> AttackOutcome:
    """All of one strip."""
    paths = [f"/images/{number}/thumbnail" for number in range(6)]
    paths += [f"/images/{number}/display?low=1&high=9" for number in range(6, 12)]
    return beside(target, packed_as("a.tif", black_tiff(_PAGES)), paths, hang_up_after=0.5)


@attack("huge frames", f"a DICOM file of {_FRAMES} frames of 100 megapixels; thumbnails asked for and hung up")
def huge_frames(target: Target) -> AttackOutcome:
    """Without an ending, too, so that its content has to tell."""
    paths = [f"/images/{number}/thumbnail" for number in range(12)]
    return beside(target, packed_as("IM0001", black_dicom(_FRAMES)), paths, hang_up_after=0.5)


@attack("bottomless TAR", "a compressed TAR of a few megabytes that unfolds to gigabytes")
def bottomless_tar(target: Target) -> AttackOutcome:
    """Of zeros that are said to be an image."""
    header = tarfile.TarInfo("a.png")
    header.size = 8_000_000_000
    zeros = gzip.compress(bytes(16_000_000))
    body = gzip.compress(header.tobuf(tarfile.GNU_FORMAT)) + zeros * 200  # gzip's members follow each other
    with session_from(_ATTACKER) as session:
        started = time.monotonic()
        answer = session.post(
            f"{target.address}/api/v1/stacks?name=a.tar.gz",
            data=body,
            headers={"Content-Type": "application/gzip"},
            timeout=TIMEOUT_SECONDS,
        )
    seconds = time.monotonic() - started
    return AttackOutcome(
        400 <= answer.status_code < 500 and seconds <= _REFUSED_SECONDS,
        f"answer {answer.status_code} in {seconds:.1f} s",
    )


@attack("endless form", "a form of files without bytes, sent until somebody says no")
def endless_form(target: Target) -> AttackOutcome:
    """How many are taken before there is an answer."""
    head = (
        f"POST /api/v1/stacks HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary={_FORM}\r\n"
        "Transfer-Encoding: chunked\r\n\r\n"
    )
    part = f'--{_FORM}\r\nContent-Disposition: form-data; name="file"; filename="{{}}"\r\n\r\n\r\n'
    sent, started, answer = 0, time.monotonic(), b""
    with target.connect(_ATTACKER) as connection:
        connection.sendall(head.encode())
        while not answer and time.monotonic() - started < _REFUSED_SECONDS:
            body = "".join(part.format(number) for number in range(sent, sent + _AT_ONCE)).encode()
            connection.sendall(b"%x\r\n%s\r\n" % (len(body), body))
            sent += _AT_ONCE
            if select.select([connection], [], [], 0)[0]:
                answer = connection.recv(100)
    seconds, code = time.monotonic() - started, answer[9:12].decode() or "none"
    return AttackOutcome(code.startswith("4"), f"answer {code} after {sent:,} files in {seconds:.1f} s")
