from __future__ import annotations

import io
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from core.images import pixels
from core.images.display import to_picture, to_picture_pieces
from core.images.formats import decode
from core.images.formats.format import in_strips
from core.images.preprocessing import STANDARD, Preprocessing
from core.models.torchvision_compat import import_torchvision
from tests.builders import read_samples


def noise(width: int, height: int, seed: int = 0) -> np.ndarray:
    """Black and white noise: the hardest pixels to resize, every one an edge."""
    return np.random.default_rng(seed).integers(0, 2, (height, width, 3), dtype=np.uint8) * 255


def grey16(*values: int) -> np.ndarray:
    return np.array(values, np.uint16).reshape(1, -1, 1)


def test_8_bit_rgb_stays_as_it_is() -> None:
    rgb = noise(5, 4)
    np.testing.assert_array_equal(pixels.to_rgb(rgb), rgb)


def test_grey_fills_all_three_channels() -> None:
    assert pixels.to_rgb(np.array([[[7], [200]]], np.uint8)).tolist() == [[[7] * 3, [200] * 3]]


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ((0, 65535), (0, 255)),
        ((1000, 1255), (0, 255)),  # a narrow range fills the whole scale
        ((100, 101), (0, 255)),
        ((60000, 60001, 65535), (0, 0, 255)),
        ((0, 256, 512), (0, 128, 255)),  # 127.5 is rounded up
        ((0, 100, 510), (0, 50, 255)),
        ((0, 0), (0, 0)),  # constant: scaled by 65535
        ((65535,), (255,)),
        ((32768,), (128,)),
    ],
)
def test_16_bit_grey_is_scaled_by_its_own_range(values: tuple[int, ...], shown: tuple[int, ...]) -> None:
    assert pixels.to_rgb(grey16(*values))[0, :, 0].tolist() == list(shown)


def test_16_bit_colour_has_one_range_for_all_channels() -> None:
    colour = np.array([[[1000, 2000, 3000]]], np.uint16)
    assert pixels.to_rgb(colour).tolist() == [[[0, 128, 255]]]


@given(st.lists(st.integers(0, 65535), min_size=1, max_size=50))
def test_16_bit_is_never_clipped_and_keeps_its_order(values: list[int]) -> None:
    shown = pixels.to_rgb(grey16(*values))[0, :, 0].astype(int)
    low, high = min(values), max(values)
    if low < high:
        exact = (np.array(values) - low) * 255 / (high - low)
        assert np.abs(shown - exact).max() <= 0.5
    order = np.argsort(values, kind="stable")
    assert (np.diff(shown[order]) >= 0).all()


@given(st.lists(st.tuples(*[st.integers(0, 255)] * 4), min_size=1, max_size=20))
def test_alpha_lies_over_white(values: list[tuple[int, int, int, int]]) -> None:
    rgba = np.array([values], np.uint8)
    colour, alpha = rgba[..., :3].astype(float), rgba[..., 3:] / 255
    exact = colour * alpha + 255 * (1 - alpha)
    assert np.abs(pixels.to_rgb(rgba) - exact).max() <= 0.5 + 1e-9


