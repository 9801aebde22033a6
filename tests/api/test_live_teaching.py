"""What the Teach page's browser side asks for and sends."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from fastapi.testclient import TestClient

from core.api import create_api
from core.base.settings import Settings
from core.models.registry import ModelRegistry
from core.recognition.service import RecognitionService
from core.stacks.store import StackStore
from core.teach.features import Looker
from core.teach.live import LiveTeaching
from core.teach.service import TeachingService
from tests.builders import zip_bytes
from tests.helpers import wait_until
from tests.unit.teach.stripes import stripes_files

EACH = 8  # lying ones at 0 to 7, upright ones at 8 to 15


@dataclass
class Page:
    """A client at a stack, and what a page that is open would hold."""

    client: TestClient
    live: LiveTeaching | None

    def get(self) -> dict:
        return self.client.get("teaching").json()

    def label(self, images: list[int], label: str | None) -> None:
        assert self.client.post("teaching", json={"images": images, "label": label}).status_code == 200

    def learned(self) -> dict:
        wait_until(lambda: not self.get()["pending"], "all to be learned")
        return self.get()


@pytest.fixture
def page(store: StackStore, settings: Settings, registry: ModelRegistry) -> Iterator[Page]:
    recognition = RecognitionService(settings)
    teaching = TeachingService(settings, recognition, registry, store.folder / "taught")
    with TestClient(create_api(store, registry, settings, recognition, teaching=teaching)) as client:
        sent = client.post(
            "/api/v1/stacks", content=zip_bytes(stripes_files(EACH)), headers={"Content-Type": "application/zip"}
        )
        stack = store.get(sent.json()["stack_id"])
        client.base_url = client.base_url.join(f"/api/v1/stacks/{stack.id}/")
        page = Page(client, teaching.watch(Looker(recognition, stack, registry.get("starter"))))
        yield page
        if page.live is not None:
            page.live.stop()


def test_labels_bring_suggestions_for_all_others(page: Page) -> None:
    page.label([0, 1], "lying")
    page.label([8, 9], "upright")
    found = page.learned()
    assert (found["classes"], found["images"], found["labels"]) == (["lying", "upright"], [0, 1, 8, 9], [0, 0, 1, 1])
    assert found["suggested"] == [2, 3, 4, 5, 6, 7, 10, 11, 12, 13, 14, 15]
    assert len(found["suggestions"]) == len(found["shares"]) == 12
    known = [
        (index, place) for index, place in zip(found["suggested"], found["suggestions"], strict=True) if place >= 0
    ]
    assert known
    assert all(place == int(index >= EACH) for index, place in known)
    assert all(50 <= share <= 100 for share in found["shares"])
    assert set(found["queue"]) == set(found["suggested"])


def test_a_moved_threshold_turns_suggestions_into_none_of_these(page: Page) -> None:
    page.label([0, 1], "lying")
    page.label([8, 9], "upright")
    before = page.learned()
    assert page.live is not None
    page.live.threshold = 1.0
    after = page.get()
    assert set(after["suggestions"]) == {-1}
    assert after["revision"] != before["revision"]


def test_undo_and_redo(page: Page) -> None:
    page.label([0, 1, 2], "lying")
    assert (page.get()["can_undo"], page.get()["can_redo"]) == (True, False)
    page.client.post("teaching", json={"do": "undo"})
    assert (page.get()["images"], page.get()["can_redo"]) == ([], True)
    page.client.post("teaching", json={"do": "redo"})
    page.label([1], None)
    assert page.get()["images"] == [0, 2]
    versions = [page.client.post("teaching", json={"do": "undo"}).json()["version"] for _ in range(3)]
    assert versions[0] < versions[1] == versions[2], "there was nothing left"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"images": [99], "label": "x"}, 422),
        ({"images": [-1], "label": "x"}, 422),
        ({"images": [0], "label": "=1+1"}, 422),
        ({"images": [0], "label": "x" * 5000}, 422),
        ({"images": ["0"], "label": 1}, 400),
        ({"do": "forget"}, 400),
        ({"more": 1}, 400),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_makes_no_sense_changes_nothing(page: Page, body: dict, status: int) -> None:
    page.label([0], "lying")
    answer = page.client.post("teaching", json=body)
    assert answer.status_code == status
    assert len(answer.json()["detail"]) < 300
    assert (page.get()["images"], page.get()["classes"]) == ([0], ["lying"])


def test_like_this_one_names_images_without_a_label_most_like_it_first(page: Page) -> None:
    page.label([1, 2], "lying")
    page.learned()
    found = page.client.get("teaching/alike?image=0&count=5").json()["images"]
    assert set(found) == {3, 4, 5, 6, 7}, "the lying ones without a label"
    assert len(page.client.get("teaching/alike?image=0").json()["images"]) == 12
    assert page.get()["images"] == [1, 2], "asking labels nothing"


@pytest.mark.parametrize("query", ["image=99", "image=-1", "image=x", "", "image=0&count=0", "image=0&count=501"])
def test_like_no_image_there_is_nothing(page: Page, query: str) -> None:
    page.learned()
    answer = page.client.get(f"teaching/alike?{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
    assert len(answer.json()["detail"]) < 300


def test_without_a_page_there_are_labels_and_no_suggestions(page: Page) -> None:
    page.label([0, 1], "lying")
    page.label([8, 9], "upright")
    page.learned()
    page.live = None
    gc.collect()
    found = page.get()
    assert (found["images"], found["suggested"], found["pending"]) == ([0, 1, 8, 9], [], False)
    answer = page.client.get("teaching/alike?image=0")
    assert (answer.status_code, "Turn Label mode on" in answer.json()["detail"]) == (400, True)


def test_another_stack_is_not_told_apart_from_none(page: Page) -> None:
    assert page.client.get("../nobody/teaching").status_code == 404
    assert page.client.post("../nobody/teaching", json={"do": "undo"}).status_code == 404
