"""How a ZIP comes in: to disk as it arrives, within limits, and without a trace where it fails."""

from __future__ import annotations

import threading
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from httpx2 import Response
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from core.api import receive
from core.base.settings import MIB, Settings
from core.stacks.quota import Usage
from core.stacks.store import StackStore
from tests.api.conftest import ARCHIVE, FILES, NAMES, MakeService, Service, assert_problem, greys_zip
from tests.api.server import Answer, Connection, running
from tests.helpers import SECONDS, grey_png, wait_until

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

    @pytest.mark.parametrize("kind", ["text/plain", "application/json", "", "nonsense", "application/x-tar"])
    def test_another_type_is_refused(self, make_service: MakeService, kind: str) -> None:
        service = make_service()
        response = service.client.post(STACKS, content=SMALL, headers={"Content-Type": kind})
        assert_problem(response, 415, "unsupported_type", "Send the ZIP as application")
        assert_clean(service)

    @pytest.mark.parametrize("name", ["photos.tar", "zip", ".", "a.zip/b", "x" * 256])
    def test_another_name_is_refused(self, make_service: MakeService, name: str) -> None:
        service = make_service()
        response = service.client.post(STACKS, params={"name": name}, content=SMALL, headers=ZIP)
        assert response.status_code == 400
        assert response.json()["code"] in ("not_a_zip", "invalid_request")
        assert_clean(service)

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

    def test_other_fields_do_not_matter_and_only_the_first_file_counts(self, client: TestClient) -> None:
        other = part('name="file"; filename="second.zip"', ARCHIVE)
        body = part('name="comment"', b"hello") + part('name="photo"; filename="x.zip"', b"x") + FILE + other + END
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
            (part('name="file"; filename="a.tar"', SMALL) + END, FORM, "Only .zip files are allowed"),
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
            (part('name="comment"', bytes(receive.FORM_OVERHEAD_BYTES)) + FILE + END, FORM, "too much beside"),
            (FILE + part('name="file"; filename="b.zip"', bytes(100_000)) + END, FORM, "too much beside"),
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
        write = receive.Upload.write

        def watched(upload: receive.Upload, piece: bytes) -> None:
            nonlocal largest
            largest = max(largest, len(piece))
            write(upload, piece)

        monkeypatch.setattr(receive.Upload, "write", watched)
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
