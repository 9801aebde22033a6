"""How stacks come in: to disk as it arrives, within limits, and without a trace where it fails."""

from __future__ import annotations

import threading
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from anyio import CapacityLimiter, create_task_group, run
from fastapi.testclient import TestClient
from httpx2 import Response
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import Message

from core.api import receive
from core.api.file_form import FORM_OVERHEAD_BYTES, HEADER_BYTES
from core.base.settings import MIB, Settings
from core.stacks.quota import Usage
from core.stacks.store import StackStore
from core.stacks.upload import Upload
from tests.api.conftest import ARCHIVE, FILES, NAMES, MakeService, Service, assert_problem, greys_zip
from tests.api.server import Answer, Connection, running
from tests.helpers import SECONDS, grey_png, wait_until
from tests.tars import tar_bytes

STACKS = "/api/v1/stacks"
ZIP = {"Content-Type": "application/zip"}
SMALL = greys_zip(2)
BOUNDARY = "----frontier"
FORM = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
NOTHING = Usage(0, 0)


def part(disposition: str, content: bytes, *headers: str) -> bytes:
    lines = [f"--{BOUNDARY}", f"Content-Disposition: form-data; {disposition}", *headers, "", ""]
    return "\r\n".join(lines).encode() + content + b"\r\n"


END = f"--{BOUNDARY}--\r\n".encode()
FILE = part('name="file"; filename="a.zip"', SMALL, "Content-Type: application/zip")


def post_form(client: TestClient, body: bytes, headers: dict[str, str] = FORM, path: str = STACKS) -> Response:
    return client.post(path, content=body, headers=headers)


def assert_clean(service: Service) -> None:
    """Nothing of an upload is left: no file, no place taken in the quota, no stack."""
    wait_until(lambda: service.store.usage == NOTHING, f"the quota to be free again: {service.store.usage}")
    assert service.left_behind == []
    assert len(service.store) == 0


