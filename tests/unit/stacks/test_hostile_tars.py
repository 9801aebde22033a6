"""TARs made to do harm: what they must not achieve."""

from __future__ import annotations

import bz2
import gzip
import lzma
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.base.errors import AppError, ArchiveError, ArchiveTruncated, ImageError, LimitExceeded
from core.base.settings import MIB, Settings
from core.stacks.sources import open_source
from core.stacks.sources._decompress import Compression, compression_of, zstd
from core.stacks.sources.source import Scratch
from core.stacks.store import StackStore
from tests.builders import photo_png, zip_bytes
from tests.fuzz.targets import check_tar
from tests.helpers import open_files
from tests.hostile import UNSAFE_NAMES
from tests.tars import END, PHOTO, header, member, padded, pax, record, tar_bytes
from tests.unit.conftest import Open, names, skipped

GOOD = member(b"good.png")
WHOLE = tar_bytes({"a.png": PHOTO, "b/c.png": photo_png(5, 5), "d.txt": b"text"})


@pytest.mark.parametrize("name", UNSAFE_NAMES)
def test_no_name_leads_to_a_file_outside(open_zip: Open, name: str, tmp_path: Path) -> None:
    archive = open_zip(tar_bytes([(name, PHOTO), ("good.png", PHOTO)]))
    assert "good.png" in names(archive)
    assert {path.name for path in tmp_path.iterdir()} == {"0.zip"}


@pytest.mark.parametrize("kind", [b"1", b"2", b"3", b"4", b"6", b"D", b"M", b"N", b"V", b"?"])
def test_links_devices_and_what_nobody_knows_are_skipped(open_zip: Open, kind: bytes) -> None:
    data = b"" if kind in b"12346" else PHOTO
    archive = open_zip(member(b"odd.png", data, kind) + GOOD + END)
    assert (names(archive), skipped(archive)) == (["good.png"], {"odd.png": "special_file"})


def test_a_link_that_states_a_size_hides_no_file(open_zip: Open) -> None:
    """Other programs read the next header right behind it; so do we, or names would stand for other bytes here."""
    for kind in (b"1", b"2", b"5", b"6"):
        archive = open_zip(header(b"x.png", 512, kind) + GOOD + END)
        assert archive.read(names(archive).index("good.png")) == PHOTO


def test_files_with_holes_are_skipped_and_what_follows_is_right(open_zip: Open) -> None:
    gnu = bytearray(header(b"holes.png", len(PHOTO), b"S", magic=b"ustar  \0"))
    gnu[482] = 1
    gnu[148:156] = b" " * 8
    gnu[148:156] = b"%06o\0 " % sum(gnu)
    goes_on, last = bytes(504) + b"\1" + bytes(7), bytes(512)
    archive = open_zip(bytes(gnu) + goes_on + last + padded(PHOTO) + GOOD + END)
    assert (names(archive), skipped(archive)) == (["good.png"], {"holes.png": "unsupported_compression"})
    by_pax = pax(record(b"GNU.sparse.major", b"1"), record(b"GNU.sparse.realsize", b"1" + b"0" * 15)) + member(b"h.png")
    assert skipped(open_zip(by_pax + GOOD + END)) == {"h.png": "unsupported_compression"}
    with pytest.raises(ArchiveError, match="damaged"):
        open_zip(bytes(gnu) + 2000 * goes_on + last + GOOD + END)


def test_a_nested_archive_is_never_opened(open_zip: Open) -> None:
    inner = {"inner.zip": zip_bytes({"a.png": PHOTO}), "inner.tar": WHOLE, "inner.png": WHOLE, "inner.tar.gz": b"x"}
    archive = open_zip(tar_bytes(inner | {"good.png": PHOTO}))
    assert names(archive) == ["good.png"]
    assert skipped(archive) == {
        "inner.zip": "not_an_image",
        "inner.tar": "not_an_image",
        "inner.png": "image_invalid",
        "inner.tar.gz": "not_an_image",
    }


def test_a_tar_that_ends_as_a_zip_is_a_tar(open_zip: Open) -> None:
    assert names(open_zip(GOOD + member(b"z.zip", zip_bytes({"other.png": PHOTO})) + END)) == ["good.png"]


