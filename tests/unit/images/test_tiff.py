"""TIFF: every kind as tifffile writes it, names of frames, true values, large stacks, and every way to break it."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zipfile
from contextlib import suppress
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps

from core.base.errors import ImageError, ImageTooLarge
from core.base.settings import Settings
from core.base.workers import Priority
from core.images import pixels
from core.images.formats import tiff as format_module
from core.images.formats.format import SAMPLE_TYPES, InMemory
from core.images.formats.tiff import FORMAT
from core.images.memory import decoding_bytes
from core.stacks.store import StackStore
from tests.builders import zip_bytes
from tests.conftest import MakeStack
from tests.helpers import SECONDS, grey_png
from tests.pictures import Kind, picture, saved
from tests.tiffs import TIFF_KINDS, by_hand, tiff

MAX_PIXELS = 1_000_000
DEEP = (np.arange(6 * 20 * 30).reshape(6, 20, 30) * 11).astype(np.uint16)


class Watched(InMemory):
    """A file that counts what is read of it."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.parts: list[tuple[int, int]] = []

    def read(self, start: int = 0, count: int | None = None) -> bytes:
        assert count is not None, "nobody asked for all of it"
        found = super().read(start, count)
        self.parts.append((start, len(found)))
        return found


@pytest.mark.parametrize("kind", TIFF_KINDS.values(), ids=TIFF_KINDS)
def test_every_kind_keeps_its_true_values(kind: Kind) -> None:
    file = Watched(kind.data)
    headers = list(FORMAT.read_headers(file))
    assert headers[0].description == kind.description
    assert len(headers) == len(kind.frames)
    for frame, (header, wanted) in enumerate(zip(headers, kind.frames, strict=True)):
        found = FORMAT.decode(file, frame, max_pixels=MAX_PIXELS)
        assert found.dtype == header.dtype == wanted.dtype
        assert found.dtype.name in SAMPLE_TYPES
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_it_stands_upright_as_pillow_turns_it(orientation: int) -> None:
    data = saved(picture(40, 24), "TIFF", tiffinfo={0x0112: orientation})
    wanted = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))
    (header,) = FORMAT.read_headers(InMemory(data))
    assert (header.height, header.width) == wanted.shape[:2]
    np.testing.assert_array_equal(FORMAT.decode(InMemory(data), max_pixels=MAX_PIXELS), wanted)


def labels(data: bytes) -> list[str]:
    return [header.label for header in FORMAT.read_headers(InMemory(data))]


def test_planes_are_called_by_their_place_in_ome_tiff() -> None:
    data = tiff(DEEP.reshape(1, 3, 2, 20, 30), ome=True, photometric="minisblack", metadata={"axes": "TZCYX"})
    assert labels(data) == [f"c {c} · z {z}" for z in range(3) for c in range(2)]
    data = tiff(DEEP.reshape(2, 3, 20, 30), ome=True, photometric="minisblack", metadata={"axes": "CTYX"})
    assert labels(data) == [f"c {c} · t {t}" for c in range(2) for t in range(3)]


def test_planes_that_ome_puts_elsewhere_are_called_by_where_they_are() -> None:
    xml = (
        '<?xml version="1.0"?><OME><Image><Pixels DimensionOrder="XYZCT" SizeC="1" SizeT="1" SizeX="30" SizeY="20" '
        'SizeZ="3" Type="uint16"><TiffData FirstC="0" FirstT="0" FirstZ="2" IFD="0" PlaneCount="1"/>'
        '<TiffData FirstZ="0" IFD="1"/><TiffData FirstZ="1" IFD="2"/></Pixels></Image></OME>'
    )
    with io.BytesIO() as buffer:
        with tifffile.TiffWriter(buffer) as writer:
            for number, page in enumerate(DEEP[:3]):
                writer.write(page, metadata=None, description=xml if not number else None)
        assert labels(buffer.getvalue()) == ["z 2", "z 0", "z 1"]


def written_as(xml: str, pages: int) -> bytes:
    with io.BytesIO() as buffer:
        with tifffile.TiffWriter(buffer) as writer:
            for number in range(pages):
                writer.write(DEEP[number], metadata=None, description=xml if not number else None)
        return buffer.getvalue()


