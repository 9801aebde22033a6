"""Uploads in the form of a browser: one file or several, whatever else it holds."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from core.api import receive
from core.api.file_form import FORM_OVERHEAD_BYTES, HEADER_BYTES
from core.base.settings import MIB, Settings
from core.stacks.store import StackStore
from tests.api.conftest import MakeService, assert_problem
from tests.api.uploads import END, FILE, FORM, NOTHING, SMALL, STACKS, assert_clean, form_of, part, post_form
from tests.helpers import grey_png


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