REFUSED: dict[str, tuple[bytes, type[AppError], str]] = {
    "no end": (GOOD, ArchiveTruncated, "ends too early"),
    "half a block of end": (GOOD + bytes(511), ArchiveTruncated, "ends too early"),
    "size beyond the file": (header(size=10**6) + END, ArchiveTruncated, "ends too early"),
    "endless size": (header(size=b"\x80" + b"\xff" * 11) + END, ArchiveTruncated, "ends too early"),
    "negative size": (GOOD + header(size=b"\xff" * 12) + END, ArchiveError, "damaged"),
    "size that is no number": (GOOD + header(size=b"12_3") + END, ArchiveError, "damaged"),
    "signed size": (GOOD + header(size=b"-1") + END, ArchiveError, "damaged"),
    "wrong checksum": (GOOD + header(checksum=b"000000\0 ") + END, ArchiveError, "damaged"),
    "no checksum": (GOOD + header(checksum=bytes(8)) + END, ArchiveError, "damaged"),
    "a name of megabytes": (member(b"", b"x" * 2**21, b"L") + GOOD + END, LimitExceeded, "one file"),
    "attributes of megabytes": (pax(record(b"a", bytes(2**21))) + GOOD + END, LimitExceeded, "one file"),
    "a size of a name beyond the file": (header(b"", 1000, b"L") + END[:512], ArchiveTruncated, "too early"),
    "names before names": (9 * member(b"", b"x.png", b"L") + GOOD + END, ArchiveError, "damaged"),
    "records without length": (pax(b"path=x\n") + GOOD + END, ArchiveError, "damaged"),
    "a record longer than all": (pax(b"99 path=x\n") + GOOD + END, ArchiveError, "damaged"),
    "a record shorter than itself": (pax(b"3 path=x\n") + GOOD + END, ArchiveError, "damaged"),
    "a record of a million digits": (pax(b"9" * 200_000 + b" a=b\n") + GOOD + END, ArchiveError, "damaged"),
    "a name for all files": (pax(record(b"path", b"x.png"), kind=b"g") + GOOD + END, ArchiveError, "damaged"),
    "a size for all files": (pax(record(b"size", b"1"), kind=b"g") + GOOD + END, ArchiveError, "damaged"),
    "a size in pax that is none": (pax(record(b"size", b"-5")) + GOOD + END, ArchiveError, "damaged"),
    "a size of digits without end": (pax(record(b"size", b"9" * 30)) + GOOD + END, ArchiveError, "damaged"),
    "gzip cut off": (gzip.compress(GOOD + END, mtime=0)[:-20], ArchiveTruncated, "ends too early"),
    "gzip damaged": (gzip.compress(GOOD + END, mtime=0)[:-6] + b"xxxxxx", ArchiveError, "damaged"),
    "bzip2 damaged": (bz2.compress(GOOD + END)[:-6] + b"xxxxxx", ArchiveError, "TAR|damaged"),
    "xz cut off": (lzma.compress(GOOD + END)[:-20], ArchiveTruncated, "ends too early"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_it_is_refused_in_a_sentence_and_leaves_nothing(store: StackStore, kind: str) -> None:
    data, error, sentence = REFUSED[kind]
    before = open_files(store.folder)
    with pytest.raises(error, match=sentence), store.receive("somebody") as upload:
        upload.write(data)
        upload.finish("a.tar")
    assert store.usage.bytes == store.usage.stacks == 0
    assert [path.name for path in store.folder.iterdir()] == ["lock"]
    assert open_files(store.folder) == before


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress, zstd.compress])
def test_cut_off_anywhere_it_is_refused(open_zip: Open, pack: Callable[[bytes], bytes]) -> None:
    data = pack(member(b"a.png") + member(b"b.png") + END)
    for length in range(0, len(data) - (len(END) // 2 if pack is bytes else 1), 31):
        with pytest.raises(ArchiveError):
            open_zip(data[:length])


def test_so_many_files_are_refused(open_zip: Open) -> None:
    data = tar_bytes({f"{number}.txt": b"" for number in range(9)} | {"a.png": PHOTO})
    with pytest.raises(LimitExceeded, match="more than 9 files"):
        open_zip(data, max_entries=9)
    assert len(open_zip(data, max_entries=10).entries) == 1


def test_so_many_bytes_are_refused(open_zip: Open) -> None:
    data = tar_bytes({"a.png": PHOTO, "b.png": PHOTO})
    for pack in (bytes, gzip.compress):
        with pytest.raises(LimitExceeded, match="MiB"):
            open_zip(pack(data), max_total_bytes=2 * len(PHOTO) - 1)
        assert len(open_zip(pack(data), max_total_bytes=2 * len(PHOTO)).entries) == 2


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress, zstd.compress])
def test_a_bomb_is_not_unpacked_beyond_the_limits(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "bomb.tar"
    path.write_bytes(pack(member(b"a.png", PHOTO + bytes(30 * MIB)) + END))
    taken: list[int] = []
    limits = Settings(max_compression_ratio=20, max_total_bytes=64 * MIB)
    tracemalloc.start()
    with pytest.raises(LimitExceeded, match="compressed far more"):
        open_source(path, limits, Scratch(tmp_path, taken.append))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sum(count for count in taken if count > 0) <= max(20 * path.stat().st_size, MIB) + MIB
    assert sum(taken) == 0, "all given back"
    assert peak < 12 * MIB
    assert list(tmp_path.iterdir()) == [path]


def test_what_wants_a_gigabyte_to_be_unpacked_is_refused(open_zip: Open) -> None:
    header_of_xz = bytearray(lzma.compress(WHOLE, lzma.FORMAT_XZ))
    assert header_of_xz[16] < 29, "the size of its dictionary, as a code"
    header_of_xz[16] = 38  # 2 GiB
    header_of_xz[20:24] = zlib.crc32(header_of_xz[12:20]).to_bytes(4, "little")
    # A frame without a single segment: descriptor, window of 1 GiB, then one block that would be raw.
    frame_of_zstd = b"\x28\xb5\x2f\xfd\x00" + bytes([20 << 3]) + (1 | len(WHOLE) << 3).to_bytes(3, "little") + WHOLE
    for greedy in (bytes(header_of_xz), frame_of_zstd):
        with pytest.raises(ArchiveError, match="damaged"):
            open_zip(greedy)
    small_window = frame_of_zstd[:5] + bytes([10 << 3]) + frame_of_zstd[6:]
    assert names(open_zip(small_window)) == ["a.png", "b/c.png"], "only the window made the difference"


def test_a_header_of_gzip_without_end_is_passed_in_no_time(open_zip: Open) -> None:
    name = b"\x1f\x8b\x08\x08" + bytes(6) + b"n" * (4 * MIB)
    with pytest.raises(ArchiveError):
        open_zip(name)


def test_streams_without_number_are_refused() -> None:
    compression = compression_of(gzip.compress(b""))
    assert compression is not None
    for streams, most in ((50, 50), (51, 50)):
        data = iter([gzip.compress(b"x") * streams])
        if streams <= most:
            assert b"".join(compression.pieces(lambda _, data=data: next(data, b""), most)) == b"x" * streams
        else:
            with pytest.raises(ArchiveError, match="damaged"):
                list(compression.pieces(lambda _, data=data: next(data, b""), most))


def test_no_piece_is_larger_than_it_may_be() -> None:
    packed = zlib.compress(bytes(50 * MIB), wbits=31)
    data = iter([packed[start : start + 70_000] for start in range(0, len(packed), 70_000)])
    compression = compression_of(packed)
    assert isinstance(compression, Compression)
    sizes = [len(piece) for piece in compression.pieces(lambda _: next(data, b""))]
    assert (sum(sizes), max(sizes)) == (50 * MIB, MIB)


def test_a_tar_cut_off_while_it_is_open_is_an_error_of_images(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(WHOLE)
    with open_source(path, Settings()) as archive:
        path.write_bytes(WHOLE[:600])
        with pytest.raises(ImageError, match="cut off"):
            archive.read(0)


@st.composite
def headers(draw: st.DrawFn) -> bytes:
    """Headers with right checksums, whatever else they say."""
    parts = []
    for _ in range(draw(st.integers(1, 5))):
        name = draw(st.binary(max_size=20)) + b".png"
        data = draw(st.sampled_from([PHOTO, b"", b"text", PHOTO + bytes(3000), record(b"path", b"x.png")]))
        kind = draw(st.sampled_from([b"0", b"\0", b"1", b"2", b"5", b"x", b"g", b"L", b"K", b"S", b"7", b"?"]))
        size = draw(
            st.just(len(data)) | st.just(len(data)) | st.integers(0, 5000) | st.binary(min_size=12, max_size=12)
        )
        prefix = draw(st.just(b"") | st.binary(max_size=30))
        magic = draw(st.sampled_from([b"ustar\x0000", b"ustar  \0", bytes(8)]))
        parts.append(header(name, size, kind, magic=magic, prefix=prefix) + padded(data))
    return b"".join(parts) + draw(st.sampled_from([END, b"", bytes(512), END + b"more"]))


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Some bytes of a whole one changed, cut out or put in, and compressed in some way afterwards or before."""
    pack = draw(st.sampled_from([bytes, gzip.compress, bz2.compress, lzma.compress, zstd.compress]))
    data = bytearray(draw(st.sampled_from([WHOLE, pack(WHOLE)])))
    for _ in range(draw(st.integers(0, 5))):
        position = draw(st.integers(0, len(data)))
        data[position : position + draw(st.integers(0, 8))] = draw(st.binary(max_size=8))
    return bytes(data)


bounded = settings(deadline=None)  # the number of examples is the profile's


@given(headers())
@bounded
def test_any_headers_are_read_or_refused(data: bytes) -> None:
    check_tar(data)


@given(damaged())
@bounded
def test_any_damage_is_read_or_refused(data: bytes) -> None:
    check_tar(data)