def test_of_several_files_each_knows_its_own_planes() -> None:
    """All of them have the same text, but for their own name."""
    planes = "".join(
        f'<TiffData FirstZ="{z}" FirstC="{c}" IFD="{z}" PlaneCount="1"><UUID FileName="{c}.ome.tif">urn:uuid:{c}</UUID>'
        "</TiffData>"
        for c in range(2)
        for z in range(3)
    )
    for own in range(2):
        xml = (
            f'<OME UUID="urn:uuid:{own}"><Image><Pixels DimensionOrder="XYZCT" SizeC="2" '
            f'SizeT="1" SizeX="30" SizeY="20" SizeZ="3" Type="uint16">{planes}</Pixels></Image></OME>'
        )
        assert labels(written_as(xml, 3)) == [f"c {own} · z {z}" for z in range(3)]


def set_of_files(channels: int = 2, planes: int = 3) -> dict[str, bytes]:
    """A file for each channel, whose names go the other way, as do their pages: order XYZCT, last plane first."""
    said = "".join(
        f'<TiffData FirstZ="{planes - 1 - page}" FirstC="{c}" IFD="{page}" PlaneCount="1"><UUID>urn:uuid:{c}</UUID>'
        "</TiffData>"
        for c in range(channels)
        for page in range(planes)
    )
    xml = (
        f'<Image><Pixels DimensionOrder="XYZCT" SizeC="{channels}" SizeT="1" SizeX="30" SizeY="20" SizeZ="{planes}" '
        f'Type="uint16">{said}</Pixels></Image></OME>'
    )
    return {f"{channels - c}.ome.tif": written_as(f'<OME UUID="urn:uuid:{c}">{xml}', planes) for c in range(channels)}


def test_a_set_of_files_stands_in_the_order_of_its_planes(make_stack: MakeStack) -> None:
    stack = make_stack({"0.png": grey_png(1), **set_of_files(), "9.png": grey_png(2)})
    names = [f"{2 - c}.ome.tif · c {c} · z {z}" for c in range(2) for z in range(3)]
    assert [entry.name for entry in stack.entries] == ["0.png", *names, "9.png"], "where it stood among the others"
    np.testing.assert_array_equal(stack.values(1)[..., 0], DEEP[2])


def test_a_set_that_lacks_a_file_stays_in_the_order_of_names(make_stack: MakeStack) -> None:
    files = set_of_files(3)
    del files["2.ome.tif"]
    found = [entry.name.split(" · ")[0] for entry in make_stack(files).entries]
    assert found == ["1.ome.tif"] * 3 + ["3.ome.tif"] * 3
    twice = set_of_files() | {"3.ome.tif": set_of_files()["2.ome.tif"]}
    assert make_stack(twice).entries[0].name.startswith("1.ome.tif"), "nor is one with a file twice"


def test_sets_in_two_folders_are_two(make_stack: MakeStack) -> None:
    files = {f"{folder}/{name}": data for folder in "ba" for name, data in set_of_files().items()}
    found = [entry.name.partition(" · ")[0] for entry in make_stack(files).entries]
    assert found == [f"{folder}/{2 - c}.ome.tif" for folder in "ab" for c in range(2) for _ in range(3)]


def test_images_of_a_file_are_told_apart() -> None:
    one = '<Image><Pixels DimensionOrder="XYZCT" SizeX="30" SizeY="20" SizeZ="{}">{}</Pixels></Image>'
    images = one.format(2, '<TiffData IFD="0" PlaneCount="2"/>') + one.format(3, '<TiffData IFD="2" PlaneCount="3"/>')
    found = labels(written_as(f'<?xml version="1.0"?><OME>{images}</OME>', 6))
    assert found == ["image 1 · z 0", "image 1 · z 1", "image 2 · z 0", "image 2 · z 1", "image 2 · z 2", "page 6"]


def test_colours_of_a_page_are_no_channels_of_ome() -> None:
    photos = np.stack([picture(16, 16, seed=seed) for seed in range(2)])
    data = tiff(photos, ome=True, photometric="rgb", metadata={"axes": "ZYXS"})
    assert labels(data) == ["z 0", "z 1"]


def test_planes_are_called_as_imagej_orders_them() -> None:
    data = tiff(DEEP.reshape(1, 3, 2, 20, 30), imagej=True, metadata={"axes": "TZCYX"})
    assert labels(data) == [f"c {c} · z {z}" for z in range(3) for c in range(2)]