@pytest.mark.parametrize(
    ("dtype", "grey_alpha", "shown"),
    [
        (np.uint8, [(0, 0), (0, 255), (100, 255)], [255, 0, 100]),
        (np.uint8, [(0, 128)], [127]),
        # The hidden 65535 and 0 do not take part in the range 1000..2000.
        (np.uint16, [(65535, 0), (1000, 65535), (2000, 65535), (0, 0)], [255, 0, 255, 255]),
        (np.uint16, [(1000, 65535), (2000, 1), (1500, 65535)], [0, 255, 128]),
        (np.uint16, [(0, 0), (500, 0)], [255, 255]),  # nothing visible: all white
    ],
)
def test_grey_with_alpha(dtype: type[np.generic], grey_alpha: list[tuple[int, int]], shown: list[int]) -> None:
    rgb = pixels.to_rgb(np.array([grey_alpha], dtype))
    assert rgb[0].tolist() == [[value] * 3 for value in shown]


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_rgb_is_contiguous_uint8_and_the_source_is_untouched(channels: int, dtype: type[np.unsignedinteger]) -> None:
    source = np.random.default_rng(1).integers(0, 256, (6, 5, channels)).astype(dtype)
    before = source.copy()
    rgb = pixels.to_rgb(source)
    assert (rgb.shape, rgb.dtype, rgb.flags.c_contiguous) == ((6, 5, 3), np.uint8, True)
    np.testing.assert_array_equal(source, before)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_rgb_is_the_same_in_bands_of_any_height(channels: int, dtype: type[np.unsignedinteger]) -> None:
    source = np.random.default_rng(2).integers(0, np.iinfo(dtype).max, (7, 5, channels), dtype=dtype)
    whole = pixels.to_rgb(source)
    for band_pixels in (1, 5, 10, 16, 30):
        np.testing.assert_array_equal(pixels.to_rgb(source, band_pixels=band_pixels), whole)