class TestCreate:
    @pytest.mark.parametrize("kind", ["application/zip", "application/x-zip-compressed", "Application/ZIP; x=y"])
    def test_the_body_may_be_the_zip_itself(self, client: TestClient, kind: str) -> None:
        response = client.post(f"{STACKS}?name=photos.zip", content=ARCHIVE, headers={"Content-Type": kind})
        assert response.status_code == 201
        body = response.json()
        assert body["name"] == "photos.zip"
        assert [image[0] for image in body["images"]] == NAMES
        assert {entry["code"] for entry in body["skipped"]} == {"not_an_image", "hidden"}
        assert response.headers["location"] == f"{STACKS}/{body['stack_id']}"
        assert client.get(response.headers["location"]).json() == body
        assert client.get(f"{STACKS}/{body['stack_id']}/images/0").content == FILES[NAMES[0]]
        assert "set-cookie" not in response.headers, "the id is in the answer"

    def test_or_a_form(self, client: TestClient) -> None:
        response = client.post(STACKS, files={"file": ("photos.zip", ARCHIVE, "application/zip")})
        assert (response.status_code, response.json()["name"]) == (201, "photos.zip")
        assert [image[0] for image in response.json()["images"]] == NAMES

    def test_without_a_length_too(self, client: TestClient) -> None:
        def pieces() -> Iterator[bytes]:
            yield from (ARCHIVE[start : start + 1000] for start in range(0, len(ARCHIVE), 1000))

        assert client.post(STACKS, content=pieces(), headers=ZIP).status_code == 201

    @pytest.mark.parametrize("kind", ["text/plain", "application/json", "", "nonsense", "image/any"])
    def test_another_type_is_refused(self, make_service: MakeService, kind: str) -> None:
        service = make_service()
        response = service.client.post(STACKS, content=SMALL, headers={"Content-Type": kind})
        assert_problem(response, 415, "unsupported_type", "Send the ZIP as application")
        assert_clean(service)

    @pytest.mark.parametrize(
        ("kind", "name", "data"),
        [
            ("application/x-tar", "", tar_bytes({"1.png": grey_png(1), "2.png": grey_png(2)})),
            ("application/gzip", "photos.tgz", tar_bytes({"1.png": grey_png(1), "2.png": grey_png(2)}, "gz")),
            ("application/zip", "misnamed.zip", tar_bytes({"1.png": grey_png(1), "2.png": grey_png(2)}, "xz")),
            ("application/octet-stream", "photos.TAR", SMALL),
        ],
    )
    def test_what_archive_it_is_the_content_says(self, client: TestClient, kind: str, name: str, data: bytes) -> None:
        response = client.post(STACKS, params={"name": name}, content=data, headers={"Content-Type": kind})
        assert (response.status_code, len(response.json()["images"])) == (201, 2)
        assert response.json()["name"] == (name or "stack.zip")

    @pytest.mark.parametrize(
        ("kind", "name", "shown"),
        [
            ("image/png", "", "image.png"),
            ("image/png", "a.PNG", "a.PNG"),
            ("application/octet-stream", "a.png", "a.png"),
        ],
    )
    def test_one_image_is_a_stack_of_one(self, client: TestClient, kind: str, name: str, shown: str) -> None:
        response = client.post(STACKS, params={"name": name}, content=grey_png(7), headers={"Content-Type": kind})
        body = response.json()
        assert (response.status_code, body["name"], [image[0] for image in body["images"]]) == (201, shown, [shown])
        assert client.get(f"{STACKS}/{body['stack_id']}/images/0").content == grey_png(7)

    def test_bytes_that_are_no_image_do_not_become_one_by_their_name(self, make_service: MakeService) -> None:
        service = make_service()
        response = service.client.post(f"{STACKS}?name=a.png", content=b"text", headers={"Content-Type": "image/png"})
        assert_problem(response, 422, "archive_empty", "1 image invalid")
        assert_clean(service)

    @pytest.mark.parametrize("name", ["photos.rar", "notes.txt", ".", "a.zip/b.c", "x" * 256])
    def test_another_name_is_refused(self, make_service: MakeService, name: str) -> None:
        service = make_service()
        response = service.client.post(STACKS, params={"name": name}, content=SMALL, headers=ZIP)
        assert response.status_code == 400
        assert response.json()["code"] in ("not_a_zip", "invalid_request")
        assert_clean(service)

    @pytest.mark.parametrize("name", ["stack", "a.b/IM0001", "1.2.840.7"])
    def test_a_name_that_says_nothing_is_left_to_the_content(self, make_service: MakeService, name: str) -> None:
        service = make_service()
        assert service.client.post(STACKS, params={"name": name}, content=SMALL, headers=ZIP).status_code == 201
        alone = service.client.post(
            STACKS, params={"name": name}, content=grey_png(7), headers={"Content-Type": "image/png"}
        )
        assert alone.status_code == 201
        response = service.client.post(STACKS, params={"name": name}, content=b"text", headers=ZIP)
        assert (response.status_code, response.json()["code"]) == (400, "not_a_zip")

    def test_deleting_gives_everything_back(self, make_service: MakeService) -> None:
        service = make_service()
        location = service.client.post(STACKS, content=SMALL, headers=ZIP).headers["location"]
        assert service.left_behind
        response = service.client.delete(location)
        assert (response.status_code, response.content) == (204, b"")
        assert_clean(service)
        for again in (service.client.delete(location), service.client.get(location)):
            assert_problem(again, 404, "stack_not_found", "does not exist or has expired")

    def test_a_stack_cannot_be_deleted_by_who_does_not_know_it(self, make_service: MakeService) -> None:
        service = make_service()
        location = service.client.post(STACKS, content=SMALL, headers=ZIP).headers["location"]
        for other in (f"{STACKS}/unknown", f"{STACKS}/..", location[:-1], f"{location}x"):
            assert service.client.delete(other).status_code in (404, 405)
        assert service.client.get(location).status_code == 200