def test_other_pages_are_numbered_and_a_single_one_is_not() -> None:
    assert labels(tiff(list(DEEP))) == [f"page {number}" for number in range(1, 7)]
    assert labels(tiff(DEEP[0])) == [""]


def test_channels_beside_each_other_are_frames() -> None:
    five = np.moveaxis(DEEP[:5], 0, 2)
    for planar in ("contig", "separate"):
        written = five if planar == "contig" else np.ascontiguousarray(DEEP[:5])
        data = tiff(written, photometric="minisblack", planarconfig=planar, metadata=None, compression="zlib")
        assert labels(data) == [f"channel {number}" for number in range(5)]
        for channel in range(5):
            found = FORMAT.decode(InMemory(data), channel, max_pixels=MAX_PIXELS)
            np.testing.assert_array_equal(found[..., 0], DEEP[channel])


@pytest.mark.parametrize(
    "text",
    [
        "<Pixels" + " " * 100,
        '<OME><Pixels DimensionOrder="XYXYXY" SizeC="9">',
        '<Pixels DimensionOrder="XYCZT" SizeC="999999999" SizeZ="999999999"><TiffData IFD="0" PlaneCount="999999999"/>',
        "ImageJ=1.11a\nchannels=0\nslices=999999999\n",
        '<!DOCTYPE x [<!ENTITY a "&a;&a;">]><Pixels SizeZ="&a;">',
    ],
)
def test_descriptions_that_make_no_sense_do_no_harm(text: str) -> None:
    with io.BytesIO() as buffer:
        with tifffile.TiffWriter(buffer) as writer:
            for number, page in enumerate(DEEP[:2]):
                writer.write(page, metadata=None, description=text if not number else None)
        found = labels(buffer.getvalue())
    assert len(found) == len(set(found)) == 2


def test_of_many_pages_only_the_one_asked_for_is_read() -> None:
    pages = [np.full((64, 64), number, np.uint16) for number in range(50)]
    file = Watched(tiff(pages))
    assert len(list(FORMAT.read_headers(file))) == 50
    assert sum(size for _, size in file.parts) < 50 * 1200, "directories, and no pixels"
    file.parts.clear()
    assert FORMAT.decode(file, 49, max_pixels=MAX_PIXELS).min() == 49
    assert sum(size for _, size in file.parts) < 64 * 64 * 2 + 3000
    assert len(file.parts) < 6


def test_a_page_takes_memory_for_itself_and_not_for_its_file() -> None:
    (header, *_) = FORMAT.read_headers(InMemory(tiff(list(DEEP))))
    assert decoding_bytes(FORMAT, header, 10**10) == decoding_bytes(FORMAT, header, 10**6) < 200_000


def test_smaller_copies_and_masks_are_no_frames() -> None:
    with io.BytesIO() as buffer:
        with tifffile.TiffWriter(buffer) as writer:
            writer.write(DEEP[0], metadata=None)
            writer.write(DEEP[0, ::2, ::2], metadata=None, subfiletype=1)
            writer.write(DEEP[1], metadata=None)
        file = InMemory(buffer.getvalue())
    headers = list(FORMAT.read_headers(file))
    assert [(header.width, header.label) for header in headers] == [(30, "page 1"), (30, "page 2")]
    np.testing.assert_array_equal(FORMAT.decode(file, 1, max_pixels=MAX_PIXELS)[..., 0], DEEP[1])


@pytest.mark.parametrize("dtype", ["int16", "int32", "uint32", "float32", "float64"])
def test_what_is_shown_goes_from_the_lowest_to_the_highest_value(dtype: str) -> None:
    samples = np.array([[-100, 0, 100]], np.float64)[..., np.newaxis]
    values = samples.astype(dtype) if dtype != "uint32" else (samples + 3_000_000_000).astype(np.uint32)
    np.testing.assert_array_equal(pixels.to_rgb(values)[0, :, 0], [0, 128, 255])


