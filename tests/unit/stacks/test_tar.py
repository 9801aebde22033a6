"""TAR as a source: what ZIP gives, whoever packed it and however it is compressed."""

from __future__ import annotations

import bz2
import gzip
import lzma
import tarfile
from pathlib import Path

import pytest

from core.base.errors import ArchiveEmpty, NotAZip, QuotaExceeded
from core.base.settings import MIB, Settings
from core.stacks.sources._decompress import zstd
from core.stacks.store import StackStore
from tests.builders import photo_png, zip_bytes
from tests.helpers import open_files, wait_until
from tests.tars import END, PHOTO, Compressed, header, member, padded, pax, record, tar_bytes
from tests.unit.conftest import Open, names, skipped

FILES = {f"b/{number}.png": photo_png(seed=number) for number in (10, 9)} | {"a.png": photo_png(seed=1)}
FORMATS = {"pax": tarfile.PAX_FORMAT, "gnu": tarfile.GNU_FORMAT, "ustar": tarfile.USTAR_FORMAT}
COMPRESSED: list[Compressed] = ["", "gz", "bz2", "xz", "zst"]


@pytest.mark.parametrize("compressed", COMPRESSED)
@pytest.mark.parametrize("made_as", FORMATS)
def test_it_gives_what_its_zip_gives(open_zip: Open, made_as: str, compressed: Compressed) -> None:
    others = {"b/": b"", "notes.txt": b"x", "b/broken.png": b"text", ".hidden.png": PHOTO, "../up.png": PHOTO}
    archive = open_zip(tar_bytes(FILES | others, compressed, FORMATS[made_as]))
    zipped = open_zip(zip_bytes(FILES | others))
    assert names(archive) == names(zipped) == ["a.png", "b/9.png", "b/10.png"]
    assert skipped(archive) == skipped(zipped)
    for index, entry in enumerate(archive.entries):
        file, data = archive.file(index), FILES[entry.name]
        assert archive.read(index) == data
        assert [file.size, file.read(3, 5), file.read(len(data) - 2, 9)] == [len(data), data[3:8], data[-2:]]
        assert b"".join(file.pieces(40)) == data[40:]


@pytest.mark.parametrize("made_as", ["pax", "gnu"])
@pytest.mark.parametrize("name", ["x" * 250 + ".png", "größe/" + "ü" * 120 + ".png", "a/" * 60 + "b.png", "é.png"])
def test_long_and_foreign_names(open_zip: Open, name: str, made_as: str) -> None:
    assert names(open_zip(tar_bytes({name: PHOTO}, tar_format=FORMATS[made_as]))) == [name]


def test_a_long_path_in_two_parts(open_zip: Open) -> None:
    name = "f" * 90 + "/" + "n" * 90 + ".png"
    assert names(open_zip(tar_bytes({name: PHOTO}, tar_format=tarfile.USTAR_FORMAT))) == [name]
    times_of_gnu = header(b"a.png", len(PHOTO), magic=b"ustar  \0", prefix=b"14711011064\0") + padded(PHOTO) + END
    assert names(open_zip(times_of_gnu)) == ["a.png"]


def test_names_that_are_no_utf8_are_repaired(open_zip: Open) -> None:
    assert names(open_zip(member(b"\xff.png") + END)) == [b"\xff.png".decode("cp437")]


def test_sizes_in_octal_in_256s_and_in_pax(open_zip: Open) -> None:
    wide = b"\x80" + len(PHOTO).to_bytes(11, "big")
    sizes = [b"%o" % len(PHOTO), b"%11o " % len(PHOTO), wide]
    for size in sizes:
        assert open_zip(header(size=size) + padded(PHOTO) + END).read(0) == PHOTO
    stated = pax(record(b"size", b"%d" % len(PHOTO))) + header(size=0) + padded(PHOTO) + member(b"b.png") + END
    archive = open_zip(stated)
    assert [archive.read(0), archive.read(1)] == [PHOTO, PHOTO]


