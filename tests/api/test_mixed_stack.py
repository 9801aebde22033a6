"""One ZIP of all kinds of image, over HTTP: what each is called, shown as, holds, and is recognised as."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from core.api import create_api
from core.base.settings import Settings
from core.models.registry import ModelRegistry
from core.recognition.service import RecognitionService
from core.stacks.store import StackStore
from core.trust.label_files import to_folders
from tests.builders import png_bytes, zip_bytes
from tests.jpegs import JPEG_KINDS
from tests.pictures import GIF_KINDS, WEBP_KINDS, picture, saved
from tests.tiffs import tiff

PHOTO = picture(400, 300)
PLANES = (np.arange(4 * 30 * 40).reshape(1, 2, 2, 30, 40) * 9 - 3000).astype(np.int16)
FILES = {
    "a.png": png_bytes(PHOTO.astype(int)),
    "b.jpg": saved(PHOTO, "JPEG", quality=95),
    "c.webp": WEBP_KINDS["lossless"].data,
    "d.gif": GIF_KINDS["animation"].data,
    "e.bmp": saved(PHOTO, "BMP"),
    "f.pgm": b"P5 4 2 4095\n" + np.arange(8, dtype=">u2").tobytes(),
    "g.ome.tif": tiff(PLANES, ome=True, photometric="minisblack", metadata={"axes": "TZCYX"}, compression="zlib"),
    "h.tif": tiff(np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4)),
    "i.jpg": JPEG_KINDS["CMYK"].data,
    "j.jpg": JPEG_KINDS["baseline"].data[:-30],
    "k.heic": b"anything",
    "m.png": b"anything",
    "l.png": JPEG_KINDS["baseline"].data,
}
NAMES = [
    "a.png", "b.jpg", "c.webp", *(f"d.gif · frame {number}" for number in range(1, 6)), "e.bmp", "f.pgm",
    *(f"g.ome.tif · c {c} · z {z}" for c in range(2) for z in range(2)), "h.tif", "i.jpg", "j.jpg", "l.png",
]  # fmt: skip


@pytest.fixture(scope="module", params=[zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED], ids=["stored", "deflated"])
def archive(request: pytest.FixtureRequest) -> bytes:
    return zip_bytes(FILES, request.param)


@pytest.fixture
def client(store: StackStore, settings: Settings, registry: ModelRegistry) -> Iterator[TestClient]:
    with TestClient(create_api(store, registry, settings, RecognitionService(settings))) as client:
        yield client


def test_all_kinds_together_from_upload_to_answers(client: TestClient, store: StackStore, archive: bytes) -> None:
    made = client.post("/api/v1/stacks?name=mixed.zip", content=archive, headers={"Content-Type": "application/zip"})
    made.raise_for_status()
    index = made.json()
    base = f"/api/v1/stacks/{index['stack_id']}"
    assert [image[0] for image in index["images"]] == NAMES
    skipped = {one["name"]: one for one in index["skipped"]}
    assert skipped["k.heic"]["reason"].startswith("A HEIC photo, which cannot be read; export it as JPEG")
    assert skipped["m.png"]["reason"] == "The file is not a PNG image; export it as PNG."
    assert skipped.keys() == {"k.heic", "m.png"}

    columns = client.get(f"{base}/images").json()
    kinds = {name: columns["kinds"][columns["kind"][place]] for place, name in enumerate(columns["names"])}
    assert kinds["g.ome.tif · c 1 · z 0"]["description"] == "16-bit signed grey"
    assert kinds["h.tif"]["highest"] == float(np.finfo(np.float32).max)

    place = {name: number for number, name in enumerate(NAMES)}
    broken = place["j.jpg"]
    for number in range(len(NAMES)):
        shown = client.get(f"{base}/images/{number}/display")
        small = client.get(f"{base}/images/{number}/thumbnail")
        if number == broken:
            assert (shown.status_code, small.status_code) == (422, 422)
            assert "ends too early" in shown.json()["detail"]
            continue
        assert (shown.status_code, small.status_code) == (200, 200)
        size = columns["widths"][number], columns["heights"][number]
        assert Image.open(io.BytesIO(shown.content)).size == size
        assert client.get(f"{base}/images/{number}").content == FILES[NAMES[number].split(" · ")[0]]

    values = client.get(f"{base}/images/{place['g.ome.tif · c 1 · z 0']}/values")
    assert values.headers["X-Image-Dtype"] == "int16"
    np.testing.assert_array_equal(np.frombuffer(values.content, "<i2").reshape(30, 40), PLANES[0, 0, 1])
    window = client.get(f"{base}/images/{place['h.tif']}/display?low=-0.5&high=0.5")
    assert np.asarray(Image.open(io.BytesIO(window.content)).convert("L")).ravel()[[0, 5, 6, 11]].tolist() == [
        0,
        104,
        151,
        255,
    ]

    answers = client.post(f"{base}/predictions", json={"images": list(range(len(NAMES)))}).json()["predictions"]
    errors = [one["filename"] for one in answers if one.get("error")]
    assert errors == ["j.jpg"]
    top = {name: answers[place[name]]["top"][0] for name in ("a.png", "b.jpg", "e.bmp")}
    assert top["a.png"] == top["e.bmp"], "the same pixels"
    assert top["a.png"]["class"] == top["b.jpg"]["class"]

    stack = store.get(index["stack_id"])
    packed = b"".join(to_folders({place["b.jpg"]: "x", place["g.ome.tif · c 0 · z 1"]: "y"}, stack))
    with zipfile.ZipFile(io.BytesIO(packed)) as folders:
        assert folders.read("x/b.jpg") == FILES["b.jpg"]
        frame = Image.open(io.BytesIO(folders.read("y/g.ome.tif · c 0 · z 1.png")))
        assert frame.size == (40, 30), "the frame, and not the file of all of them"