class TestForms:
    @pytest.mark.parametrize(
        ("disposition", "name"),
        [
            ('name="file"; filename="größe.zip"', "größe.zip"),
            ('name="file"; filename="C:\\photos\\summer.zip"', "summer.zip"),
            ('name="file"; filename="../../etc/summer.zip"', "summer.zip"),
            ('name="file"; filename="a\\"b.zip"', 'a"b.zip'),
            ('filename="first.zip"; name="file"', "first.zip"),
            ('name="file"; filename="' + "x" * 1000 + '.ZIP"', "x" * 251 + ".ZIP"),
        ],
    )
    def test_a_files_name_is_the_last_part_of_what_the_client_says(
        self, client: TestClient, disposition: str, name: str
    ) -> None:
        response = post_form(client, part(disposition, SMALL) + END)
        assert (response.status_code, response.json().get("name")) == (201, name)

    def test_other_fields_do_not_matter(self, client: TestClient) -> None:
        body = part('name="comment"', b"hello") + part('name="photo"; filename="x.zip"', b"x") + FILE + END
        response = post_form(client, body)
        assert (response.status_code, response.json()["name"], len(response.json()["images"])) == (201, "a.zip", 2)

    @pytest.mark.parametrize("piece", [1, 2, 3, 50])
    def test_it_does_not_matter_where_the_network_cuts(self, store: StackStore, settings: Settings, piece: int) -> None:
        async def create(request: Request) -> PlainTextResponse:
            stack = await receive.receive_stack(request, store, settings, "a", "", piece_bytes=1)
            return PlainTextResponse(stack.original(1))

        body = FILE + END

        def pieces() -> Iterator[bytes]:
            yield from (body[start : start + piece] for start in range(0, len(body), piece))

        client = TestClient(Starlette(routes=[Route("/", create, methods=["POST"])]))
        assert client.post("/", content=pieces(), headers=FORM).content == grey_png(1)

    @pytest.mark.parametrize(
        ("body", "headers", "text"),
        [
            (b"", FORM, "No file provided"),
            (END, FORM, "No file provided"),
            (part('name="file"', SMALL) + END, FORM, "No file provided"),
            (part('name="file"; filename=""', b"") + END, FORM, "No file provided"),
            (part('name="zip"; filename="a.zip"', SMALL) + END, FORM, "No file provided"),
            (part('name="file"; filename="a.rar"', SMALL) + END, FORM, "Only .zip files are allowed"),
            (FILE, FORM, "ends too early"),
            (FILE + END[:-5], FORM, "ends too early"),
            (FILE[:-100], FORM, "ends too early"),
            (b"no form at all", FORM, "malformed"),
            (FILE + END, {"Content-Type": "multipart/form-data"}, "names no boundary"),
            (FILE + END, {"Content-Type": "multipart/form-data; boundary="}, "names no boundary"),
            (FILE + END, {"Content-Type": "multipart/form-data; boundary=other"}, "malformed"),
            (FILE + END, {"Content-Type": "multipart/form-data; boundary=" + "b" * 1000}, "boundary is not valid"),
            (part('name="file"; filename="a.zip"', SMALL, "X-Large: " + "x" * 100_000) + END, FORM, "malformed"),
            (part('name="file"; filename="a.zip"', SMALL, *["X-Many: x"] * 5000) + END, FORM, "malformed"),
            (part('name="comment"', bytes(FORM_OVERHEAD_BYTES + HEADER_BYTES)) + FILE + END, FORM, "too much beside"),
            (FILE + part('name="x"; filename="b.zip"', bytes(100_000)) + END, FORM, "too much beside"),
            (part('name="file"; filename="a.png"', b"", "X-Large: " + "x" * 4000) * 400 + END, FORM, "too much beside"),
            (part('name="a"', b"") * 2000 + FILE + END, FORM, "too much beside"),
        ],
        ids=lambda value: None if isinstance(value, bytes | dict) else value[:20],
    )
    def test_a_bad_form_gets_one_sentence_and_leaves_nothing(
        self, make_service: MakeService, body: bytes, headers: dict[str, str], text: str
    ) -> None:
        service = make_service()
        response = post_form(service.client, body, headers)
        assert response.status_code == 400
        assert_problem(response, 400, response.json()["code"], text)
        assert_clean(service)

    def test_both_doors_say_the_same_two_sentences(self, client: TestClient) -> None:
        for path in ("/upload", STACKS):
            nothing = post_form(client, part('name="file"; filename=""', b"") + END, path=path)
            assert_problem(nothing, 400, "invalid_request", "No file provided")
            wrong = post_form(client, part('name="file"; filename="a.rar"', SMALL) + END, path=path)
            assert_problem(wrong, 400, "not_a_zip", "Only .zip files are allowed")


def form_of(files: dict[str, bytes]) -> bytes:
    return b"".join(part(f'name="file"; filename="{name}"', data) for name, data in files.items()) + END


