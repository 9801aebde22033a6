"""A client of the real application, and what all its doors are tried with."""

from __future__ import annotations

import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from httpx2 import Response

from core.api import create_api
from core.base.settings import Settings
from core.engines.registry import engine_names
from core.models.model import Model
from core.models.registry import ModelRegistry
from core.recognition.fair_queue import FairQueue
from core.recognition.service import RecognitionService
from core.stacks.store import StackStore
from tests.builders import BROKEN_PNGS, photo_png, png_bytes, zip_bytes
from tests.helpers import SECONDS, FakeEngine, FakeModel, grey_png

Upload = Callable[..., Response]

FILES = {
    "b/10.png": photo_png(40, 30, seed=1),
    "b/2.png": photo_png(64, 48, seed=2),
    "a/same.png": photo_png(20, 50, seed=3),
    "b/same.png": photo_png(21, 51, seed=4),
    "größe 100%.PNG": photo_png(33, 22, seed=5),
    "16.png": png_bytes(np.arange(0, 60000, 100).reshape(20, 30, 1), 16),
    "broken.png": BROKEN_PNGS["wrong checksum of IDAT"],
    "notes.txt": b"not an image",
    "__MACOSX/._2.png": b"resource fork",
}
# Natural order, folders first come as their names do.
NAMES = ["16.png", "a/same.png", "b/2.png", "b/10.png", "b/same.png", "broken.png", "größe 100%.PNG"]
ARCHIVE = zip_bytes(FILES, zipfile.ZIP_DEFLATED)


@pytest.fixture
def recognition(settings: Settings) -> RecognitionService:
    return RecognitionService(settings)


@pytest.fixture
def api(store: StackStore, registry: ModelRegistry, settings: Settings, recognition: RecognitionService) -> FastAPI:
    return create_api(store, registry, settings, recognition)


@pytest.fixture
def make_client(api: FastAPI) -> Iterator[Callable[[], TestClient]]:
    """Clients with cookies of their own, as different people have."""
    made: list[TestClient] = []

    def make() -> TestClient:
        made.append(TestClient(api))
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.fixture
def client(make_client: Callable[[], TestClient]) -> TestClient:
    return make_client()


@dataclass(frozen=True)
class Service:
    """An application with settings of its own, and what it works with."""

    api: FastAPI
    client: TestClient
    store: StackStore
    models: ModelRegistry
    recognition: RecognitionService

    @property
    def queue(self) -> FairQueue:
        """Whose turn it is."""
        return self.recognition.queue

    @property
    def left_behind(self) -> list[str]:
        """Files and folders of stacks."""
        return sorted(path.name for path in self.store.folder.rglob("*") if path.name != "lock")


MakeService = Callable[..., Service]


@pytest.fixture
def engine() -> FakeEngine:
    """The engine of ``make_service``'s model: it names an image after its shade of grey."""
    return FakeEngine(parallelism=1)


@pytest.fixture
def make_service(settings: Settings, tmp_path: Path, engine: FakeEngine) -> Iterator[MakeService]:
    """Applications with these settings and a model called ``greys``, whose engine is ``engine``."""
    stores: list[StackStore] = []

    def make(clock: Callable[[], float] = time.monotonic, **limits: object) -> Service:
        changed = settings.model_copy(update={"model": "greys", "models_dir": tmp_path / "models", **limits})
        others = [FakeEngine(name) for name in engine_names() if name != engine.name]
        greys = FakeModel(tmp_path / "models" / "greys", engine, *others)
        registry = ModelRegistry(
            changed, lambda folder, cache: greys if folder == greys.folder else Model(folder, cache)
        )
        stores.append(StackStore(changed, clock=clock))
        recognition = RecognitionService(changed)
        api = create_api(stores[-1], registry, changed, recognition)
        return Service(api, TestClient(api, raise_server_exceptions=False), stores[-1], registry, recognition)

    yield make
    for store in stores:
        store.close()


class Gate:
    """Holds up an engine from its call number ``after`` on until it is opened."""

    def __init__(self, after: int = 0) -> None:
        self.calls = 0
        self.after = after
        self.reached, self._opened = threading.Event(), threading.Event()

    def __call__(self, batch: np.ndarray) -> None:
        self.calls += 1
        if self.calls > self.after:
            self.reached.set()
            assert self._opened.wait(SECONDS)

    @property
    def is_open(self) -> bool:
        return self._opened.is_set()

    def open(self) -> None:
        self._opened.set()


@pytest.fixture
def gate(engine: FakeEngine) -> Iterator[Gate]:
    gate = Gate()
    engine.before = gate
    yield gate
    gate.open()


def greys_zip(count: int) -> bytes:
    """Images of one shade each: the one at position 7 is called ``7.png``, and is recognised as ``7``."""
    return zip_bytes({f"{value}.png": grey_png(value) for value in range(count)})


def upload(client: TestClient, content: bytes = ARCHIVE, name: str = "photos.zip") -> Response:
    return client.post("/upload", files={"file": (name, content, "application/zip")})


def assert_problem(response: Response, status: int, code: str, text: str) -> None:
    """The one shape of every failure: a status, a stable code, one sentence, and nothing of the inside."""
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert set(body) == {"type", "title", "status", "detail", "code"}
    assert (response.status_code, body["status"], body["code"]) == (status, status, code)
    assert text in body["detail"]
    assert "Traceback" not in response.text
    assert "/" not in body["detail"].replace("PNG/", "").replace("application/zip", "")