def test_headers_before_posix_and_sums_of_signed_numbers(open_zip: Open) -> None:
    old = header(b"a.png", len(PHOTO), b"\0", magic=bytes(8)) + padded(PHOTO)
    assert names(open_zip(old + END)) == ["a.png"]
    plain = header("é.png".encode(), len(PHOTO))
    signed = header("é.png".encode(), len(PHOTO), checksum=b"%06o\0 " % (int(plain[148:154], 8) - 512))
    assert names(open_zip(signed + padded(PHOTO) + END)) == ["é.png"]


def test_comments_times_and_attributes_change_nothing(open_zip: Open) -> None:
    others = [
        record(b"mtime", b"1.5"),
        record(b"SCHILY.xattr.user.note", b"\0\n=" * 9),
        record(b"hdrcharset", b"BINARY"),
    ]
    archive = open_zip(pax(record(b"comment", b"f00"), kind=b"g") + pax(*others) + member() + member(b"b.png") + END)
    assert names(archive) == ["a.png", "b.png"]


def test_equal_names_are_all_kept(open_zip: Open) -> None:
    archive = open_zip(tar_bytes([("x.png", photo_png(seed=1)), ("x.png", photo_png(seed=2))]))
    assert {entry.name: archive.read(index) for index, entry in enumerate(archive.entries)} == {
        "x.png": photo_png(seed=1),
        "x (2).png": photo_png(seed=2),
    }


def test_several_streams_and_what_fills_up_a_tape(open_zip: Open) -> None:
    data = tar_bytes(FILES)
    for pack in (gzip.compress, bz2.compress, lzma.compress, zstd.compress):
        parts = b"".join(pack(data[start : start + 1000]) for start in range(0, len(data), 1000))
        for more in (b"", bytes(512), b"garbage behind it"):
            assert len(open_zip(parts + more).entries) == 3


@pytest.mark.parametrize(
    "data",
    [
        gzip.compress(b"text" * 500, mtime=0),
        bz2.compress(b"x"),
        lzma.compress(b""),
        gzip.compress(PHOTO, mtime=0),
        bytes(10240),
    ],
)
def test_what_holds_no_tar_is_none(open_zip: Open, data: bytes) -> None:
    with pytest.raises(NotAZip, match="not a ZIP archive, TAR archive"):
        open_zip(data)


def test_a_tar_with_nothing_to_show_says_so(open_zip: Open) -> None:
    with pytest.raises(ArchiveEmpty, match="1 not an image"):
        open_zip(tar_bytes({"a.txt": b"x", "f/": b""}))


def test_an_unpacked_one_has_no_name_and_counts_until_it_is_closed(store: StackStore) -> None:
    files = {f"{number}.png": photo_png(200, 200, seed=number) for number in range(20)}
    packed = tar_bytes(files, "gz")
    before = open_files(store.folder)
    with store.receive("somebody") as upload:
        upload.write(packed)
        stack = upload.finish("photos.tar.gz")
    unpacked = len(tar_bytes(files))
    assert store.usage.bytes >= len(packed) + unpacked
    assert len([path for path in store.folder.rglob("*") if path.is_file() and path.name != "lock"]) == 1
    assert [stack.original(index) for index in range(20)] == [files[entry.name] for entry in stack.entries]
    store.delete(stack.id)
    assert store.usage.bytes == 0
    del stack, upload

    def let_go() -> bool:
        store.sweep()
        return open_files(store.folder) <= before

    wait_until(let_go, "the unpacked file to be gone")


def test_it_must_fit_into_the_quota(settings: Settings) -> None:
    store = StackStore(settings.model_copy(update={"max_bytes_per_client": 2 * MIB}))
    try:
        with pytest.raises(QuotaExceeded), store.receive("somebody") as upload:
            upload.write(tar_bytes({"a.png": PHOTO, "text.txt": bytes(range(256)) * 4 * 3 * 1024}, "gz"))
            upload.finish("photos.tar.gz")
        assert store.usage.bytes == store.usage.stacks == 0
    finally:
        store.close()


def test_one_on_disk_is_read_where_it_is(tmp_path: Path, store: StackStore) -> None:
    path = tmp_path / "photos.tar"
    path.write_bytes(tar_bytes(FILES))
    stack = store.open(path, path.name)
    assert stack.original(0) == FILES["a.png"]
    assert not [found for found in store.folder.rglob("*") if found.is_file() and found.name != "lock"]
    store.delete(stack.id)
    assert path.exists()
