"""The route of an image's samples: what a program reads back is what is in the file."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from fastapi.testclient import TestClient

from core.api import create_api
from core.base.settings import Settings
from core.models.registry import ModelRegistry
from core.recognition.service import RecognitionService
from core.stacks.store import StackStore
from tests.builders import PNG_KINDS, PngKind, png_bytes, png_of_kind, read_samples
from tests.conftest import MakeStack


@pytest.fixture
def client(store: StackStore, settings: Settings, registry: ModelRegistry) -> Iterator[TestClient]:
    with TestClient(create_api(store, registry, settings, RecognitionService(settings))) as client:
        yield client


def fetch(client: TestClient, stack_id: str, *, index: int = 0, encoding: str = "gzip") -> tuple[np.ndarray, str]:
    """The samples as a client reads them from body and headers, and how the body was compressed."""
    response = client.get(
        f"/api/v1/stacks/{stack_id}/images/{index}/values", headers={"Accept-Encoding": encoding}
    ).raise_for_status()
    assert "immutable" in response.headers["Cache-Control"]
    shape = [int(side) for side in response.headers["X-Image-Shape"].split(",")]
    dtype = np.dtype(response.headers["X-Image-Dtype"]).newbyteorder("<")
    return np.frombuffer(response.content, dtype).reshape(shape), response.headers.get("Content-Encoding", "")


@pytest.mark.parametrize("kind", PNG_KINDS, ids=str)
def test_every_kind_of_png_arrives_with_its_own_values(
    client: TestClient, make_stack: MakeStack, kind: PngKind
) -> None:
    data = png_of_kind(kind)
    expected, highest = read_samples(data)
    found, _ = fetch(client, make_stack({"a.png": data}).id)
    assert found.dtype == (np.uint16 if kind.bit_depth == 16 else np.uint8)
    if found.shape[2] != expected.shape[2]:  # an alpha channel of a palette in which everything is opaque
        assert (found[..., -1] == np.iinfo(found.dtype).max).all()
        found = found[..., :-1]
    np.testing.assert_array_equal(found, expected * (np.iinfo(found.dtype).max // highest))


def test_only_what_shrinks_is_compressed_and_only_for_those_who_can_read_it(
    client: TestClient, make_stack: MakeStack
) -> None:
    rng = np.random.default_rng(0)
    ramp = np.arange(64 * 64).reshape(64, 64, 1) // 64 * 1000  # above 255, and every value in a row of its own
    stack = make_stack(
        {"1 ramp.png": png_bytes(ramp, 16), "2 noise.png": png_bytes(rng.integers(0, 2**16, (64, 64, 1)), 16)}
    )
    compressed, encoding = fetch(client, stack.id)
    assert encoding == "gzip"
    plain, encoding = fetch(client, stack.id, encoding="identity")
    assert encoding == ""
    np.testing.assert_array_equal(compressed, plain)
    np.testing.assert_array_equal(plain, ramp)
    assert fetch(client, stack.id, index=1)[1] == "", "noise was compressed in vain"


@pytest.mark.parametrize(
    ("path", "status"), [("{id}/images/2/values", 404), ("{id}/images/1/values", 422), ("nobody/images/0/values", 404)]
)
def test_what_is_not_there_has_a_reason_and_no_samples(
    client: TestClient, make_stack: MakeStack, path: str, status: int
) -> None:
    good = png_bytes(np.zeros((4, 4, 1), int))
    stack = make_stack({"1.png": good, "2.png": good[:-20]})
    response = client.get("/api/v1/stacks/" + path.format(id=stack.id))
    assert (response.status_code, response.headers["Content-Type"]) == (status, "application/problem+json")
    assert "X-Image-Shape" not in response.headers
