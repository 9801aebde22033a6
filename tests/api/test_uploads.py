"""How stacks come in: to disk as it arrives, within limits, and without a trace where it fails."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from tests.api.conftest import ARCHIVE, FILES, NAMES, MakeService, assert_problem, greys_zip
from tests.api.server import Answer, Connection, running
from tests.api.uploads import SMALL, STACKS, ZIP, assert_clean
from tests.helpers import SECONDS, grey_png
from tests.tars import tar_bytes


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

    @pytest.mark.parametrize("name", ["photos.rar", "zip", ".", "a.zip/b", "x" * 256])
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
