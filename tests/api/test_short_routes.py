"""The four doors for programs: upload, fetch, predict with PyTorch, predict with OpenVINO."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from core.api import STACK_COOKIE, create_api
from core.base.settings import Settings
from core.models.model import Model
from core.models.registry import ModelRegistry
from core.recognition.recognize import recognize
from core.recognition.service import RecognitionService
from core.stacks.store import StackStore
from tests.api.conftest import ARCHIVE, FILES, NAMES, assert_problem, upload
from tests.builders import encrypted, photo_png, zip_bytes

MakeClient = Callable[[], TestClient]


class TestUpload:
    def test_says_what_came_in(self, client: TestClient) -> None:
        response = upload(client)
        assert response.status_code == 200
        body = response.json()
        assert set(body) == {"stack_id", "num_images", "filenames", "resolutions", "skipped"}
        assert body["filenames"] == NAMES
        assert body["num_images"] == len(NAMES)
        assert body["resolutions"][:3] == [[30, 20], [20, 50], [64, 48]], "[width, height], in the order of filenames"
        assert len(body["resolutions"]) == len(NAMES)
        assert {entry["name"]: entry["code"] for entry in body["skipped"]} == {
            "notes.txt": "not_an_image",
            "__MACOSX/._2.png": "hidden",
        }
        assert all(entry["reason"] for entry in body["skipped"])

    def test_sets_a_cookie_that_scripts_cannot_read_and_other_sites_cannot_send(
        self, client: TestClient, settings: Settings
    ) -> None:
        response = upload(client)
        cookie = response.headers["set-cookie"]
        assert cookie.startswith(f"{STACK_COOKIE}={response.json()['stack_id']};")
        parts = {part.strip().lower() for part in cookie.split(";")[1:]}
        assert {"httponly", "samesite=lax", "path=/", f"max-age={settings.stack_ttl_seconds}"} <= parts
        assert "secure" not in parts, "over plain HTTP a secure cookie would never come back"

    def test_the_cookie_stays_on_https_where_that_is_used(self, api: FastAPI) -> None:
        with TestClient(api, base_url="https://testserver") as client:
            assert "secure" in upload(client).headers["set-cookie"].lower()

    @pytest.mark.parametrize("name", ["photos.ZIP", "a.b.zip", "größe.zip", "zip"])
    def test_takes_any_name_that_ends_in_zip_or_says_nothing(self, client: TestClient, name: str) -> None:
        assert upload(client, name=name).status_code == 200

    @pytest.mark.parametrize("name", ["photos.rar", "photos.txt", "photos.zip.exe", ".."])
    def test_refuses_any_other_name(self, client: TestClient, store: StackStore, name: str) -> None:
        response = upload(client, name=name)
        assert_problem(response, 400, "not_a_zip", "Only .zip files are allowed")
        assert "set-cookie" not in response.headers
        assert len(store) == 0

    def test_refuses_a_form_without_a_file(self, client: TestClient) -> None:
        assert_problem(client.post("/upload"), 400, "invalid_request", "No file provided")
        assert_problem(client.post("/upload", data={"file": "text"}), 400, "invalid_request", "file")

    @pytest.mark.parametrize(
        ("content", "status", "code", "text"),
        [
            (b"this is no archive", 400, "not_a_zip", "not a ZIP archive"),
            (b"", 400, "not_a_zip", "not a ZIP archive"),
            (ARCHIVE[: len(ARCHIVE) // 2], 422, "archive_truncated", "ends too early"),
            (zip_bytes({"1.png": photo_png()}, edit=encrypted), 422, "archive_encrypted", "password"),
            (zip_bytes({}), 422, "archive_empty", "empty"),
            (zip_bytes({"notes.png": b"text named .png"}), 422, "archive_empty", "no usable image"),
        ],
        ids=["text", "no bytes", "truncated", "encrypted", "empty", "text named .png"],
    )
    def test_a_bad_archive_gets_one_sentence_and_the_open_stack_stays(
        self, client: TestClient, store: StackStore, content: bytes, status: int, code: str, text: str
    ) -> None:
        first = upload(client).json()
        response = upload(client, content)
        assert_problem(response, status, code, text)
        assert response.json()["detail"].count(". ") <= 1
        assert "set-cookie" not in response.headers
        assert client.get("/uploaded_images/16.png").content == FILES["16.png"]
        assert store.get(first["stack_id"]).name == "photos.zip"
        assert len(store) == 1

    def test_a_second_stack_becomes_the_clients_and_the_first_keeps_its_id(self, client: TestClient) -> None:
        first = upload(client).json()["stack_id"]
        other = photo_png(seed=99)
        second = upload(client, zip_bytes({"16.png": other})).json()["stack_id"]
        assert first != second
        assert client.get("/uploaded_images/16.png").content == other
        assert client.get("/uploaded_images/16.png", params={"stack_id": first}).content == FILES["16.png"]

    def test_too_large_and_too_many_are_said_with_their_own_status(
        self, tmp_path: object, registry: ModelRegistry, settings: Settings
    ) -> None:
        limited = settings.model_copy(update={"max_upload_bytes": len(ARCHIVE), "max_stacks": 1})
        store = StackStore(limited)
        try:
            with TestClient(create_api(store, registry, limited, RecognitionService(limited))) as client:
                assert_problem(upload(client, ARCHIVE + b"x"), 413, "limit_exceeded", "larger than")
                assert upload(client).status_code == 200
                assert_problem(upload(client), 503, "too_many_stacks", "Try again in a few minutes")
        finally:
            store.close()


class TestUploadedImages:
    @pytest.mark.parametrize("name", NAMES)
    def test_gives_every_image_as_it_came(self, client: TestClient, name: str) -> None:
        upload(client)
        response = client.get(f"/uploaded_images/{name.replace('%', '%25')}")
        assert (response.status_code, response.content) == (200, FILES[name])
        assert response.headers["content-type"] == "image/png"
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["cache-control"] == "private, no-cache"

    def test_a_base_name_will_do_where_it_is_unambiguous(self, client: TestClient) -> None:
        upload(client)
        assert client.get("/uploaded_images/10.png").content == FILES["b/10.png"]
        assert_problem(client.get("/uploaded_images/same.png"), 404, "image_not_found", "File not found")

    @pytest.mark.parametrize(
        "path",
        [
            "../pyproject.toml",
            "..%2f..%2fetc%2fpasswd",
            "%2e%2e/%2e%2e/etc/passwd",
            "%2fetc%2fpasswd",
            "a/%2e%2e/16.png",
            "..%5c..%5c16.png",
            "16.png%00.txt",
            "stack.zip",
            "notes.txt",
            "__MACOSX/._2.png",
            "",
            "x" * 3000,
        ],
    )
    def test_nothing_but_the_stacks_images_can_be_reached(self, client: TestClient, path: str) -> None:
        upload(client)
        response = client.get(f"/uploaded_images/{path}")
        assert response.status_code == 404
        assert "root:" not in response.text
        assert "[project]" not in response.text
        assert response.headers["content-type"] in ("application/problem+json", "application/json")

    def test_without_a_stack_it_says_what_to_do(self, client: TestClient) -> None:
        assert_problem(client.get("/uploaded_images/16.png"), 404, "stack_not_found", "Upload a ZIP first")

    def test_another_client_sees_nothing_unless_it_knows_the_id(self, make_client: MakeClient) -> None:
        mine, theirs = make_client(), make_client()
        stack_id = upload(mine).json()["stack_id"]
        assert_problem(theirs.get("/uploaded_images/16.png"), 404, "stack_not_found", "Upload")
        body = {"filenames": ["16.png"]}
        assert_problem(theirs.post("/predict_optimized", json=body), 404, "stack_not_found", "Upload")
        own = photo_png(seed=77)
        upload(theirs, zip_bytes({"16.png": own}))
        assert theirs.get("/uploaded_images/16.png").content == own
        assert mine.get("/uploaded_images/16.png").content == FILES["16.png"]
        assert theirs.get("/uploaded_images/16.png", params={"stack_id": stack_id}).content == FILES["16.png"]

    @pytest.mark.parametrize("wrong", ["unknown", "../..", "a" * 22])
    def test_an_unknown_id_and_a_forged_cookie_find_nothing(
        self, client: TestClient, make_client: MakeClient, wrong: str
    ) -> None:
        upload(client)
        query = client.get("/uploaded_images/16.png", params={"stack_id": wrong})
        assert_problem(query, 404, "stack_not_found", "does not exist or has expired")
        forger = make_client()
        forger.cookies.set(STACK_COOKIE, wrong)
        assert_problem(forger.get("/uploaded_images/16.png"), 404, "stack_not_found", "does not exist or has expired")

    def test_a_deleted_stack_is_gone(self, client: TestClient, store: StackStore) -> None:
        store.delete(upload(client).json()["stack_id"])
        assert_problem(client.get("/uploaded_images/16.png"), 404, "stack_not_found", "Upload it again")


@pytest.fixture(params=["/predict_optimized", pytest.param("/predict", marks=pytest.mark.torch)])
def door(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class TestPredict:
    def test_answers_in_the_order_asked(self, client: TestClient, door: str, starter: Model) -> None:
        upload(client)
        asked = ["b/2.png", "a/same.png", "16.png", "b/2.png", "10.png"]
        response = client.post(door, json={"filenames": asked})
        assert response.status_code == 200
        answers = response.json()
        assert [answer["filename"] for answer in answers] == asked
        for answer in answers:
            assert set(answer) == {"filename", "class", "confidence", "calibrated", "known", "known_score"}
            assert answer["class"] in starter.card.classes
            assert 0 < answer["confidence"] <= 1
        assert answers[0] == answers[3]

    def test_what_cannot_be_answered_is_an_entry_and_not_a_failure(self, client: TestClient, door: str) -> None:
        upload(client)
        asked = ["missing.png", "broken.png", "same.png", "16.png", "notes.txt", "../16.png"]
        answers = client.post(door, json={"filenames": asked}).json()
        assert [answer["filename"] for answer in answers] == asked
        assert [answer["class"] == "error" for answer in answers] == [True, True, True, False, True, True]
        missing = {"class": "error", "confidence": 0.0, "error": "File not found"}
        for position in (0, 2, 4, 5):
            assert answers[position] == {"filename": asked[position], **missing}
        assert answers[1]["confidence"] == 0.0
        assert "copy or export it again" in answers[1]["error"]
        assert "error" not in answers[3]

    @pytest.mark.parametrize("size", [1, 3, 256])
    def test_the_batch_size_changes_no_answer(self, client: TestClient, door: str, size: int) -> None:
        upload(client)
        single = client.post(door, json={"filenames": NAMES, "batch_size": 1}).json()
        batched = client.post(door, json={"filenames": NAMES, "batch_size": size}).json()
        assert [answer["filename"] for answer in batched] == NAMES
        for one, other in zip(single, batched, strict=True):
            assert other["confidence"] == pytest.approx(one["confidence"], abs=1e-4)

    @pytest.mark.parametrize("body", [{}, {"filenames": []}, {"filenames": [], "batch_size": 4}])
    def test_no_filenames(self, client: TestClient, door: str, body: dict[str, object]) -> None:
        upload(client)
        assert_problem(client.post(door, json=body), 400, "invalid_request", "No filenames provided")

    @pytest.mark.parametrize(
        ("body", "text"),
        [
            ({"filenames": ["16.png"], "batch_size": 0}, "batch_size"),
            ({"filenames": ["16.png"], "batch_size": -4}, "batch_size"),
            ({"filenames": ["16.png"], "batch_size": 257}, "batch size must be between 1 and 256"),
            ({"filenames": ["16.png"], "batch_size": "many"}, "batch_size"),
            ({"filenames": "16.png"}, "filenames"),
            ({"filenames": [7]}, "filenames"),
            ({"filenames": None}, "filenames"),
            ([], "body"),
            ("text", "body"),
        ],
    )
    def test_a_request_that_makes_no_sense_is_refused(
        self, client: TestClient, door: str, body: object, text: str
    ) -> None:
        upload(client)
        assert_problem(client.post(door, json=body), 400, "invalid_request", text)

    def test_a_body_that_is_no_json_is_refused(self, client: TestClient, door: str) -> None:
        headers = {"content-type": "application/json"}
        assert_problem(client.post(door, content=b"{", headers=headers), 400, "invalid_request", "JSON")

    def test_without_a_stack_it_says_what_to_do(self, client: TestClient, door: str) -> None:
        response = client.post(door, json={"filenames": ["16.png"]})
        assert_problem(response, 404, "stack_not_found", "Upload a ZIP first")

    def test_an_explicit_stack_goes_before_the_cookie(self, make_client: MakeClient, door: str) -> None:
        client, stranger = make_client(), make_client()
        stack_id = upload(client, zip_bytes({"only here.png": photo_png(seed=8)})).json()["stack_id"]
        upload(client)
        body = {"filenames": ["only here.png"]}
        assert client.post(door, json=body).json()[0]["class"] == "error"
        for one in (client, stranger):
            assert one.post(door, json=body | {"stack_id": stack_id}).json()[0]["class"] != "error"
        wrong = client.post(door, json=body | {"stack_id": "unknown"})
        assert_problem(wrong, 404, "stack_not_found", "does not exist")

    def test_says_what_the_pipeline_says(
        self, client: TestClient, door: str, store: StackStore, starter: Model, settings: Settings
    ) -> None:
        stack = store.get(upload(client).json()["stack_id"])
        engine = "pytorch-fp32" if door == "/predict" else "openvino-int8"
        expected = recognize(stack, range(len(stack)), starter, engine, settings)
        answers = client.post(door, json={"filenames": NAMES}).json()
        assert [answer["class"] for answer in answers] == [prediction.label for prediction in expected.predictions]
        confidences = [prediction.confidence for prediction in expected.predictions]
        assert [answer["confidence"] for answer in answers] == pytest.approx(confidences, abs=1e-4)

    def test_only_posting_predicts(self, client: TestClient, door: str) -> None:
        assert client.get(door).status_code == 405


def test_many_clients_at_once_get_their_own_answers(make_client: MakeClient) -> None:
    """Each has the same file name for another picture."""
    pictures = [photo_png(100, 80, seed=seed) for seed in range(6)]

    def work(number: int) -> tuple[bytes, float]:
        client = make_client()
        upload(client, zip_bytes({"image.png": pictures[number]}))
        (answer,) = client.post("/predict_optimized", json={"filenames": ["image.png"]}).json()
        return client.get("/uploaded_images/image.png").content, answer["confidence"]

    sequential = [work(number) for number in range(6)]
    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(work, range(6)))
    assert [content for content, _ in together] == pictures
    assert [confidence for _, confidence in together] == pytest.approx([one for _, one in sequential], abs=1e-5)


def test_no_answer_names_a_folder_of_this_machine(client: TestClient, settings: Settings) -> None:
    upload(client)
    texts = [
        client.get("/uploaded_images/missing").text,
        client.post("/predict_optimized", json={"filenames": ["missing.png", "broken.png"]}).text,
        client.get("/api/openapi.json").text,
        upload(client, b"").text,
    ]
    for text in texts:
        assert str(settings.work_dir) not in text
        assert not re.search(r"/(home|root|tmp|usr)/", text)
