"""JPEG: every kind against another decoder or what was written, upright, smaller, and every way to break it."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from core.base.errors import ImageError, ImageTooLarge
from core.base.workers import Priority
from core.images import pixels
from core.images.formats.format import InMemory, decoded_header
from core.images.formats.jpeg import FORMAT, HEAD_BYTES
from core.images.memory import decoding_bytes, preparing_bytes
from core.images.preprocessing import STANDARD
from tests.conftest import MakeStack
from tests.helpers import SECONDS
from tests.jpegs import BROKEN_JPEGS, JPEG_KINDS, jpeg_frame, segment
from tests.pictures import Kind, opened, picture, saved

MAX_PIXELS = 100_000
each_kind = pytest.mark.parametrize("kind", JPEG_KINDS.values(), ids=JPEG_KINDS)
turned = pytest.mark.parametrize("orientation", range(1, 9))


class Watched(InMemory):
    """A file that knows how far it was read."""

    reach = 0

    def read(self, start: int = 0, count: int | None = None) -> bytes:
        self.reach = max(self.reach, self.size if count is None else start + count)
        return super().read(start, count)

    def pieces(self, start: int = 0) -> Iterator[bytes]:
        raise AssertionError("nobody asked for all of it")


def with_orientation(data: bytes, orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010E] = "somewhere"  # a description
    return data[:2] + segment(0xE1, exif.tobytes()) + data[2:]


@each_kind
def test_every_kind_gives_what_was_written(kind: Kind) -> None:
    (header,) = FORMAT.read_headers(InMemory(kind.data))
    assert header.description == kind.description
    decoded = FORMAT.decode(InMemory(kind.data), max_pixels=MAX_PIXELS)
    assert decoded.shape == kind.frames[0].shape
    assert decoded.shape[:2] == (header.height, header.width)
    assert decoded.dtype == (np.uint16 if header.bit_depth > 8 else np.uint8)
    assert np.abs(decoded.astype(int) - kind.frames[0]).max() <= kind.off_by


@each_kind
def test_a_header_is_read_from_the_beginning_alone(kind: Kind) -> None:
    file = Watched(kind.data + bytes(100_000))
    FORMAT.read_headers(file)
    assert file.reach <= (HEAD_BYTES[0] if len(kind.data) < 5000 else HEAD_BYTES[2])


@turned
def test_it_stands_upright_as_pillow_turns_it(orientation: int) -> None:
    data = with_orientation(saved(picture(40, 24), "JPEG"), orientation)
    (header,) = FORMAT.read_headers(InMemory(data))
    wanted = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))
    assert (header.height, header.width) == wanted.shape[:2]
    np.testing.assert_array_equal(FORMAT.decode(InMemory(data), max_pixels=MAX_PIXELS), wanted)
    small = FORMAT.decode(InMemory(data), max_pixels=MAX_PIXELS, at_least=(header.width // 2, header.height // 2))
    assert small.shape[:2] == (header.height // 2, header.width // 2)
    reduced = np.asarray(Image.fromarray(wanted).reduce(2))
    assert np.abs(small.astype(int) - reduced).mean() < 3


@pytest.mark.parametrize(
    "exif",
    [b"", b"II*\0", b"nonsense" * 9, b"II*\0" + struct.pack("<L", 9_000_000), b"MM\0*\0\0\0\x08\xff\xff" + bytes(30)],
)
def test_nonsense_in_exif_turns_nothing(exif: bytes) -> None:
    data = saved(picture(), "JPEG")
    told = data[:2] + segment(0xE1, b"Exif\0\0" + exif) + data[2:]
    np.testing.assert_array_equal(FORMAT.decode(InMemory(told), max_pixels=MAX_PIXELS), opened(data))


@pytest.mark.parametrize("orientation", [1, 6])
def test_browsers_get_the_pixels_and_nothing_that_was_beside_them(orientation: int) -> None:
    plain = saved(picture(40, 24), "JPEG", comment=b"a comment", icc_profile=b"a profile" * 99)
    data = with_orientation(plain, orientation) + b"a film behind it"
    (header,) = FORMAT.read_headers(InMemory(data))
    assert FORMAT.browsers_show(header)
    sent = FORMAT.for_browser(InMemory(data))
    for secret in (b"a comment", b"a profile", b"somewhere", b"a film"):
        assert secret in data
        assert secret not in sent
    shown = ImageOps.exif_transpose(Image.open(io.BytesIO(sent)))
    np.testing.assert_array_equal(shown, FORMAT.decode(InMemory(data), max_pixels=MAX_PIXELS))


@pytest.mark.parametrize(
    ("name", "is_shown"),
    [("baseline", True), ("progressive", True), ("CMYK", False), ("12 bits", False), ("lossless", False)],
)
def test_what_browsers_do_not_all_show_is_decoded_for_them(name: str, is_shown: bool) -> None:
    (header,) = FORMAT.read_headers(InMemory(JPEG_KINDS[name].data))
    assert FORMAT.browsers_show(header) is is_shown


@pytest.mark.parametrize("data", BROKEN_JPEGS.values(), ids=BROKEN_JPEGS)
def test_broken_file_is_an_error_and_never_pixels(data: bytes) -> None:
    with pytest.raises(ImageError) as caught:
        FORMAT.decode(InMemory(data), max_pixels=100_000_000)
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize("name", [name for name in BROKEN_JPEGS if name != "huffman table beyond its segment"])
def test_what_is_broken_outside_of_its_tables_is_not_sent_to_browsers(name: str) -> None:
    with pytest.raises(ImageError):
        FORMAT.for_browser(InMemory(BROKEN_JPEGS[name]))


@pytest.mark.parametrize("name", ["baseline", "progressive", "lossless 16 bits"])
def test_cut_off_anywhere_it_is_refused(name: str) -> None:
    data = JPEG_KINDS[name].data
    for end in range(0, len(data), 7):
        with pytest.raises(ImageError):
            FORMAT.decode(InMemory(data[:end]), max_pixels=MAX_PIXELS)


def test_a_large_image_is_refused_by_its_header_alone() -> None:
    head = b"\xff\xd8" + jpeg_frame(60_000, 60_000) + segment(0xDA, b"\x03\1\0\2\0\3\0\0\x3f\0")
    with pytest.raises(ImageTooLarge, match="60000 x 60000"):
        FORMAT.decode(InMemory(head), max_pixels=100_000_000)


def test_a_header_without_end_is_refused_after_16_mib() -> None:
    file = Watched(b"\xff\xd8" + segment(0xE5, bytes(60_000)) * 600)
    with pytest.raises(ImageError):
        FORMAT.read_headers(file)
    assert file.reach <= HEAD_BYTES[-1]


def test_the_coefficients_of_a_progressive_image_count_whatever_size_is_decoded() -> None:
    size = (4000, 3000)
    (plain,) = FORMAT.read_headers(InMemory(saved(Image.new("RGB", size), "JPEG")))
    (progressive,) = FORMAT.read_headers(InMemory(saved(Image.new("RGB", size), "JPEG", progressive=True)))
    enough = pixels.enough(size, STANDARD, 256)
    coefficients = 2 * 3 * 4000 * 3000
    for bytes_of in (
        lambda header: decoding_bytes(FORMAT, header, 0),
        lambda header: preparing_bytes(FORMAT, header, 0, enough),
    ):
        assert bytes_of(progressive) >= bytes_of(plain) + coefficients
    assert preparing_bytes(FORMAT, plain, 0, enough) < decoding_bytes(FORMAT, plain, 0) / 10


@given(st.integers(1, 300), st.integers(1, 300), st.integers(0, 300), st.integers(0, 300))
@settings(deadline=None, max_examples=40)
def test_smaller_sizes_are_announced_and_never_below_what_is_enough(width: int, height: int, w: int, h: int) -> None:
    data = saved(picture(width, height), "JPEG")
    (header,) = FORMAT.read_headers(InMemory(data))
    at_least = min(w, width), min(h, height)
    found = FORMAT.decode(InMemory(data), max_pixels=MAX_PIXELS, at_least=at_least)
    announced = decoded_header(FORMAT, header, at_least)
    assert found.shape[:2] == (announced.height, announced.width)
    assert found.shape[1] >= at_least[0]
    assert found.shape[0] >= at_least[1]


@pytest.mark.parametrize("size", [(2400, 1800), (1600, 1219), (1603, 1069)], ids=str)
def test_what_is_kept_of_a_camera_photo_is_what_full_decoding_gives(
    make_stack: MakeStack, size: tuple[int, int]
) -> None:
    """Also where the sides cannot be divided, and a side rounded up would be a fifth of a pixel in the model input."""
    width, height = size
    lines = (np.indices((height, width)).sum(axis=0) % 97 < 40)[..., np.newaxis] * np.array([255, 200, 90])
    data = saved(lines.astype(np.uint8), "JPEG", quality=90)
    stack = make_stack({"a.jpg": data})
    stack.prepare(0, Priority.VISIBLE).result(SECONDS)
    out = np.empty(STANDARD.input_shape, np.uint8)
    stack.inputs(STANDARD).read(0, out)
    whole = pixels.to_rgb(stack.values(0))
    assert whole.shape == (height, width, 3)
    wanted = pixels.to_model_input(whole, STANDARD)
    assert np.abs(out.astype(int) - wanted).mean() < 1
    small = Image.open(io.BytesIO(stack.thumbnail(0))).size
    assert max(small) <= 256
    assert abs(small[0] / small[1] - width / height) < 0.02
