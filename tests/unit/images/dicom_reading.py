"""How the tests of DICOM read a file."""

from __future__ import annotations

from typing import Any

import numpy as np

from core.images import pixels
from core.images.formats.dicom import FORMAT
from core.images.formats.format import ImageHeader, InMemory

MAX_PIXELS = 1_000_000


def decoded(data: bytes, frame: int = 0) -> np.ndarray[Any, Any]:
    return FORMAT.decode(InMemory(data), frame, max_pixels=MAX_PIXELS)


def shown(data: bytes, frame: int = 0) -> np.ndarray[Any, Any]:
    header = list(FORMAT.read_headers(InMemory(data)))[frame]
    return pixels.shown(decoded(data, frame), header)[..., 0]


def decoded_header(data: bytes) -> ImageHeader:
    (header,) = FORMAT.read_headers(InMemory(data))
    return header
