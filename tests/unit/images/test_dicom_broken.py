"""DICOM that is damaged, cut off, odd or too large is refused or put right, and never comes out as other pixels."""

from __future__ import annotations

import struct
import tracemalloc

import imagecodecs
import numpy as np
import pytest
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
)

from core.base.errors import ImageError, ImageTooLarge
from core.images.formats import format_of
from core.images.formats.dicom import FORMAT
from core.images.formats.format import InMemory
from tests.dicom_files import (
    CT,
    DICOM_KINDS,
    GREY,
    PHOTO,
    dicom,
    palette,
    runs,
)
from tests.unit.images.dicom_reading import MAX_PIXELS, decoded

WHOLE = dicom(CT)
ELEMENT = {"rows": b"\x28\0\x10\0US\2\0", "bits": b"\x28\0\0\1US\2\0", "stored": b"\x28\0\1\1US\2\0",
           "high": b"\x28\0\2\1US\2\0", "samples": b"\x28\0\2\0US\2\0"}  # fmt: skip


def changed(name: str, value: int, data: bytes = WHOLE) -> bytes:
    start = data.rindex(ELEMENT[name]) + 8
    return data[:start] + struct.pack("<H", value) + data[start + 2 :]


BROKEN = {
    "empty": b"",
    "text": b"This is no image, whatever its name says.",
    "preamble alone": bytes(128) + b"DICM",
    "nothing of what it begins with": WHOLE[200:],
    "a palette in segments": palette().replace(b"\x28\0\1\x12OW", b"\x28\0\x21\x12OW"),
    "no image": WHOLE[: WHOLE.index(b"\xe0\x7f\x10\0")] + b"\xfc\xff\xfc\xffOB\0\0\0\0\0\0",
    "no rows": changed("rows", 0),
    "more rows than bytes": changed("rows", 23),
    "65,535 rows": changed("rows", 65535),
    "1 bit": changed("bits", 1),
    "32 bits": changed("bits", 32),
    "no bits": changed("bits", 0),
    "more bits stored than there are": changed("stored", 17),
    "high bit beyond": changed("high", 16),
    "high bit below": changed("high", 3),
    "3 samples of grey": changed("samples", 3),
    "a rare colour": dicom(CT, PhotometricInterpretation="CIELAB"),
    "no photometric": dicom(CT, PhotometricInterpretation=""),
    "more frames than bytes": dicom(CT, NumberOfFrames=9_999_999),
    "no frames": dicom(CT, NumberOfFrames=0),
    "frames that are no number": WHOLE.replace(b"MONOCHROME2 ", b"MONOCHROME2 \x28\0\x08\0IS\4\0 1e9"),
    "a palette of nothing": dicom(GREY, PhotometricInterpretation="PALETTE COLOR"),
    "a palette too short": palette().replace(b"\x01\x12OW\0\0\0\2\0\0", b"\x01\x12OW\0\0\0\1\0\0"),
    "an unknown transfer syntax": WHOLE.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.9.9\0"),
    "deflated that is not": WHOLE.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.1.99"),
    "compressed, but of a length": WHOLE.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.5\0"),
    "RLE that is none": dicom(CT, RLELossless, [b"\2\0\0\0" + bytes(60)]),
    "RLE of too few bytes": dicom(CT, RLELossless, [runs(CT[:9])]),
    "JPEG that is none": dicom(GREY, JPEGBaseline8Bit, [b"\xff\xd8\xff\xd9"]),
    "JPEG of another size": dicom(GREY, JPEGBaseline8Bit, [DICOM_KINDS["JPEG"].data[-2000:]]),
    "JPEG-LS that is none": dicom(CT, JPEGLSLossless, [b"\xff\xd8\xff\xf7" + bytes(40) + b"\xff\xd9"]),
    "JPEG-LS of another size": dicom(CT, JPEGLSLossless, [bytes(imagecodecs.jpegls_encode(CT[:9]))]),
    "JPEG-LS of a size that comes later": dicom(CT, JPEGLSLossless,
        [b"\xff\xd8\xff\xf8\0\5\4\0\0" + bytes(imagecodecs.jpegls_encode(CT))[2:]]),
    "JPEG-LS of floating values": dicom(CT, JPEGLSLossless, [bytes(imagecodecs.jpegls_encode(CT))], BitsAllocated=32),
    "JPEG XL": WHOLE.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.4.110\0"),
    "JPEG 2000 that is none": dicom(CT, JPEG2000Lossless, [b"\xff\x4f\xff\x51" + bytes(60) + b"\xff\xd9"]),
    "circles of sequences": WHOLE[:WHOLE.index(b"\x28\0\2\0US")]
    + (b"\x09\0\1\0SQ\0\0\xff\xff\xff\xff\xfe\xff\0\xe0\xff\xff\xff\xff") * 1000,
}  # fmt: skip


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
def test_broken_file_is_an_error_and_never_pixels(data: bytes) -> None:
    with pytest.raises(ImageError) as caught:
        list(FORMAT.read_headers(InMemory(data)))
        decoded(data)
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize(
    "name",
    [
        "Explicit VR Little Endian",
        "Deflated Explicit VR Little Endian",
        "frames",
        "RLE",
        "JPEG",
        "JPEG-LS",
        "high-throughput JPEG 2000",
        "1 bit",
        "32-bit float",
    ],
)
def test_cut_off_anywhere_it_is_refused(name: str) -> None:
    kind = DICOM_KINDS[name]
    for end in range(0, len(kind.data), max(1, len(kind.data) // 40)):
        with pytest.raises(ImageError):
            decoded(kind.data[:end], len(kind.frames) - 1)


NOTHING_TO_SEE = WHOLE[: WHOLE.index(b"\xe0\x7f\x10\0")]


@pytest.mark.parametrize(
    "data", [NOTHING_TO_SEE, NOTHING_TO_SEE + b"\x28\0\1\x60CS\0\0"], ids=["", "with an empty element at its end"]
)
def test_a_report_is_none_that_was_cut_off(data: bytes) -> None:
    with pytest.raises(ImageError, match="without an image"):
        list(FORMAT.read_headers(InMemory(data)))
    with pytest.raises(ImageError, match="too early"):
        list(FORMAT.read_headers(InMemory(data[:-1])))


def test_bytes_in_words_of_the_other_order_are_put_in_order() -> None:
    """As some programs write 8 bits in big endian; frames of an odd size begin in the middle of a word."""
    odd = np.stack([PHOTO[:3, :3] + number for number in range(3)])
    stored = np.frombuffer(odd.tobytes() + b"\0", "<u2").byteswap().tobytes()
    data = dicom(odd, ExplicitVRBigEndian, PixelData=stored)
    start = data.rindex(b"\x7f\xe0\0\x10") + 4
    for kind, wanted in ((b"OW", odd), (b"OB", np.frombuffer(stored[:-1], np.uint8).reshape(odd.shape))):
        for frame in range(3):
            found = decoded(data[:start] + kind + data[start + 2 :], frame)
            np.testing.assert_array_equal(found, wanted[frame])


def test_what_is_written_counts_and_not_what_is_said_of_it() -> None:
    data = dicom(CT, ImplicitVRLittleEndian)
    said = data.replace(b"1.2.840.10008.1.2\0", b"1.2.840.10008.1.2.1")
    said = said.replace(b"UI\x12\x001.2.840.10008.1.2.1", b"UI\x13\x001.2.840.10008.1.2.1")
    assert said != data
    np.testing.assert_array_equal(decoded(said)[..., 0], CT)


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian])
@pytest.mark.parametrize("with_meta", [True, False])
def test_files_older_than_their_preamble_are_read_where_their_name_says_so(syntax: str, with_meta: bool) -> None:
    whole = dicom(CT, syntax)
    data = whole[132:] if with_meta else whole[whole.index(b"\x08\0\x16\0") :]
    if not with_meta:
        first = b"\x08\0\x08\0" + (b"\2\0\0\0" if syntax == ImplicitVRLittleEndian else b"CS\2\0") + b"A "
        data = first + data
    assert not FORMAT.matches(data)
    np.testing.assert_array_equal(decoded(data)[..., 0], CT)


