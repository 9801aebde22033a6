"""Properties over archives and PNGs of any make: ``--hypothesis-profile=long`` looks for minutes, not seconds."""

from __future__ import annotations

import struct
import zipfile
import zlib
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import BROKEN_PNGS, PNG_KINDS, assemble_png, chunk, header_chunk, photo_png, png_of_kind, zip_bytes
from tests.fuzz.targets import check_archive, check_png
from tests.hostile import directory_entry, directory_of, local_file, quoted_overlap, same_bytes_many_times, zip64_bytes

SUITE = [path.read_bytes() for path in sorted((Path(__file__).parents[2] / "data" / "pngsuite").glob("*.png"))]
PHOTO = photo_png(3, 2)
ARCHIVES = [
    zip_bytes({"a.png": PHOTO, "b/c.png": PHOTO, "d.txt": b"text"}),
    zip_bytes([("a.png", PHOTO), ("a.png", PHOTO)], zipfile.ZIP_STORED),
    zip64_bytes({"a.png": PHOTO, "b.png": PHOTO}),
    quoted_overlap(3),
    same_bytes_many_times(3),
]

bounded = settings(deadline=None)  # the number of examples is the profile's
edges = st.sampled_from([0, 1, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF])


@st.composite
def damaged(draw: st.DrawFn, originals: st.SearchStrategy[bytes]) -> bytes:
    """Some bytes changed, cut out or put in, some numbers made extreme, the end cut off or followed by something."""
    data = bytearray(draw(originals))
    for _ in range(draw(st.integers(0, 5))):
        # From the end: there an archive has its directory.
        position = max(0, len(data) - draw(st.integers(1, 120) | st.integers(1, len(data) or 1)))
        new = draw(st.binary(max_size=8) | edges.map(lambda number: struct.pack("<I", number)))
        data[position : position + draw(st.integers(0, 8))] = new
    whole = st.just(len(data))
    end = draw(whole | whole | whole | st.integers(0, len(data)))
    return bytes(data[:end] + draw(st.just(b"") | st.binary(max_size=30)))


@st.composite
def png_chunks(draw: st.DrawFn) -> bytes:
    """Images of any kind and pixels, made of chunks that are each in order, with more of them wherever they fit."""
    color_type, samples = draw(st.sampled_from([(0, 1), (2, 3), (3, 1), (4, 2), (6, 4)]))
    bit_depth = draw(st.sampled_from([1, 2, 4, 8, 16]))
    width, height = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    row_bytes = (width * bit_depth * samples + 7) // 8
    row = st.builds(
        bytes.__add__,
        st.sampled_from([b"\0", b"\1", b"\2", b"\3", b"\4"]),
        st.binary(min_size=row_bytes, max_size=row_bytes),
    )
    rows = draw(st.lists(row, min_size=height, max_size=height))
    packed = zlib.compress(b"".join(rows) + draw(st.just(b"") | st.binary(max_size=9)), draw(st.integers(0, 9)))
    cut = draw(st.integers(0, len(packed)))
    palette = bytes(range(3 * draw(st.integers(1, 20))))
    parts = [chunk(b"PLTE", palette), chunk(b"IDAT", packed[:cut]), chunk(b"IDAT", packed[cut:]), chunk(b"IEND")]
    kinds = st.sampled_from([b"tRNS", b"PLTE", b"IDAT", b"tEXt", b"acTL", b"fcTL", b"fdAT", b"gAMA", b"sBIT", b"ABCD"])
    for kind, content in draw(st.lists(st.tuples(kinds, st.binary(max_size=20)), max_size=3)):
        parts.insert(draw(st.integers(0, len(parts))), chunk(kind, content))
    header = header_chunk(width, height, bit_depth, color_type, 0, 0, draw(st.integers(0, 1)))
    return assemble_png(header, *parts)


@st.composite
def stated_otherwise(draw: st.DrawFn) -> bytes:
    """Archives of which the directory says of each file what it likes."""
    names = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12) | st.just("a")
    contents = st.sampled_from([PHOTO, *BROKEN_PNGS.values(), PHOTO + bytes(3000), b""])
    files = draw(st.lists(st.tuples(names.map(lambda name: f"{name}.png"), contents), min_size=1, max_size=5))
    fields = {
        "file_size": edges | st.integers(0, 2**40),
        "compress_size": edges | st.integers(0, 200),
        "header_offset": edges | st.integers(0, 600),
        "compress_type": st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, 9, 12, 14]),
        "flag_bits": st.sampled_from([0, 1, 8, 0x800, 0xFFFF]),
        "external_attr": st.integers(0, 2**32 - 1),
        "create_system": st.sampled_from([0, 3, 19]),
        "extra": st.binary(max_size=30),
        "comment": st.binary(max_size=30),
        "CRC": edges,
    }
    lies = draw(st.lists(st.tuples(st.integers(0, len(files) - 1), st.sampled_from(sorted(fields))), max_size=4))
    values = [(position, field, draw(fields[field])) for position, field in lies]
    seen: list[zipfile.ZipInfo] = []

    def edit(info: zipfile.ZipInfo) -> None:
        for position, field, value in values:
            if position == len(seen):
                setattr(info, field, value)
        seen.append(info)

    return zip_bytes(files, draw(st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])), edit)


@st.composite
def own_directory(draw: st.DrawFn) -> bytes:
    """Real files, and a directory that lists them at any place, as often and under whatever bytes it likes."""
    local = local_file("0.png")
    body = local * 3
    starts = st.sampled_from([0, len(local), 2 * len(local)])
    entries = st.builds(
        directory_entry,
        st.binary(max_size=10).map(lambda name: name + b".png"),
        starts | starts | st.integers(0, len(body)),
        st.sampled_from([PHOTO, body[-len(PHOTO) - len(local) :], body[-len(PHOTO) - 2 * len(local) :], b""]),
    )
    return directory_of(draw(st.lists(entries, max_size=50)), body, draw(st.integers(0, 2**16 - 1)))


@given(damaged(st.sampled_from(ARCHIVES)))
@bounded
def test_damaged_archives(data: bytes) -> None:
    check_archive(data)


@given(stated_otherwise() | damaged(stated_otherwise()))
@bounded
def test_archives_whose_directory_lies(data: bytes) -> None:
    check_archive(data)


@given(own_directory() | damaged(own_directory()))
@bounded
def test_archives_whose_directory_lists_anything(data: bytes) -> None:
    check_archive(data)


@given(damaged(st.sampled_from(SUITE) | st.sampled_from(PNG_KINDS).map(png_of_kind)))
@bounded
def test_damaged_images(data: bytes) -> None:
    check_png(data)


@given(png_chunks())
@bounded
def test_images_of_any_chunks(data: bytes) -> None:
    check_png(data)
