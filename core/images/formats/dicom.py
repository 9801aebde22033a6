"""DICOM: grey images with their true values (Hounsfield units of CT), and colour ones; each frame of a file.

Elements are read here: only those that pixels need, within limits, and what identifies a patient by nobody but
``read_people``, which is asked only where that is allowed. imagecodecs
unpacks what is compressed, after its own header was compared with the file's. pydicom is the judge in the tests.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator

import numpy as np

from core.base.errors import ImageError
from core.images.formats import _dicom_parts as parts
from core.images.formats._dicom_frame import header_of, meaning_of, palette_of, read_layout
from core.images.formats._dicom_people import read_people
from core.images.formats._dicom_pixels import check_transfer, find_parts, read_samples
from core.images.formats._remembered import Remembered
from core.images.formats.format import Fact, FileReader, ImageHeader, Pixels, Size, check_size

_DATASETS: Remembered[parts.Dataset] = Remembered()
_PIECES: Remembered[array[int]] = Remembered()


class Dicom:
    """DICOM as one of the formats."""

    name = "DICOM"
    extensions = (".dcm", ".dicom", ".ima")
    media_type = "application/dicom"
    head_bytes = parts.PREAMBLE + len(parts.MAGIC)
    reads_parts = True
    names_people = True

    def matches(self, head: bytes) -> bool:
        """See ``ImageFormat.matches``."""
        return parts.matches(head)

    def read_headers(self, file: FileReader) -> Iterator[ImageHeader]:
        """See ``ImageFormat.read_headers``."""
        dataset = parts.read_dataset(file)
        layout = read_layout(dataset)
        check_transfer(dataset, layout, file)
        if layout.photometric == "PALETTE COLOR":
            palette_of(dataset)
        for frame in range(layout.frames):
            yield header_of(dataset, layout, frame)

    def decode(self, file: FileReader, frame: int = 0, *, max_pixels: int, at_least: Size | None = None) -> Pixels:
        """See ``ImageFormat.decode``; always the full size. Grey values are those that the modality means."""
        dataset = _DATASETS.get(file.key, lambda: parts.read_dataset(file))
        layout = read_layout(dataset)
        check_transfer(dataset, layout, file)
        if not 0 <= frame < layout.frames:
            raise ImageError(parts.DAMAGED)
        header = header_of(dataset, layout, frame)
        check_size(header, max_pixels)
        pieces = _PIECES.get(file.key, lambda: find_parts(dataset, layout, file))
        samples = read_samples(dataset, layout, file, pieces, frame)
        if header.color == "grey":
            return meaning_of(dataset, layout, frame).apply(samples, header.dtype)
        if header.color == "palette":
            first, colours = palette_of(dataset)
            palette: Pixels = colours[np.clip(samples[..., 0].astype(np.int32) - first, 0, len(colours) - 1)]
            return palette
        return samples.astype(header.dtype, copy=False)

    def read_people(self, file: FileReader) -> tuple[Fact, ...]:
        """See ``FormatOfPeople.read_people``."""
        return read_people(file)


FORMAT = Dicom()
