"""Large images in strips: what comes out is what whole images make."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from core.images import pixels, strips
from core.images.display import to_picture_pieces
from core.images.formats.format import ImageHeader, InMemory, Pixels, in_strips
from core.images.formats.png import FORMAT, decode
from core.images.preprocessing import STANDARD, Preprocessing
from core.images.samples import pack, pack_strips
from tests.builders import PNG_KINDS, PngKind, png_bytes, png_of_kind

SMALL = Preprocessing(resize=60, crop=52)
OTHER = Preprocessing(resize=40, crop=33, interpolation="bicubic", color_order="BGR")


def noise(width: int, height: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def across_first(rgb: np.ndarray, preprocessing: Preprocessing) -> np.ndarray:
    """What Pillow makes of a whole image in two steps; in one, it begins with the direction that is cheaper."""
    crop, resampling = preprocessing.crop, Image.Resampling[preprocessing.interpolation.upper()]
    height, width, _ = rgb.shape
    left, top, right, bottom = pixels.crop_box((width, height), preprocessing)
    narrowed = Image.fromarray(rgb).resize((crop, height), resampling, box=(left, 0, right, height))
    made = np.asarray(narrowed.resize((crop, crop), resampling, box=(0, top, crop, bottom)))
    return made if preprocessing.color_order == "RGB" else made[..., ::-1]


@pytest.mark.parametrize("kind", PNG_KINDS, ids=str)
@pytest.mark.parametrize("strip_pixels", [1, 40, 1000])
def test_shown_as_the_whole_image_is(kind: PngKind, strip_pixels: int) -> None:
    data = png_of_kind(kind, 17, 12)
    (header,) = FORMAT.read_headers(InMemory(data))

    def read() -> Iterator[Pixels]:
        return strips.read_strips(FORMAT, InMemory(data), 0, max_pixels=1000, strip_pixels=strip_pixels)

    shown = strips.value_range(read(), header)
    rgb = np.concatenate(list(strips.shown(read(), header, shown)))
    np.testing.assert_array_equal(rgb, pixels.to_rgb(decode(data, max_pixels=1000)))


def test_the_range_of_16_bits_is_that_of_the_whole_image_and_not_of_a_strip() -> None:
    values = np.array([[[500]], [[1000]], [[1500]]], np.uint16)
    header = ImageHeader(1, 3, 16, "grey")
    shown = strips.value_range(in_strips(values, 1), header)
    assert shown == (500, 1500)
    rgb = np.concatenate(list(strips.shown(in_strips(values, 1), header, shown)))
    assert rgb[:, 0, 0].tolist() == [0, 128, 255]


@given(
    width=st.integers(60, 400),
    height=st.integers(60, 400),
    strip_pixels=st.integers(1, 20_000),
    preprocessing=st.sampled_from([SMALL, OTHER]),
)
@settings(max_examples=60, deadline=None)
def test_model_inputs_are_what_pillow_makes_of_the_whole_image_across_first(
    width: int, height: int, strip_pixels: int, preprocessing: Preprocessing
) -> None:
    rgb = noise(width, height)
    _, model_input = strips.to_thumbnail_and_model_input(
        in_strips(rgb, strip_pixels), (width, height), 64, preprocessing
    )
    # Pillow's boxes have single precision.
    assert np.abs(model_input.astype(int) - across_first(rgb, preprocessing)).max() <= 1


@given(width=st.integers(1, 400), height=st.integers(1, 400), strip_pixels=st.integers(1, 20_000))
@settings(max_examples=40, deadline=None)
def test_what_is_made_of_smooth_images_is_what_whole_images_make(width: int, height: int, strip_pixels: int) -> None:
    rows, columns = np.mgrid[:height, :width]
    rgb = np.stack([rows * 0.6, columns * 0.6, (rows + columns) * 0.3], axis=2).astype(np.uint8)
    whole, whole_input = pixels.to_thumbnail_and_model_input(rgb, 64, SMALL)
    jpeg, model_input = strips.to_thumbnail_and_model_input(in_strips(rgb, strip_pixels), (width, height), 64, SMALL)
    assert np.abs(model_input.astype(int) - whole_input).max() <= 2
    thumbnail, wanted = (np.asarray(Image.open(io.BytesIO(one))).astype(int) for one in (jpeg, whole))
    assert thumbnail.shape == wanted.shape
    assert np.abs(thumbnail - wanted).max() <= 10, "1 of 255 before the JPEG, which rounds by itself"


@pytest.mark.parametrize("size", [(1, 3000), (3000, 1), (7, 2000), (2000, 7)])
@pytest.mark.parametrize("preprocessing", [STANDARD, OTHER])
def test_however_long_and_narrow(size: tuple[int, int], preprocessing: Preprocessing) -> None:
    rgb = np.full((size[1], size[0], 3), 77, np.uint8)
    jpeg, model_input = strips.to_thumbnail_and_model_input(in_strips(rgb, 500), size, 64, preprocessing)
    assert model_input.shape == preprocessing.input_shape
    assert (model_input == 77).all()
    assert max(Image.open(io.BytesIO(jpeg)).size) <= 64


@given(width=st.integers(1, 50), height=st.integers(1, 50), strip_pixels=st.integers(1, 500))
@settings(max_examples=50, deadline=None)
def test_a_picture_in_pieces_is_lossless(width: int, height: int, strip_pixels: int) -> None:
    rgb = noise(width, height)
    picture = b"".join(to_picture_pieces(in_strips(rgb, strip_pixels), width, height))
    np.testing.assert_array_equal(decode(picture, max_pixels=2500), rgb)


def test_its_first_pieces_come_before_the_last_strip_is_read() -> None:
    read = []

    def one_after_the_other() -> Iterator[np.ndarray]:
        for number in range(10):
            read.append(number)
            yield noise(500, 50, number)

    pieces = to_picture_pieces(one_after_the_other(), 500, 500)
    next(pieces)
    assert read == []
    next(pieces)
    assert len(read) < 10


@pytest.mark.parametrize("kind", PNG_KINDS, ids=str)
@pytest.mark.parametrize("value", [None, 7])
def test_samples_in_pieces_are_the_samples(kind: PngKind, value: int | None) -> None:
    whole = decode(png_of_kind(kind), max_pixels=1000)
    if value is not None:
        whole = np.full_like(whole, value)
    for zipped in (False, True):
        body, headers = pack(whole, gzip=zipped)
        parts = in_strips(whole, 20)
        pieces, said = pack_strips(next(parts), parts, len(whole), gzip=zipped)
        sent = b"".join(pieces)
        if "Content-Encoding" in said:
            assert zipped
            sent = gzip.decompress(sent)
        else:
            assert int(said["Content-Length"]) == len(sent)
        assert sent == (gzip.decompress(body) if "Content-Encoding" in headers else body)
        assert {name: said[name] for name in ("X-Image-Shape", "X-Image-Dtype", "Vary")} == {
            name: headers[name] for name in ("X-Image-Shape", "X-Image-Dtype", "Vary")
        }


def test_a_format_without_strips_is_decoded_at_once() -> None:
    class Whole:
        def decode(self, file, frame=0, *, max_pixels, at_least=None):
            return decode(file.read(), max_pixels=max_pixels)

    data = png_bytes(noise(20, 20))
    parts = list(strips.read_strips(Whole(), InMemory(data), 0, max_pixels=400, strip_pixels=100))  # type: ignore[arg-type]
    assert [part.shape for part in parts] == [(5, 20, 3)] * 4
    assert strips.strip_bytes(Whole(), ImageHeader(20, 20, 8, "RGB")) is None  # type: ignore[arg-type]
