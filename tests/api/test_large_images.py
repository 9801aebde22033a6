"""Images too large to be held while they are sent: the same answers, made as they are read."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image

from core.base.settings import MIB
from core.base.workers import Priority
from core.images.pixels import to_rgb
from core.images.strips import LARGE_PIXELS
from core.images.windowing import apply_window
from tests.api.conftest import MakeService, Service, assert_problem
from tests.api.server import Connection, running
from tests.builders import SIGNATURE, chunk, header_chunk, photo_png, zip_bytes
from tests.helpers import SECONDS, wait_until

SIDE = 4100
assert SIDE * SIDE > LARGE_PIXELS
ROWS, COLUMNS = (np.arange(SIDE, dtype=np.uint16) // 16 for _ in range(2))
VALUES = (ROWS[:, None] * 31 + COLUMNS[None, :] * 17 + 700)[..., None]
NOISE = np.random.default_rng(0).integers(0, 65536, (2500, 2500, 1), np.uint16)


def large_png(values: np.ndarray = VALUES, level: int = 1) -> bytes:
    """A 16-bit grey PNG, made faster than pypng makes one."""
    height, width, _ = values.shape
    rows = np.zeros((height, 1 + 2 * width), np.uint8)
    rows[:, 1:] = values.astype(">u2").view(np.uint8).reshape(height, -1)
    packed = zlib.compress(rows.tobytes(), level)
    return SIGNATURE + header_chunk(width, height, 16, 0) + chunk(b"IDAT", packed) + chunk(b"IEND")


LARGE = large_png()
# Beyond what is sent in one piece.
BULKY = large_png(NOISE, level=0)


def _bulky_8_bit() -> bytes:
    rows = np.zeros((3000, 3001), np.uint8)
    rows[:, 1:] = np.random.default_rng(1).integers(0, 256, (3000, 3000))
    parts = (header_chunk(3000, 3000, 8, 0), chunk(b"tEXt", b"a\0b"), chunk(b"IDAT", zlib.compress(rows.tobytes(), 0)))
    return SIGNATURE + b"".join(parts) + chunk(b"IEND")


BULKY_8_BIT = _bulky_8_bit()


@pytest.fixture
def service(make_service: MakeService) -> Service:
    return make_service()


def images_of(service: Service, files: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> str:
    stack = service.store.create(io.BytesIO(zip_bytes(files, compression)), "large.zip")
    return f"/api/v1/stacks/{stack.id}/images"


def shown(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def test_pictures_and_values_are_those_of_the_whole_image(service: Service) -> None:
    images = images_of(service, {"large.png": LARGE})
    client = service.client
    for query, wanted in (
        ("", to_rgb(VALUES)),
        ("?invert=true", 255 - to_rgb(VALUES)),
        ("?low=800&high=9000", apply_window(VALUES, 800, 9000)),
        ("?low=800&high=9000&invert=true", apply_window(VALUES, 800, 9000, invert=True)),
    ):
        answer = client.get(f"{images}/0/display{query}")
        assert answer.status_code == 200
        np.testing.assert_array_equal(shown(answer.content), wanted)
        again = client.get(f"{images}/0/display{query}", headers={"If-None-Match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
    for encoding in ("identity", "gzip"):
        answer = client.get(f"{images}/0/values", headers={"Accept-Encoding": encoding})
        assert answer.headers["x-image-shape"] == f"{SIDE},{SIDE},1"
        assert answer.headers["x-image-dtype"] == "uint16"
        assert answer.headers.get("content-encoding", "identity") == encoding
        np.testing.assert_array_equal(np.frombuffer(answer.content, "<u2").reshape(VALUES.shape), VALUES)
    assert Image.open(io.BytesIO(client.get(f"{images}/0/thumbnail").content)).size == (242, 242)
    wait_until(lambda: service.store.answers.used == service.store.memory.used == 0, "nothing is held any more")


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_bulky_file_is_sent_as_it_is_or_in_part(service: Service, compression: int) -> None:
    images = images_of(service, {"bulky.png": BULKY, "8 bit.png": BULKY_8_BIT}, compression)
    client = service.client
    assert client.get(f"{images}/1").content == BULKY
    for asked, wanted in (("bytes=1000-9999999", BULKY[1000:10_000_000]), ("bytes=-17", BULKY[-17:])):
        part = client.get(f"{images}/1", headers={"Range": asked})
        assert (part.status_code, part.content) == (206, wanted)
        assert int(part.headers["content-length"]) == len(wanted)
    assert client.get(f"{images}/1", headers={"Range": "bytes=99999999-"}).status_code == 416
    for_browsers = client.get(f"{images}/0/display").content
    assert b"tEXt" not in for_browsers
    np.testing.assert_array_equal(shown(for_browsers), shown(BULKY_8_BIT))
    wait_until(lambda: service.store.answers.used == service.store.memory.used == 0, "nothing is held any more")


def test_what_cannot_be_read_is_said_before_anything_is_sent(service: Service) -> None:
    broken = bytearray(LARGE)
    broken[-20] ^= 1
    images = images_of(service, {"broken.png": bytes(broken)})
    for path in ("display", "display?low=1&high=9", "values"):
        assert_problem(service.client.get(f"{images}/0/{path}"), 422, "image_invalid", "damaged")
    assert service.store.answers.used == 0


def test_a_bulky_file_that_is_damaged_in_its_archive_is_not_begun(service: Service) -> None:
    archive = zip_bytes({"bulky.png": BULKY}, zipfile.ZIP_STORED)
    at = archive.index(BULKY) + len(BULKY) // 2
    damaged = archive[:at] + bytes([archive[at] ^ 1]) + archive[at + 1 :]
    stack = service.store.create(io.BytesIO(damaged), "damaged.zip")
    for path in ("", "/display"):
        response = service.client.get(f"/api/v1/stacks/{stack.id}/images/0{path}")
        assert_problem(response, 422, "image_invalid", "")


def test_an_interlaced_one_is_recognised_but_not_shown_otherwise(service: Service) -> None:
    header = struct.pack(">2I5B", SIDE, SIDE, 16, 0, 0, 0, 1)
    passes = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
    rows = sum(
        len(range(row, SIDE, down)) * (1 + 2 * len(range(column, SIDE, across))) for column, row, across, down in passes
    )
    packed = zlib.compress(bytes(rows), 1)
    interlaced = SIGNATURE + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND")
    images = images_of(service, {"interlaced.png": interlaced})
    assert service.client.get(f"{images}/0/thumbnail").status_code == 200
    for path in ("values", "display", "display?low=1&high=2"):
        assert_problem(service.client.get(f"{images}/0/{path}"), 413, "image_too_large", "interlac")


def test_answers_nobody_reads_keep_little_and_keep_no_other_client_waiting(make_service: MakeService) -> None:
    service = make_service(workers=2, max_waiting_per_client=64, image_memory_bytes=256 * MIB)
    middle = large_png(VALUES[:1500, :1500])  # 4.5 MB of values, in one piece
    images = images_of(service, {"large.png": LARGE, "middle.png": middle, "small.png": photo_png()})
    store = service.store
    paths = [f"{images}/{index}/{kind}" for index in (0, 1) for kind in ("values", "display", "display?low=1&high=900")]
    with running(service.api) as address:
        idle = [Connection(address, "127.0.0.2") for _ in range(30)]
        for number, connection in enumerate(idle):
            connection.head("GET", paths[number % len(paths)])
        wait_until(lambda: store.answers.waiting > 0, "there is no room for all their answers")
        assert store.answers.used <= 256 * MIB // 16
        for path in (*paths, f"{images}/2/values", f"{images}/2"):
            with Connection(address, "127.0.0.3") as honest:
                honest.head("GET", path)
                assert honest.answer().status == 200
        for connection in idle:
            connection.close()
        wait_until(lambda: store.answers.used == store.answers.waiting == store.memory.used == 0, "all is given back")


def test_work_for_a_stack_that_is_deleted_ends_in_the_middle(service: Service) -> None:
    images = images_of(service, {"large.png": LARGE})
    stack = service.store.get(images.split("/")[4])
    stack.prepare(0, Priority.VISIBLE).result(SECONDS)
    with running(service.api) as address, Connection(address) as connection:
        connection.head("GET", f"{images}/0/values")
        assert connection.line().split()[1] == b"200"
        service.store.delete(stack.id)
        assert len(connection.rest()) < VALUES.nbytes
    wait_until(lambda: service.store.memory.used == service.store.answers.used == 0, "nothing is held for it")


def test_a_large_image_that_is_being_prepared_ends_with_its_stack(service: Service) -> None:
    stack = service.store.create(io.BytesIO(zip_bytes({f"{number}.png": LARGE for number in range(40)})), "many.zip")
    jobs = [stack.prepare(index, Priority.INGEST) for index in range(40)]
    service.store.delete(stack.id)
    ended = [job.exception(SECONDS) is not None for job in jobs]
    assert ended.count(True) >= 36, "at most those that were done before"
