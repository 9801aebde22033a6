"""GIF, WebP, animated PNG, BMP, PNM, JPEG 2000, AVIF: frames as they were written, limits, what is refused."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest

from core.base.errors import ImageError, ImageTooLarge
from core.base.workers import Priority
from core.images import formats
from core.images.formats import avif, bmp, gif, jpeg2000, png, pnm, webp
from core.images.formats._animation import Animations
from core.images.formats.format import ImageFormat, InMemory, for_browsers
from tests.builders import assemble_png, chunk, header_chunk
from tests.conftest import MakeStack
from tests.helpers import SECONDS
from tests.kinds import KINDS
from tests.pictures import APNG_KINDS, GIF_KINDS, WEBP_KINDS, Kind, picture, saved

MAX_PIXELS = 100_000
FORMATS: dict[str, ImageFormat] = {
    "gif": gif.FORMAT, "webp": webp.FORMAT, "apng": png.FORMAT, "bmp": bmp.FORMAT, "pnm": pnm.FORMAT,
    "jpeg2000": jpeg2000.FORMAT, "avif": avif.FORMAT,
}  # fmt: skip
EACH = [
    pytest.param(FORMATS[name], kind, id=f"{name}-{words}") for name in FORMATS for words, kind in KINDS[name].items()
]
ANIMATIONS = [
    pytest.param(gif.FORMAT, GIF_KINDS["animation"], id="gif"),
    pytest.param(webp.FORMAT, WEBP_KINDS["animation"], id="webp"),
    *(pytest.param(png.FORMAT, kind, id=f"apng-{words}") for words, kind in APNG_KINDS.items()),
]


def visible(pixels: np.ndarray) -> np.ndarray:
    """Without an alpha channel that hides nothing."""
    has_alpha = pixels.shape[2] == 4 and (pixels[..., 3] == 255).all()
    return pixels[..., :3] if has_alpha else pixels


@pytest.mark.parametrize(("image_format", "kind"), EACH)
def test_every_frame_is_what_was_written(image_format: ImageFormat, kind: Kind) -> None:
    file = InMemory(kind.data)
    assert formats.format_of(kind.data) is image_format
    headers = list(image_format.read_headers(file))
    assert [header.description for header in headers] == [kind.description] * len(kind.frames)
    for frame, wanted in enumerate(kind.frames):
        found = image_format.decode(file, frame, max_pixels=MAX_PIXELS)
        assert found.shape[:2] == (headers[frame].height, headers[frame].width)
        assert found.dtype == wanted.dtype
        np.testing.assert_array_equal(visible(found), visible(wanted))
        assert for_browsers(image_format, headers[frame]) is None


@pytest.mark.parametrize(("image_format", "kind"), ANIMATIONS)
@pytest.mark.parametrize("order", [[0, 2, 1, 4, 3], [4, 0, 4], [3, 3, 2, 2]], ids=str)
def test_frames_are_the_same_in_any_order(image_format: ImageFormat, kind: Kind, order: list[int]) -> None:
    file = InMemory(kind.data)
    for frame in order:
        found = image_format.decode(file, frame, max_pixels=MAX_PIXELS)
        np.testing.assert_array_equal(visible(found), visible(kind.frames[frame]))


@pytest.mark.parametrize(("image_format", "kind"), ANIMATIONS)
def test_frames_of_one_file_are_never_those_of_another(image_format: ImageFormat, kind: Kind) -> None:
    first, second = InMemory(kind.data), InMemory(kind.data)
    for frame in (0, 1, 2):
        for file in (first, second):
            found = image_format.decode(file, frame, max_pixels=MAX_PIXELS)
            np.testing.assert_array_equal(visible(found), visible(kind.frames[frame]))


def test_what_stands_open_takes_only_so_much_and_is_given_to_one_alone() -> None:
    kept: Animations[str] = Animations(most_bytes=2500)
    for name in "abc":
        kept.leave(name, 5, name, 400, 50)  # 1,000 bytes each
    assert kept.take("a", 9) is None, "the first had to go"
    assert kept.take("b", 4) is None, "it stands behind that frame"
    assert kept.take("b", 5) == (5, "b")
    assert kept.take("b", 5) is None, "somebody has it"
    kept.leave("c", 3, "earlier", 400, 50)
    assert kept.take("c", 8) == (5, "c")
    kept.leave("d", 0, "too large", 3000, 0)
    assert kept.take("d", 0) is None


def test_an_animation_that_would_take_minutes_is_refused_before_it_is_decoded() -> None:
    screen = b"GIF89a" + struct.pack("<HHBBB", 3000, 3000, 0, 0, 0)
    frame = b"\x2c" + struct.pack("<4HB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
    with pytest.raises(ImageTooLarge, match="112 frames of 3000 x 3000"):
        list(gif.FORMAT.read_headers(InMemory(screen + 500 * frame + b"\x3b")))


def test_a_jpeg_2000_of_tiny_tiles_is_refused_by_its_header() -> None:
    data = bytearray(KINDS["jpeg2000"]["codestream"].data)
    struct.pack_into(">8L", data, 8, 250, 250, 0, 0, 1, 1, 0, 0)
    with pytest.raises(ImageError, match="is damaged"):
        jpeg2000.FORMAT.read_headers(InMemory(bytes(data)))
    struct.pack_into(">8L", data, 8, 250, 250, 0, 0, 64, 64, 0, 0)
    assert jpeg2000.FORMAT.read_headers(InMemory(bytes(data)))[0].width == 250


def test_one_large_still_is_no_animation() -> None:
    data = saved(np.zeros((4001, 4000, 1), np.uint8), "GIF")
    (header,) = gif.FORMAT.read_headers(InMemory(data))
    assert header.pixels == 16_004_000


@pytest.mark.parametrize("name", FORMATS)
def test_cut_off_anywhere_it_is_refused_or_says_so_when_decoded(name: str) -> None:
    for kind in KINDS[name].values():
        if kind.data.startswith((b"P1", b"P2", b"P3")):
            continue  # text, whose last number may become a shorter one
        for end in range(0, len(kind.data) - 1, max(1, len(kind.data) // 25)):
            file = InMemory(kind.data[:end])
            with pytest.raises(ImageError) as caught:
                headers = list(FORMATS[name].read_headers(file))
                for frame in range(len(headers)):
                    FORMATS[name].decode(file, frame, max_pixels=MAX_PIXELS)
            assert str(caught.value).endswith(".")


@pytest.mark.parametrize(
    ("image_format", "data"),
    [
        (bmp.FORMAT, b"BM" + bytes(8) + struct.pack("<LLllHHL", 54, 40, 60_000, 60_000, 1, 24, 0) + bytes(20)),
        (bmp.FORMAT, b"BM" + bytes(8) + struct.pack("<LLllHHL", 54, 40, 9, 9, 1, 24, 4) + bytes(400)),
        (bmp.FORMAT, b"BM" + bytes(8) + struct.pack("<LLllHHL", 54, 40, -9, 9, 1, 24, 0) + bytes(400)),
        (pnm.FORMAT, b"P5 60000 60000 255\n" + bytes(100)),
        (pnm.FORMAT, b"P5 3 3 70000\n" + bytes(100)),
        (pnm.FORMAT, b"P5 0 3 255\n" + bytes(100)),
        (pnm.FORMAT, b"P5 3 3 99\n" + b"\xff" * 9),
        (pnm.FORMAT, b"P2 2 2 9\n1 2 x 4"),
        (pnm.FORMAT, b"P2 2 2 9\n1 2 3 99"),
        (pnm.FORMAT, b"P2 60000 600 9\n1 2 3"),
        (pnm.FORMAT, b"P6" + b"#" * 9000),
        (webp.FORMAT, b"RIFF\x16\0\0\0WEBPVP8X\x0a\0\0\0\x02\0\0\0\x09\0\0\x09\0\0"),
        (webp.FORMAT, b"RIFF\x16\0\0\0WEBPABCD" + bytes(14)),
        (gif.FORMAT, b"GIF89a" + bytes(7) + b"\x3b" * 9),
        (gif.FORMAT, b"GIF89a" + bytes(7) + b"\x2c" + bytes(30) + b"\x3b"),
    ],
)  # fmt: skip
def test_nonsense_is_refused_before_memory_is_set_aside(image_format: ImageFormat, data: bytes) -> None:
    with pytest.raises(ImageError):
        list(image_format.read_headers(InMemory(data)))
        image_format.decode(InMemory(data), max_pixels=100_000_000_000)


def test_frames_have_names_and_become_images_of_a_stack(make_stack: MakeStack) -> None:
    stack = make_stack(
        {"a.gif": GIF_KINDS["animation"].data, "b.webp": WEBP_KINDS["lossy"].data, "c.bmp": saved(picture(), "BMP")}
    )
    assert [entry.name for entry in stack.entries] == [
        *(f"a.gif · frame {number}" for number in range(1, 6)),
        "b.webp",
        "c.bmp",
    ]
    for index in range(len(stack)):
        stack.prepare(index, Priority.VISIBLE).result(SECONDS)
        assert stack.error(index) is None
        assert stack.picture(index).media_type == "image/png"
    np.testing.assert_array_equal(stack.values(3), GIF_KINDS["animation"].frames[3])


def test_a_frame_that_goes_leaves_what_was_there_before() -> None:
    def control(number: int, left: int, dispose: int) -> bytes:
        return chunk(b"fcTL", struct.pack(">5L2H2B", number, 2, 4, left, 0, 1, 9, dispose, 0))

    def rows(*colour: int) -> bytes:
        return zlib.compress((b"\0" + bytes(colour) * 2) * 4)

    red, green, blue = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    data = assemble_png(
        header_chunk(4, 4),
        chunk(b"acTL", struct.pack(">2L", 3, 0)),
        chunk(b"fcTL", struct.pack(">5L2H2B", 0, 4, 4, 0, 0, 1, 9, 0, 0)),
        chunk(b"IDAT", zlib.compress((b"\0" + bytes(red) * 4) * 4)),
        control(1, 0, 2),
        chunk(b"fdAT", struct.pack(">L", 2) + rows(*green)),
        control(3, 2, 1),
        chunk(b"fdAT", struct.pack(">L", 4) + rows(*blue)),
        chunk(b"IEND"),
    )
    file = InMemory(data)
    found = [png.FORMAT.decode(file, frame, max_pixels=MAX_PIXELS)[0, :, :3].tolist() for frame in range(3)]
    assert found == [[[*red]] * 4, [[*green]] * 2 + [[*red]] * 2, [[*red]] * 2 + [[*blue]] * 2]


def test_a_still_with_an_announcement_is_the_image_itself() -> None:
    """An animation of one frame that is the image is no animation, and browsers get the file."""
    data = saved(picture(), "PNG")
    announced = data[:33] + b"\0\0\0\x08acTL\0\0\0\x01\0\0\0\0\x31\x7d\xa8\x9d" + data[33:]
    (header,) = png.FORMAT.read_headers(InMemory(announced))
    assert png.FORMAT.browsers_show(header)
    np.testing.assert_array_equal(png.FORMAT.decode(InMemory(announced), max_pixels=MAX_PIXELS), picture())
