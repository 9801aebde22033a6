"""Willem van Schaik's PngSuite, every file of it, against two decoders that share no code with the product's."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.base.errors import ImageError
from core.base.workers import Priority
from core.images import pixels
from core.images.formats.png import HEADER_BYTES, SIGNATURE, decode, read_header, strip
from core.images.samples import pack
from core.stacks.stack import ImageStack
from tests.builders import read_samples

SUITE = {path.name: path.read_bytes() for path in (Path(__file__).parents[2] / "data" / "pngsuite").glob("*.png")}
CORRUPT = {name: data for name, data in SUITE.items() if name.startswith("x")}  # the suite's own naming
VALID = {name: data for name, data in SUITE.items() if name not in CORRUPT}
# What the suite says is wrong with each of them that cannot be seen in the header.
DAMAGED_BEHIND_THE_HEADER = {"xcsn0g01.png", "xdtn0g01.png"}  # a wrong checksum of the data; no data at all
MAX_PIXELS = 10_000

each_valid_file = pytest.mark.parametrize("data", VALID.values(), ids=VALID)


def chunks_of(data: bytes) -> list[tuple[bytes, bytes]]:
    """Each chunk's type, and all of its bytes."""
    position, found = len(SIGNATURE), []
    while position < len(data):
        end = position + 12 + int.from_bytes(data[position : position + 4], "big")
        found.append((data[position + 4 : position + 8], data[position:end]))
        position = end
    return found


def reference(data: bytes) -> tuple[np.ndarray, int]:
    """What pypng decodes, and the highest value; without sBIT, by which pypng shifts values and no viewer does."""
    return read_samples(SIGNATURE + b"".join(whole for kind, whole in chunks_of(data) if kind != b"sBIT"))


def test_the_suite_is_complete() -> None:
    assert (len(VALID), len(CORRUPT)) == (161, 14)


@each_valid_file
def test_valid_file_decodes_exactly_as_pypng_does(data: bytes) -> None:
    samples, maximum = reference(data)
    decoded = decode(data, max_pixels=MAX_PIXELS)
    assert decoded.dtype == (np.uint16 if read_header(data).bit_depth == 16 else np.uint8)
    np.testing.assert_array_equal(decoded, samples * (255 // maximum) if maximum < 255 else samples)


@each_valid_file
def test_valid_file_decodes_exactly_as_pillow_does(data: bytes) -> None:
    """As far as Pillow goes: it cuts 16-bit colour to 8 bits, and misses the transparent colour of 4-bit grey."""
    decoded = decode(data, max_pixels=MAX_PIXELS)
    with Image.open(io.BytesIO(data)) as image:
        if image.mode == "I;16":
            np.testing.assert_array_equal(decoded[..., 0], np.asarray(image))
            return
        rgba = np.asarray(image.convert("RGBA"))
    upper = decoded if decoded.dtype == np.uint8 else (decoded >> 8).astype(np.uint8)
    colours = upper[..., : 1 if upper.shape[2] < 3 else 3]
    np.testing.assert_array_equal(np.broadcast_to(colours, (*colours.shape[:2], 3)), rgba[..., :3])
    if read_header(data).description == "4-bit grey":
        return
    alpha = upper[..., -1] if upper.shape[2] in (2, 4) else np.full(upper.shape[:2], 255)
    np.testing.assert_array_equal(alpha, rgba[..., 3])


@each_valid_file
def test_valid_file_is_shown_by_the_rules(data: bytes) -> None:
    samples, maximum = reference(data)
    has_alpha = samples.shape[2] in (2, 4)
    colour = samples[..., :-1] if has_alpha else samples
    alpha = samples[..., -1:] / maximum if has_alpha else np.ones((*samples.shape[:2], 1))
    low, high = 0, maximum
    if read_header(data).bit_depth == 16:
        visible = colour[alpha[..., 0] > 0]
        low, high = visible.min(), visible.max()
    unit = np.clip((colour - low) / (high - low), 0, 1)
    exact = 255 * (unit * alpha + 1 - alpha)
    shown = pixels.to_rgb(decode(data, max_pixels=MAX_PIXELS))
    assert (shown.shape, shown.dtype) == ((*samples.shape[:2], 3), np.uint8)
    # Rounded once without transparency; with it colour, alpha and their blend are each rounded.
    assert np.abs(shown - exact).max() <= (1.5 if has_alpha else 0.5) + 1e-9


@pytest.mark.parametrize("with_gzip", [False, True])
@each_valid_file
def test_values_are_the_raw_samples(data: bytes, with_gzip: bool) -> None:
    samples, maximum = reference(data)
    body, headers = pack(decode(data, max_pixels=MAX_PIXELS), gzip=with_gzip)
    if "Content-Encoding" in headers:
        assert with_gzip
        body = gzip.decompress(body)
    shape = tuple(map(int, headers["X-Image-Shape"].split(",")))
    values = np.frombuffer(body, {"uint8": "u1", "uint16": "<u2"}[headers["X-Image-Dtype"]]).reshape(shape)
    np.testing.assert_array_equal(values, samples * max(1, 255 // maximum))


@each_valid_file
def test_stripped_file_has_the_same_pixels_and_nothing_else(data: bytes) -> None:
    stripped = strip(data)
    kinds = [kind for kind, _ in chunks_of(stripped)]
    assert set(kinds) <= {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}
    assert len(kinds) == len(set(kinds))
    np.testing.assert_array_equal(reference(stripped)[0], reference(data)[0])


@pytest.mark.parametrize("name", CORRUPT)
def test_corrupt_file_is_refused(name: str) -> None:
    with pytest.raises(ImageError, match=r"The (PNG|file|image) .*; .*\.$"):
        decode(CORRUPT[name], max_pixels=MAX_PIXELS)
    if name not in DAMAGED_BEHIND_THE_HEADER:
        with pytest.raises(ImageError):
            read_header(CORRUPT[name][:HEADER_BYTES])


def test_corrupt_files_leave_the_rest_of_their_stack_working(
    make_stack: Callable[[Mapping[str, bytes]], ImageStack],
) -> None:
    stack = make_stack(SUITE)
    for _, job in stack.prepare_ahead(range(len(stack))):
        job.result()
    names = [entry.name for entry in stack.entries]
    reasons = {names[index]: error for index in range(len(stack)) if (error := stack.error(index)) is not None}
    assert set(reasons) == DAMAGED_BEHIND_THE_HEADER
    assert {skipped.name for skipped in stack.skipped} == set(CORRUPT) - DAMAGED_BEHIND_THE_HEADER
    assert all(reason.endswith(".") for reason in [*reasons.values(), *(skipped.reason for skipped in stack.skipped)])
    for name, data in VALID.items():
        index = stack.find(name)
        assert stack.original(index) == data
        assert stack.prepare(index, Priority.VISIBLE).done()
        assert stack.thumbnail(index).startswith(b"\xff\xd8")
