"""Whose images they are: told on demand to who sits at this computer, where that is wanted; else to nobody, ever."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from fastapi.testclient import TestClient

from core.api import create_api
from core.base.settings import Settings
from core.models.registry import ModelRegistry
from core.recognition.service import RecognitionService
from core.stacks.people import People
from core.stacks.stack import ImageStack
from core.stacks.store import StackStore
from tests.api.conftest import assert_problem
from tests.builders import zip_bytes
from tests.dicom_files import SECRETS, dicom
from tests.helpers import grey_png

MakeClient = Callable[..., TestClient]


@pytest.fixture
def make_client(store: StackStore, settings: Settings, registry: ModelRegistry) -> Iterator[MakeClient]:
    made: list[TestClient] = []

    def make(*, is_local: bool = True, host: str = "localhost:8501", **options: str) -> TestClient:
        changed = settings.model_copy(update={"show_patients": "yes"} | options)
        people = People(changed, is_local=is_local)
        api = create_api(store, registry, changed, RecognitionService(changed), people=people)
        made.append(TestClient(api, base_url=f"http://{host}"))
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.fixture
def stack(store: StackStore) -> ImageStack:
    image = dicom(np.zeros((8, 8), np.uint16), SpecificCharacterSet="ISO_IR 192", ReferringPhysicianName="Straße^Ann")
    return store.create(io.BytesIO(zip_bytes({"a.dcm": image, "b.png": grey_png(3)})), "a.zip")


def test_on_demand_it_is_told_and_kept_nowhere(
    make_client: MakeClient, stack: ImageStack, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    client = make_client()
    base = f"/api/v1/stacks/{stack.id}"
    answer = client.get(f"{base}/images/0/patient")
    assert {one["name"]: one["value"] for one in answer.json()["facts"]} == {
        "Patient": "Wintermute Case",
        "Patient ID": "PID-8823-X",
        "Born": "1947-03-18",
        "Study date": "1947-03-18",
        "Institution": "Sprawl Hospital",
        "Referred by": "Straße Ann",
    }
    assert answer.headers["Cache-Control"] == "no-store"
    assert client.get(f"{base}/images/1/patient").json() == {"facts": []}, "a PNG has no patient"
    others = [client.get(f"{base}{path}").text for path in ("", "/images", "/images/0/display", "/results")]
    others.append(caplog.text + repr(list(stack.entries)))
    assert not any(secret in text for secret in SECRETS for text in others)


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"show_patients": "no"}, "tells nobody whose images these are"),
        ({"is_local": False}, "tells nobody whose images these are"),
        ({"cors_origins": "https://example.org"}, "tells nobody whose images these are"),
        ({"host": "evil.example:8501"}, "by its own name"),
        ({"host": "192.168.1.5:8501"}, "by its own name"),
    ],
    ids=["not wanted", "others may reach it", "open to other sites", "another name that leads here", "another address"],
)
def test_nobody_else_is_told(
    make_client: MakeClient, stack: ImageStack, changed: dict[str, object], sentence: str
) -> None:
    answer = make_client(**changed).get(f"/api/v1/stacks/{stack.id}/images/0/patient")
    assert_problem(answer, 403, "not_allowed", sentence)
    assert not any(secret in answer.text for secret in SECRETS)


def test_without_a_word_from_whoever_runs_it_it_is_off(settings: Settings) -> None:
    assert settings.show_patients == "no"
    assert not People(settings, is_local=True).may_know("localhost")