def test_what_is_no_number_is_black_and_has_no_part_in_the_range() -> None:
    values = np.array([[np.nan, -np.inf, 2.0, 4.0, 3.0, np.inf]], np.float32)[..., np.newaxis]
    np.testing.assert_array_equal(pixels.to_rgb(values)[0, :, 0], [0, 0, 0, 255, 128, 255])
    nothing = np.full((2, 2, 1), np.nan, np.float32)
    np.testing.assert_array_equal(pixels.to_rgb(nothing), 0)
    signalling = np.array([[0x7FF0000000000001, 0, 0x7FEFFFFFFFFFFFFF, 0xFFEFFFFFFFFFFFFF]], np.uint64).view(np.float64)
    with np.errstate(all="raise"):
        np.testing.assert_array_equal(pixels.to_rgb(signalling[..., np.newaxis])[0, :, 0], [0, 128, 255, 0])
    huge = np.array([[-1.7e308, 1.7e308, 0.0]])[..., np.newaxis]
    np.testing.assert_array_equal(pixels.to_rgb(huge)[0, :, 0], [0, 255, 128])


def directory(tags: list[tuple[int, int, int, int]], following: int = 0) -> bytes:
    """A little-endian TIFF of one directory at 8; each tag is number, type, count, value."""
    entries = b"".join(struct.pack("<HHLL", *tag) for tag in tags)
    return b"II*\0" + struct.pack("<LH", 8, len(tags)) + entries + struct.pack("<L", following) + bytes(64)


def plain(**other: Any) -> bytes:
    tags = {256: 4, 257: 4, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: 4, 279: 16}
    tags |= {int(name[1:]): value for name, value in other.items()}
    return directory([(tag, 4, 1, value) for tag, value in sorted(tags.items())])


def j2k(samples: np.ndarray[Any, Any]) -> bytes:
    eight = np.ascontiguousarray(samples.astype(np.uint8))
    return bytes(imagecodecs.jpeg2k_encode(eight, reversible=True, codecformat="j2k"))


