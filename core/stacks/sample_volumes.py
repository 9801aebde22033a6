"""Volumes for the sample stack, made in code: a microscope's TIFF of fluorescent beads, and a CT scan of a phantom.

The scan is written as scanners do: files without an ending, whose names go the other way than their positions.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

CHANNELS, PLANES = 2, 6  # of the TIFF
SLICES = 12  # of the scan
_SEED = 7

_BEADS_SIDE, _BEADS, _MAX_12_BIT = 256, 60, 4095
_SHARPEST, _BLUR_PER_PLANE = 1.6, 1.5  # standard deviations of a bead, in pixels

_SCAN_SIDE, _INTERCEPT, _NOISE = 192, -1024, 12.0
_PIXEL_MM, _SLICE_MM = 1.9, 12.0
_AIR = -1000.0
_UUID = 0x6F1C2A90_5B1E_4D0A_9C57_2E4B8A7D1000  # of the first of its names
# Ellipsoids, each within those before it: Hounsfield units; centre and half axes as shares of half the volume.
_BODY = (
    (-100, (0, 0, 0), (0.92, 0.66, 2)),  # fat
    (40, (0, 0.02, 0), (0.86, 0.58, 2)),  # muscle
    (-820, (-0.42, -0.05, 0), (0.30, 0.44, 1.1)),  # lungs
    (-820, (0.42, -0.05, 0), (0.32, 0.44, 1.1)),
    (65, (0.1, -0.15, 0.1), (0.26, 0.24, 0.7)),  # heart
    (180, (0.02, 0.22, 0), (0.07, 0.07, 2)),  # aorta, with contrast medium
    (700, (0, 0.42, 0), (0.13, 0.10, 2)),  # spine
    (30, (0, 0.42, 0), (0.05, 0.04, 2)),
    (600, (0, -0.52, 0), (0.12, 0.04, 2)),  # breastbone
    (120, (-0.45, 0.12, 0.3), (0.06, 0.06, 0.25)),  # a nodule in a lung
)


def beads() -> bytes:
    """A TIFF of 16-bit grey pages, channel by channel within each plane, as ImageJ names them."""
    random = np.random.default_rng(_SEED)
    place = random.uniform(10, _BEADS_SIDE - 10, (_BEADS, 2))
    depth = random.uniform(0, PLANES - 1, _BEADS)
    light = random.uniform(0.4, 1, (_BEADS, CHANNELS)) * random.integers(0, 2, (_BEADS, CHANNELS))
    pages = []
    for plane in range(PLANES):
        blur = _SHARPEST + _BLUR_PER_PLANE * np.abs(depth - plane)
        # A bead is as wide as it is high, so that its picture is one of a column times one of a row.
        rows, columns = (np.exp(-(((np.arange(_BEADS_SIDE) - place[:, axis, None]) / blur[:, None]) ** 2) / 2)
                         for axis in (1, 0))  # fmt: skip
        for channel in range(CHANNELS):
            seen = np.einsum("b,br,bc->rc", light[:, channel] * (_SHARPEST / blur) ** 2, rows, columns)
            counts = 120 + 3600 * seen + random.normal(0, 12, seen.shape)
            pages.append(Image.fromarray(counts.clip(0, _MAX_12_BIT).astype(np.uint16)))
    said = f"ImageJ=1.11a\nimages={len(pages)}\nchannels={CHANNELS}\nslices={PLANES}\nhyperstack=true\nmode=grayscale\n"
    buffer = io.BytesIO()
    pages[0].save(buffer, "TIFF", save_all=True, append_images=pages[1:], tiffinfo={270: said})
    return buffer.getvalue()


def scan() -> Iterator[tuple[str, bytes]]:
    """Name and DICOM file of each slice, in the order of their names."""
    random = np.random.default_rng(_SEED)
    for number in range(1, SLICES + 1):
        height = 1 - 2 * (number - 0.5) / SLICES  # from 1, the top, to -1
        hounsfield = _slice(height) + random.normal(0, _NOISE, (_SCAN_SIDE, _SCAN_SIDE))
        stored = (hounsfield - _INTERCEPT).clip(0, _MAX_12_BIT).astype("<u2")
        yield f"IM{number:04}", ct_image(stored, number, -number * _SLICE_MM)


def _slice(height: float) -> NDArray[np.float64]:
    across = (np.arange(_SCAN_SIDE) + 0.5) / _SCAN_SIDE * 2 - 1
    y, x = np.meshgrid(across, across, indexing="ij")
    found = np.full((_SCAN_SIDE, _SCAN_SIDE), _AIR)
    for value, (left, top, up), (width, depth, length) in _BODY:
        inside = ((x - left) / width) ** 2 + ((y - top) / depth) ** 2 + ((height - up) / length) ** 2 <= 1
        found[inside] = value
    return found


def ct_image(stored: NDArray[np.uint16], number: int, position: float) -> bytes:
    """A DICOM file of a slice of nobody: 12 bits ``[H, W]``, and how far along it lies, in mm (PS3.5, PS3.10)."""
    ct_image = "1.2.840.10008.5.1.4.1.1.2"
    rows, columns = stored.shape
    meta: list[tuple[int, str, str | int | bytes]] = [
        (0x20001, "OB", b"\0\1"), (0x20002, "UI", ct_image), (0x20003, "UI", _uid(3 + number)),
        (0x20010, "UI", "1.2.840.10008.1.2.1"), (0x20012, "UI", _uid(0)),
    ]  # fmt: skip
    data: list[tuple[int, str, str | int | bytes]] = [
        (0x80008, "CS", "DERIVED\\SECONDARY\\AXIAL"), (0x80016, "UI", ct_image), (0x80018, "UI", _uid(3 + number)),
        (0x80020, "DA", ""), (0x80030, "TM", ""), (0x80050, "SH", ""), (0x80060, "CS", "CT"), (0x80070, "LO", ""),
        (0x80090, "PN", ""), (0x100010, "PN", ""), (0x100020, "LO", ""), (0x100030, "DA", ""), (0x100040, "CS", ""),
        (0x20000D, "UI", _uid(1)), (0x20000E, "UI", _uid(2)), (0x200010, "SH", ""), (0x200011, "IS", "1"),
        (0x200013, "IS", str(number)), (0x200032, "DS", f"0\\0\\{position}"), (0x200037, "DS", "1\\0\\0\\0\\1\\0"),
        (0x200052, "UI", _uid(3)), (0x280002, "US", 1), (0x280004, "CS", "MONOCHROME2"), (0x280010, "US", rows),
        (0x280011, "US", columns), (0x280030, "DS", f"{_PIXEL_MM}\\{_PIXEL_MM}"), (0x280100, "US", 16),
        (0x280101, "US", 12), (0x280102, "US", 11), (0x280103, "US", 0), (0x281050, "DS", "40\\-600"),
        (0x281051, "DS", "400\\1500"), (0x281052, "DS", str(_INTERCEPT)), (0x281053, "DS", "1"), (0x281054, "LO", "HU"),
        (0x7FE00010, "OW", stored.tobytes()),
    ]  # fmt: skip
    described = b"".join(_element(*one) for one in meta)
    size = _element(0x20000, "UL", struct.pack("<L", len(described)))
    return bytes(128) + b"DICM" + size + described + b"".join(_element(*one) for one in data)


def _uid(number: int) -> str:
    """One that nobody else has (PS3.5, B.2)."""
    return f"2.25.{_UUID + number}"


def _element(tag: int, kind: str, value: str | int | bytes) -> bytes:
    if isinstance(value, str):
        value = value.encode("ascii")
    elif isinstance(value, int):
        value = struct.pack("<H", value)
    if len(value) % 2:
        value += b"\0" if kind in ("UI", "OB") else b" "
    head = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, kind.encode())
    if kind in ("OB", "OW"):
        return head + struct.pack("<HL", 0, len(value)) + value
    return head + struct.pack("<H", len(value)) + value