def test_colours_of_a_jpeg_are_what_the_file_says_unless_the_jpeg_does() -> None:
    rgb = bytes(imagecodecs.jpeg8_encode(PHOTO, level=95, colorspace="RGB", outcolorspace="RGB"))
    bare = b"\xff\xd8" + rgb[rgb.index(b"\xff\xdb") :]
    for marker in (b"", b"\xff\xee\0\x0cAdobe\0\0\0\0\0"):  # the latter too short for one
        found = decoded(dicom(PHOTO, JPEGBaseline8Bit, [bare[:2] + marker + bare[2:]]))
        np.testing.assert_allclose(found.astype(int), PHOTO, atol=12)


def test_a_large_image_is_refused_by_its_header() -> None:
    data = changed("rows", 60_000, DICOM_KINDS["RLE colour"].data)
    (header,) = FORMAT.read_headers(InMemory(data))
    assert header.height == 60_000
    with pytest.raises(ImageTooLarge, match="60000"):
        decoded(data)


def test_a_bomb_is_not_unfolded() -> None:
    zeros = np.zeros((4000, 4000), np.uint8)
    small = zeros[:22, :37]
    long_run = struct.pack("<16L", 1, 64, *[0] * 14) + b"\x81\0" * 500_000
    bombs = [
        dicom(small, JPEG2000Lossless, [bytes(imagecodecs.jpeg2k_encode(zeros[:2000, :2000], reversible=True))]),
        dicom(small, RLELossless, [long_run]),
    ]
    deflated = dicom(zeros, DeflatedExplicitVRLittleEndian)
    tracemalloc.start()
    for bomb in bombs:
        with pytest.raises(ImageError):
            FORMAT.decode(InMemory(bomb), max_pixels=MAX_PIXELS)
    with pytest.raises(ImageTooLarge):
        FORMAT.decode(InMemory(deflated), max_pixels=MAX_PIXELS)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 4000 * 4000


def test_its_first_bytes_tell_it() -> None:
    assert format_of(WHOLE) is FORMAT
    assert not FORMAT.matches(WHOLE[1:])