BROKEN = {
    "empty": b"",
    "text": b"This is no image, whatever its name says.",
    "header alone": b"II*\0\x08\0\0\0",
    "no directory": b"II*\0\0\0\0\0",
    "directory beyond the file": b"II*\0\xff\xff\xff\x7f",
    "a circle": directory([(256, 4, 1, 4)], following=8),
    "no width": plain(t256=0),
    "width of 4 billion": plain(t256=0xFFFFFFFF),
    "65,535 samples": plain(t277=65535),
    "no samples": plain(t277=0),
    "no bits": plain(t258=0),
    "24 bits": plain(t258=24),
    "3 bits of differences": plain(t258=3, t317=2),
    "WebP that is none": plain(t259=50001),
    "JPEG 2000 that is none": plain(t259=34712),
    "JPEG 2000 of another size": by_hand((20, 30), 8, 34712, 1, j2k(DEEP[0, :19, :30] >> 8)),
    "JPEG 2000 of another depth": by_hand((20, 30), 16, 34712, 1, j2k(DEEP[0] >> 8)),
    "JPEG 2000 of more colours": by_hand((20, 30), 8, 34712, 1, j2k(picture(30, 20))),
    "WebP of another size": by_hand((20, 30, 3), 8, 50001, 2, saved(picture(31, 20), "WEBP", lossless=True)),
    "complex numbers": plain(t339=5),
    "compressed as a fax": plain(t259=4),
    "compressed in an unknown way": plain(t259=4711),
    "CIELab": plain(t262=8),
    "palette without one": plain(t262=3),
    "a predictor of its own": plain(t317=99),
    "strip beyond the file": plain(t273=0x7FFFFFFF),
    "fewer bytes than pixels": plain(t256=400, t257=400, t278=400),
    "more strips than there are": plain(t278=1),
    "tiles of no size": plain(t322=0, t323=7),
    "tiles of a million": plain(t322=1_000_000, t323=1_000_000),
    "a million and one strips": directory([(256, 4, 1, 4), (257, 4, 1, 4), (273, 4, 1_000_001, 8)]),
    "5,000 tags": b"II*\0\x08\0\0\0" + struct.pack("<H", 5000) + bytes(60_004),
    "LZW that is none": plain(t259=5),
    "Deflate that is none": plain(t259=8),
    "zstd that is none": plain(t259=50000),
    "LZMA that is none": plain(t259=34925),
    "JPEG that is none": plain(t259=7),
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
def test_broken_file_is_an_error_and_never_pixels(data: bytes) -> None:
    with pytest.raises(ImageError) as caught:
        list(FORMAT.read_headers(InMemory(data)))
        FORMAT.decode(InMemory(data), max_pixels=MAX_PIXELS)
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize("name", ["strips", "packed tiles", "BigTIFF", "JPEG tiles", "planar", "lzma"])
def test_cut_off_anywhere_it_is_refused(name: str) -> None:
    kind = TIFF_KINDS[name]
    for end in range(0, len(kind.data), max(1, len(kind.data) // 40)):
        with pytest.raises(ImageError):
            FORMAT.decode(InMemory(kind.data[:end]), max_pixels=MAX_PIXELS)


def test_a_large_page_is_refused_by_its_directory() -> None:
    with pytest.raises(ImageTooLarge, match="60000 x 60000"):
        FORMAT.decode(InMemory(plain(t256=60_000, t257=60_000)), max_pixels=MAX_PIXELS)


@pytest.mark.parametrize("compression", [8, 50000, 34925])
def test_a_bomb_unfolds_to_what_its_page_calls_for(compression: int) -> None:
    name = {8: "zlib", 50000: "zstd", 34925: "lzma"}[compression]
    packed = tiff(
        np.zeros((4000, 4000), np.uint8), compression=name, metadata=None, photometric="minisblack", rowsperstrip=4000
    )
    with tifffile.TiffFile(io.BytesIO(packed)) as file:
        page = file.pages[0]
        strip = packed[page.dataoffsets[0] : page.dataoffsets[0] + page.databytecounts[0]]
    bomb = plain(t259=compression, t279=len(strip), t273=186)[:186].ljust(186, b"\0") + strip
    tracemalloc.start()
    with suppress(ImageError):  # some say beforehand how much there is
        assert FORMAT.decode(InMemory(bomb), max_pixels=MAX_PIXELS).shape == (4, 4, 1)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 10_000_000 < 4000 * 4000, "LZMA has a dictionary of 8 MiB"


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED], ids=["stored", "deflated"])
def test_pages_become_images_of_a_stack(store: StackStore, compression: int) -> None:
    data = tiff(list(DEEP), compression="zlib")
    stack = store.create(
        io.BytesIO(zip_bytes({"cells.tif": data, "a.png": saved(picture(), "PNG")}, compression)), "a.zip"
    )
    assert [entry.name for entry in stack.entries] == [
        "a.png",
        *(f"cells.tif · page {number}" for number in range(1, 7)),
    ]
    for index in (6, 1, 3):
        stack.prepare(index, Priority.VISIBLE).result(SECONDS)
        assert stack.error(index) is None
        np.testing.assert_array_equal(stack.values(index)[..., 0], DEEP[index - 1])
    assert stack.original(1) == data
    assert stack.file_bytes == len(data) + stack.entries[0].file_size, "a file of six pages counts once"
    assert store.usage.bytes >= (len(data) if compression == zipfile.ZIP_DEFLATED else 0)


def test_a_deflated_file_is_unpacked_once_and_counts(settings: Settings) -> None:
    data = tiff([np.random.default_rng(number).integers(0, 999, (300, 300)).astype(np.uint16) for number in range(8)])
    usage = []
    for compression in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        store = StackStore(settings)
        packed = zip_bytes({"a.tif": data}, compression)
        stack = store.create(io.BytesIO(packed), "a.zip")
        for index in range(8):
            stack.values(index)
        usage.append(store.usage.bytes - len(packed))
        store.close()
    assert usage[1] - usage[0] >= len(data) - 1024 * 1024
    assert usage[1] - usage[0] <= len(data) + 1024 * 1024


def test_a_file_of_pages_may_be_larger_than_a_single_image(settings: Settings) -> None:
    data = tiff(list(DEEP))
    small = settings.model_copy(update={"max_entry_bytes": len(data) - 1})
    store = StackStore(small)
    photo = saved(np.random.default_rng(0).integers(0, 256, (100, 100, 3)).astype(np.uint8), "PNG")
    stack = store.create(io.BytesIO(zip_bytes({"a.tif": data, "b.png": photo}, zipfile.ZIP_STORED)), "a.zip")
    assert len(stack) == 6
    assert [skipped.code for skipped in stack.skipped] == ["entry_too_large"]
    store.close()


def test_it_is_one_of_the_formats_and_knows_its_names(make_stack: MakeStack) -> None:
    assert format_module.FORMAT.extensions[:2] == (".tif", ".tiff")
    stack = make_stack({"A.TIFF": tiff(DEEP[0]), "b.ome.tif": tiff(DEEP[1])})
    assert [entry.name for entry in stack.entries] == ["A.TIFF", "b.ome.tif"]