class TestSeveralFiles:
    def test_they_are_one_stack_with_the_rules_of_all_others(self, client: TestClient) -> None:
        others = {"holiday/notes.txt": b"x" * 1000, "holiday/broken.png": b"text", "holiday/a.zip": SMALL}
        files = {f"holiday/b/{number}.png": grey_png(number) for number in (10, 9)} | {"holiday/a.png": grey_png(1)}
        response = post_form(client, form_of(others | files))
        body = response.json()
        assert (response.status_code, body["name"]) == (201, "holiday")
        assert [image[0] for image in body["images"]] == ["holiday/a.png", "holiday/b/9.png", "holiday/b/10.png"]
        assert {item["name"]: item["code"] for item in body["skipped"]} == {
            "holiday/notes.txt": "not_an_image",
            "holiday/broken.png": "image_invalid",
            "holiday/a.zip": "not_an_image",
        }
        for index, image in enumerate(body["images"]):
            assert client.get(f"{STACKS}/{body['stack_id']}/images/{index}").content == files[image[0]]

    @pytest.mark.parametrize(
        ("names", "query", "title"),
        [
            (["a.png", "b.png"], "", "2 files"),
            (["a.png", "b.png"], "?name=Scans", "Scans"),
            (["x/a.png", "y/b.png"], "", "2 files"),
            (["x/a.png", "b.png"], "", "2 files"),
            (["x/a.png", "x/y/b.png"], "?name=Scans", "x"),
            (["x/a.png"], "", "a.png"),
        ],
    )
    def test_what_they_are_called_together(self, client: TestClient, names: list[str], query: str, title: str) -> None:
        response = post_form(client, form_of({name: grey_png(1) for name in names}), path=STACKS + query)
        assert response.json()["name"] == title
        assert {image[0] for image in response.json()["images"]} == set(names)

    def test_the_short_door_takes_them_too(self, client: TestClient) -> None:
        files = [("file", (f"{number}.png", grey_png(number))) for number in (1, 2)]
        response = client.post("/upload", files=files)
        assert (response.status_code, response.json()["filenames"]) == (200, ["1.png", "2.png"])
        predicted = client.get("/uploaded_images/2.png")
        assert predicted.content == grey_png(2)

    def test_equal_names_stay_two_images(self, client: TestClient) -> None:
        body = form_of({"a.png": grey_png(1)})[: -len(END)] + form_of({"a.png": grey_png(2)})
        assert [image[0] for image in post_form(client, body).json()["images"]] == ["a.png", "a (2).png"]

    @pytest.mark.parametrize("name", ["../../etc/a.png", "/etc/a.png", "C:/a.png", "a\x1b.png", "x" * 3000 + ".png"])
    def test_no_name_is_a_path(self, make_service: MakeService, name: str) -> None:
        service = make_service()
        response = post_form(service.client, form_of({name: grey_png(1), "good.png": grey_png(2)}))
        assert [image[0] for image in response.json()["images"]] == ["good.png"]
        assert [item["code"] for item in response.json()["skipped"]] == ["unsafe_name"]
        files = [path for path in service.store.folder.rglob("*") if path.is_file() and path.name != "lock"]
        assert [path.name for path in files] == ["stack.zip"]
        assert files[0].stat().st_size == len(grey_png(1) + grey_png(2))

    @pytest.mark.parametrize(
        ("files", "sentence"),
        [
            ({"a.zip": SMALL, "b.zip": SMALL}, "Send one archive at a time"),
            ({"a.zip": SMALL, "b.txt": b"x"}, "Send one archive at a time"),
            ({"a.txt": b"x", "b.txt": b"x"}, "2 not an image"),
        ],
        ids=["two archives", "archive and text", "two texts"],
    )
    def test_without_an_image_they_are_refused(
        self, make_service: MakeService, files: dict[str, bytes], sentence: str
    ) -> None:
        service = make_service()
        assert_problem(post_form(service.client, form_of(files)), 422, "archive_empty", sentence)
        assert_clean(service)

    def test_so_many_and_no_more(self, make_service: MakeService) -> None:
        service = make_service(max_entries=3)
        files = {f"{number}.png": grey_png(number) for number in range(4)}
        response = post_form(service.client, form_of(files))
        assert_problem(response, 413, "limit_exceeded", "At most 3 files")
        assert_clean(service)
        del files["3.png"]
        assert post_form(service.client, form_of(files)).status_code == 201

    @pytest.mark.parametrize("name", ["a.png", "a.txt"])
    def test_all_together_they_are_held_to_the_limit(self, make_service: MakeService, name: str) -> None:
        service = make_service(max_upload_bytes=MIB)
        files = {name: bytes(MIB // 2), f"b/{name}": bytes(MIB // 2 + 1)}
        assert_problem(post_form(service.client, form_of(files)), 413, "limit_exceeded", "1 MB")
        assert_clean(service)

    def test_a_files_own_limit_holds_too(self, make_service: MakeService) -> None:
        service = make_service(max_entry_bytes=1000)
        response = post_form(service.client, form_of({"a.png": grey_png(1), "b.png": grey_png(2) + bytes(1000)}))
        assert [item["code"] for item in response.json()["skipped"]] == ["entry_too_large"]

    def test_cut_off_between_two_files_nothing_stays(self, make_service: MakeService) -> None:
        service = make_service()
        body = form_of({"a.png": grey_png(1), "b.png": grey_png(2)})
        for end in (len(body) - len(END), len(form_of({"a.png": grey_png(1)})) - len(END), len(body) - 200):
            assert_problem(post_form(service.client, body[:end]), 400, "invalid_request", "ends too early")
        assert_clean(service)


@given(
    position=st.integers(0, len(FILE + END)),
    removed=st.integers(0, 40),
    inserted=st.binary(max_size=40),
    cut=st.integers(1, 500),
)
@hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_happens_to_a_form_it_is_answered_in_words_and_leaves_nothing(
    client: TestClient, store: StackStore, position: int, removed: int, inserted: bytes, cut: int
) -> None:
    body = FILE + END
    changed = body[:position] + inserted + body[position + removed :]
    response = client.post(
        STACKS, content=(changed[start : start + cut] for start in range(0, len(changed), cut)), headers=FORM
    )
    if response.status_code == 201:
        store.delete(response.json()["stack_id"])
    else:
        assert response.status_code in (400, 413, 422)
        assert response.headers["content-type"] == "application/problem+json"
    assert store.usage == NOTHING


class TestLimits:
    def test_a_large_body_is_never_in_memory(self, make_service: MakeService, monkeypatch: pytest.MonkeyPatch) -> None:
        size = 24 * MIB
        largest = 0
        write = Upload.write

        def watched(upload: Upload, piece: bytes) -> None:
            nonlocal largest
            largest = max(largest, len(piece))
            write(upload, piece)

        monkeypatch.setattr(Upload, "write", watched)
        service = make_service()
        piece = bytes(64 * 1024)
        with running(service.api) as address, Connection(address) as connection:
            tracemalloc.start()
            try:
                connection.head("POST", STACKS, Content_Type="application/zip", Content_Length=size)
                for _ in range(size // len(piece)):
                    connection.send(piece)
                answer = connection.answer()
                _, peak = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
        assert (answer.status, answer.json()["code"]) == (400, "not_a_zip")
        assert peak < size / 3, f"{peak / MIB:.1f} MB of memory for an upload of {size / MIB:.0f} MB"
        assert 0 < largest <= receive.PIECE_BYTES + 256 * 1024
        assert_clean(service)

    def test_bytes_are_on_disk_long_before_the_last_one_is_sent(self, make_service: MakeService) -> None:
        service = make_service()
        with running(service.api) as address, Connection(address) as connection:
            connection.head("POST", STACKS, Content_Type="application/zip", Content_Length=100 * MIB)
            connection.send(bytes(3 * MIB))

            def written() -> int:
                return sum(path.stat().st_size for path in service.store.folder.rglob("stack.zip"))

            wait_until(lambda: written() >= 2 * MIB, "bytes on disk")
            assert service.store.usage.stacks == 1
        assert_clean(service)

    def test_a_client_that_goes_away_leaves_nothing(self, make_service: MakeService) -> None:
        service = make_service()
        with running(service.api) as address:
            for sent in (0, 100, 2 * MIB):
                with Connection(address) as connection:
                    connection.head("POST", STACKS, Content_Type="application/zip", Content_Length=10 * MIB)
                    connection.send(bytes(sent))
                    wait_until(lambda: service.store.usage.stacks == 1, "the upload to begin")
                assert_clean(service)

    def test_nothing_arrives_for_too_long(self, make_service: MakeService) -> None:
        service = make_service()
        with running(service.api, Settings(upload_idle_seconds=1)) as address, Connection(address) as connection:
            connection.head("POST", STACKS, Content_Type="application/zip", Content_Length=1000)
            connection.send(b"some")
            answer = connection.answer()
            assert (answer.status, answer.json()["code"]) == (408, "upload_timed_out")
            wait_until(lambda: service.store.usage.stacks == 0, "its place to be given back")
        assert_clean(service)

    def test_too_large_by_its_own_word_is_refused_before_anything_is_kept(self, make_service: MakeService) -> None:
        service = make_service(max_upload_bytes=MIB)
        with running(service.api) as address, Connection(address) as connection:
            connection.head("POST", STACKS, Content_Type="application/zip", Content_Length=10**12)
            answer = connection.answer()
        assert (answer.status, answer.json()["code"]) == (413, "limit_exceeded")
        assert "1 MB" in answer.json()["detail"]
        assert_clean(service)

    def test_too_large_without_saying_so_is_refused_on_the_way(self, make_service: MakeService) -> None:
        service = make_service(max_upload_bytes=2 * MIB)
        chunk = b"%x\r\n" % MIB + bytes(MIB) + b"\r\n"
        with running(service.api) as address, Connection(address) as connection:
            connection.head("POST", STACKS, Content_Type="application/zip", Transfer_Encoding="chunked")
            for _ in range(6):
                connection.send(chunk)
            connection.send(b"0\r\n\r\n")
            answer = connection.answer()
        assert (answer.status, answer.json()["code"]) == (413, "limit_exceeded")
        assert_clean(service)

    @pytest.mark.parametrize(
        ("limits", "headers", "status"),
        [
            ({"max_upload_bytes": MIB}, {"Content_Type": "application/zip"}, 413),
            ({}, {"Content_Type": "text/plain"}, 415),
            ({"max_bytes_per_client": MIB}, {"Content_Type": "application/zip"}, 429),
            ({}, {"Content_Type": FORM["Content-Type"]}, 400),
        ],
    )
    def test_a_client_that_is_still_sending_gets_to_read_the_refusal(
        self, make_service: MakeService, limits: dict[str, int], headers: dict[str, str], status: int
    ) -> None:
        """Closing at once would reset the connection, and the client would see that instead."""
        service = make_service(**limits)
        size = 20 * MIB
        with running(service.api) as address, Connection(address) as connection:
            connection.head("POST", STACKS, Content_Length=size, **headers)
            for _ in range(size // MIB):
                connection.send(bytes(MIB))
            assert connection.answer().status == status
            connection.head("GET", "/api/health/live")
            assert connection.answer().status == 200, "the connection can be used again"
        assert_clean(service)

    @pytest.mark.parametrize(("size", "kind"), [(100 * MIB, "application/zip"), (10, "text/plain")])
    def test_who_asks_first_is_refused_without_sending_anything(
        self, make_service: MakeService, size: int, kind: str
    ) -> None:
        service = make_service(max_upload_bytes=MIB)
        with running(service.api) as address, Connection(address) as connection:
            connection.head("POST", STACKS, Content_Type=kind, Content_Length=size, Expect="100-continue")
            assert connection.answer().status in (413, 415), "and not 100"

    @pytest.mark.parametrize("length", ["-1", "abc", "1e9", ""])
    def test_a_length_that_is_no_number_breaks_nothing(self, make_service: MakeService, length: str) -> None:
        service = make_service()
        response = service.client.post(STACKS, content=SMALL, headers=ZIP | {"Content-Length": length})
        assert response.status_code in (201, 400)

    def test_a_client_with_too_many_stacks_is_told_when_to_come_back(self, make_service: MakeService) -> None:
        service = make_service(max_stacks_per_client=2)
        locations = [service.client.post(STACKS, content=SMALL, headers=ZIP).headers["location"] for _ in range(2)]
        for path in (STACKS, "/upload"):
            response = service.client.post(path, files={"file": ("a.zip", SMALL)})
            assert_problem(response, 429, "quota_exceeded", "Close one of them first")
            assert int(response.headers["retry-after"]) > 0
        assert service.client.delete(locations[0]).status_code == 204
        assert service.client.post(STACKS, content=SMALL, headers=ZIP).status_code == 201

    def test_one_clients_quota_is_not_anothers(self, make_service: MakeService) -> None:
        service = make_service(max_stacks_per_client=1)

        def create(client: str) -> int:
            headers = ZIP | {"X-Forwarded-For": "198.51.100.1"}
            by_client = TestClient(service.api, client=(client, 4711))
            return by_client.post(STACKS, content=SMALL, headers=headers).status_code

        clients = ("192.0.2.1", "192.0.2.2", "192.0.2.1", "2001:db8::1", "2001:db8::2")
        assert [create(client) for client in clients] == [201, 201, 429, 201, 429]

    def test_a_nearly_full_disk_is_said_before_it_is_full(self, make_service: MakeService) -> None:
        service = make_service(min_free_bytes=2**60)  # more than any disk has
        response = service.client.post(STACKS, content=SMALL, headers=ZIP)
        assert_problem(response, 507, "disk_full", "nearly full")
        assert_clean(service)

    def test_uploads_side_by_side_do_not_wait_for_a_slow_one(self, make_service: MakeService) -> None:
        service = make_service()
        with running(service.api) as address:
            slow = [Connection(address) for _ in range(45)]  # more than there are threads
            for connection in slow:
                connection.head("POST", STACKS, Content_Type="application/zip", Content_Length=10 * MIB)
                connection.send(b"PK")
            with Connection(address) as quick:
                quick.head("POST", STACKS, Content_Type="application/zip", Content_Length=len(SMALL))
                quick.send(SMALL)
                assert quick.answer().status == 201
            for connection in slow:
                connection.close()
            wait_until(lambda: service.store.usage.stacks == 1, "the abandoned uploads to be gone")


def test_who_sends_no_compressed_archive_waits_for_none(make_service: MakeService) -> None:
    """All places for unpacking are taken: a compressed archive waits for one, and nothing else does."""
    service = make_service()
    opened: list[str] = []

    async def create(name: str, data: bytes, unpacking: CapacityLimiter) -> None:
        async def body() -> Message:
            return {"type": "http.request", "body": data, "more_body": False}

        scope = {"type": "http", "method": "POST", "headers": [(b"content-type", b"application/octet-stream")]}
        limits = Settings()
        await receive.receive_stack(Request(scope, body), service.store, limits, "a", name, unpacking=unpacking)
        opened.append(name)

    async def create_all() -> None:
        unpacking = CapacityLimiter(1)
        async with create_task_group() as tasks, unpacking:
            tasks.start_soon(create, "a.tgz", tar_bytes({"1.png": grey_png(1)}, "gz"), unpacking)
            await create("a.zip", SMALL, unpacking)
            await create("a.tar", tar_bytes({"1.png": grey_png(1)}), unpacking)
            await create("1.png", grey_png(1), unpacking)
            assert opened == ["a.zip", "a.tar", "1.png"]

    run(create_all)
    assert opened[-1] == "a.tgz"


def test_many_uploads_at_once_stay_apart(make_service: MakeService) -> None:
    service = make_service()
    archives = [greys_zip(count) for count in range(1, 9)]
    answers: dict[int, Answer] = {}

    with running(service.api) as address:

        def send(number: int) -> None:
            archive = archives[number]
            with Connection(address) as connection:
                connection.head("POST", STACKS, Content_Type="application/zip", Content_Length=len(archive))
                for start in range(0, len(archive), 200):
                    connection.send(archive[start : start + 200])
                answers[number] = connection.answer()

        threads = [threading.Thread(target=send, args=(number,)) for number in range(len(archives))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(SECONDS)
    assert [len(answers[number].json()["images"]) for number in range(len(archives))] == list(range(1, 9))
    assert len({answer.json()["stack_id"] for answer in answers.values()}) == len(archives)
    stored = {Path(path).parent.name: path.read_bytes() for path in service.store.folder.rglob("stack.zip")}
    assert sorted(stored.values()) == sorted(archives)