@pytest.mark.parametrize(
    ("channels", "dtype"), [(2, np.uint8), (4, np.uint8), (1, np.uint16), (3, np.uint16), (4, np.uint16)]
)
def test_rgb_of_a_huge_image_takes_little_more_memory_than_itself(
    channels: int, dtype: type[np.unsignedinteger]
) -> None:
    source = np.random.default_rng(3).integers(0, np.iinfo(dtype).max, (1000, 1000, channels), dtype=dtype)
    tracemalloc.start()
    try:
        pixels.to_rgb(source, band_pixels=10_000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    mask_of_visible_pixels = 1000 * 1000
    assert peak < 1000 * 1000 * 3 + mask_of_visible_pixels + 60 * 10_000


SIZES = [
    (1, 1), (2, 1), (1, 40), (3, 500), (500, 3), (7, 5), (224, 224), (255, 257), (256, 256), (257, 300),
    (500, 375), (375, 500), (499, 333), (640, 480), (1023, 767), (2000, 300), (301, 1999), (1280, 1281),
]  # fmt: skip


def two_step_resize(rgb: np.ndarray) -> np.ndarray:
    """torchvision's resize and crop, spelt out with Pillow."""
    height, width, _ = rgb.shape
    short = min(width, height)
    size = (256, int(256 * height / width)) if width == short else (int(256 * width / height), 256)
    resized = Image.fromarray(rgb).resize(size, Image.Resampling.BILINEAR)
    left, top = round((size[0] - 224) / 2.0), round((size[1] - 224) / 2.0)
    return np.asarray(resized.crop((left, top, left + 224, top + 224)))


def assert_within_one(got: np.ndarray, wanted: np.ndarray) -> None:
    assert (got.shape, got.dtype) == ((224, 224, 3), np.uint8)
    assert np.abs(got.astype(int) - wanted).max() <= 1


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_model_input_equals_resize_then_crop(size: tuple[int, int]) -> None:
    rgb = noise(*size)
    assert_within_one(pixels.to_model_input(rgb, STANDARD), two_step_resize(rgb))


@given(width=st.integers(1, 700), height=st.integers(1, 700), seed=st.integers(0, 9))
@settings(max_examples=25, deadline=None)
def test_model_input_of_any_size(width: int, height: int, seed: int) -> None:
    rgb = noise(width, height, seed)
    assert_within_one(pixels.to_model_input(rgb, STANDARD), two_step_resize(rgb))


def test_model_input_shows_the_centre_and_not_the_ends() -> None:
    wide = np.zeros((100, 900, 3), np.uint8)
    wide[:, 400:500] = 255
    assert pixels.to_model_input(wide, STANDARD).min() == 255
    assert pixels.to_model_input(255 - wide, STANDARD).max() == 0


@pytest.mark.torch
@pytest.mark.parametrize("size", [(1, 1), (3, 500), (500, 375), (375, 499), (224, 224), (2000, 300), (31, 27)], ids=str)
def test_model_input_equals_torchvision(size: tuple[int, int]) -> None:
    pytest.importorskip("torch")
    import_torchvision()
    from torchvision.models import ResNet18_Weights

    rgb = noise(*size)
    preset = ResNet18_Weights.IMAGENET1K_V1.transforms()
    normalised = preset(Image.fromarray(rgb)).permute(1, 2, 0).numpy()
    wanted = (normalised * preset.std + preset.mean) * 255
    assert_within_one(pixels.to_model_input(rgb, STANDARD), np.rint(wanted).astype(int))


@pytest.mark.parametrize(
    ("size", "side", "expected"),
    [
        ((500, 375), 256, (250, 188)),
        ((500, 375), 192, (167, 125)),
        ((375, 500), 192, (125, 167)),
        ((192, 192), 192, (192, 192)),
        ((20, 10), 192, (20, 10)),
        ((1, 1), 192, (1, 1)),
        ((3000, 1), 192, (188, 1)),
        ((1, 3000), 64, (1, 64)),
    ],
)
def test_thumbnail_fits_and_is_never_enlarged(size: tuple[int, int], side: int, expected: tuple[int, int]) -> None:
    with Image.open(io.BytesIO(pixels.to_thumbnail_and_model_input(noise(*size), side, STANDARD)[0])) as image:
        assert (image.format, image.size) == ("JPEG", expected)


def test_the_model_input_beside_a_thumbnail_is_the_same() -> None:
    rgb = noise(333, 257)
    _, model_input = pixels.to_thumbnail_and_model_input(rgb, 64, STANDARD)
    assert np.array_equal(model_input, pixels.to_model_input(rgb, STANDARD))


def test_thumbnail_looks_like_its_image() -> None:
    rgb = np.full((400, 600, 3), (200, 30, 90), np.uint8)
    with Image.open(io.BytesIO(pixels.to_thumbnail_and_model_input(rgb, 100, STANDARD)[0])) as image:
        assert np.abs(np.asarray(image, int) - (200, 30, 90)).max() <= 4


@given(width=st.integers(1, 40), height=st.integers(1, 40))
@settings(max_examples=25, deadline=None)
def test_encoded_png_reads_back_the_same(width: int, height: int) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    data = to_picture(rgb).content
    np.testing.assert_array_equal(read_samples(data)[0], rgb)
    np.testing.assert_array_equal(decode(data, max_pixels=width * height), rgb)


@given(width=st.integers(1, 40), height=st.integers(1, 40))
@settings(max_examples=25, deadline=None)
def test_a_grey_picture_reads_back_as_the_same_three_channels(width: int, height: int) -> None:
    grey = np.random.default_rng(0).integers(0, 256, (height, width, 1), dtype=np.uint8)
    rgb = np.repeat(grey, 3, axis=2)
    data = to_picture(rgb, grey=True).content
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(data)).convert("RGB")), rgb)
    pieces = b"".join(to_picture_pieces(in_strips(rgb, 100), width, height, grey=True))
    np.testing.assert_array_equal(decode(pieces, max_pixels=width * height), grey)


@pytest.mark.parametrize("size", [(500, 375), (40, 30), (375, 501)])
@pytest.mark.parametrize("preprocessing", [STANDARD, Preprocessing(resize=64, crop=60, color_order="BGR")])
def test_what_is_made_of_one_channel_of_grey_is_what_three_would_give(
    size: tuple[int, int], preprocessing: Preprocessing
) -> None:
    rgb = np.repeat(noise(*size)[..., :1], 3, axis=2)
    (small, made), (wanted_small, wanted) = (
        pixels.to_thumbnail_and_model_input(rgb, 256, preprocessing, grey=grey) for grey in (True, False)
    )
    np.testing.assert_array_equal(made, wanted)
    np.testing.assert_array_equal(pixels.to_model_input(rgb, preprocessing, grey=True), wanted)
    shown, as_rgb = (np.asarray(Image.open(io.BytesIO(one)).convert("RGB")) for one in (small, wanted_small))
    np.testing.assert_array_equal(shown, as_rgb)
    assert len(small) < len(wanted_small)
