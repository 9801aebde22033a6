"""DICOM in stacks: series in order, patients unseen, and no more read than what is asked for."""

from __future__ import annotations

import io
import logging
import zipfile
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image
from pydicom.uid import (
    JPEG2000Lossless,
    RLELossless,
)

from core.api import create_api
from core.base.settings import Settings
from core.base.workers import Priority
from core.images.formats.dicom import FORMAT
from core.images.formats.format import InMemory
from core.images.memory import decoding_bytes
from core.models.registry import ModelRegistry
from core.recognition.service import RecognitionService
from core.stacks.store import StackStore
from tests.builders import zip_bytes
from tests.conftest import MakeStack
from tests.dicom_files import (
    CT,
    DEEP,
    PHOTO,
    SECRETS,
    dicom,
    runs,
)
from tests.helpers import SECONDS
from tests.unit.images.dicom_reading import MAX_PIXELS


def slice_at(z: float, number: int, samples: np.ndarray[Any, Any] = CT, **elements: Any) -> bytes:
    place = {"ImagePositionPatient": [1, 2, z], "ImageOrientationPatient": [1, 0, 0, 0, 1, 0], "InstanceNumber": number}
    return dicom(samples, **place | elements)


def test_a_series_stands_in_the_order_of_positions_and_not_of_names(make_stack: MakeStack) -> None:
    other = {"SeriesInstanceUID": "1.2.3"}
    stack = make_stack(
        {
            "scan/a.dcm": slice_at(30, 1),
            "scan/b.dcm": slice_at(-10.5, 2),
            "scan/c.dcm": slice_at(2, 3),
            "scan/k.dcm": dicom(CT, InstanceNumber=2, **other),
            "scan/l.dcm": dicom(CT, InstanceNumber=1, **other),
            "scan/n.dcm": dicom(DEEP[:2]),
            "zzz/a.dcm": slice_at(2, 8),
            "zzz/b.dcm": slice_at(2, 7),
            "a.png": zip_png(),
        }
    )
    names = [entry.name for entry in stack.entries]
    assert names == [
        "a.png", "scan/b.dcm", "scan/c.dcm", "scan/a.dcm", "scan/l.dcm", "scan/k.dcm", "scan/n.dcm · frame 1",
        "scan/n.dcm · frame 2", "zzz/b.dcm", "zzz/a.dcm",
    ]  # fmt: skip
    assert stack.original(3) == slice_at(30, 1), "files go with their names"
    assert not any(entry.header.place for entry in stack.entries), "nothing of it is kept"


def zip_png() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(PHOTO).save(buffer, "PNG")
    return buffer.getvalue()


def test_nobody_sees_the_patient(
    store: StackStore, registry: ModelRegistry, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    whole = slice_at(1, 1, WindowCenter=40, WindowWidth=400)
    files = {"a.dcm": whole, "b.dcm": dicom(DEEP), "cut.dcm": whole[:-9],
             "bad.dcm": whole.replace(b"MONOCHROME2", b"Wintermute "),
             "late.dcm": dicom(PHOTO, JPEG2000Lossless, [b"\xff\x4f" + SECRETS[0].encode()])}  # fmt: skip
    stack = store.create(io.BytesIO(zip_bytes(files)), "a.zip")
    said: list[bytes] = [repr((stack.entries[0], stack.skipped, stack.fingerprint)).encode()]
    with TestClient(create_api(store, registry, settings, RecognitionService(settings))) as client:
        base = f"/api/v1/stacks/{stack.id}"
        said.append(client.get(base).content)
        for index, entry in enumerate(stack.entries):
            image = f"{base}/images/{index}"
            for what in ("display", "thumbnail", "values", "display?low=0&high=100"):
                answer = client.get(f"{image}/{what}")
                said += [answer.content, repr(answer.headers).encode()]
            stack.prepare(index, Priority.VISIBLE).result(SECONDS)
            said.append(repr((stack.error(index), entry)).encode())
        assert SECRETS[0].encode() in client.get(f"{base}/images/0").content, "the original stays as it is"
    said.append(caplog.text.encode())
    assert len(said) > 20
    for secret in SECRETS:
        for text in (secret, secret.lower()):
            assert not any(text.encode() in one for one in said), secret


def test_of_many_frames_only_the_one_asked_for_is_read() -> None:
    class Watched(InMemory):
        read_bytes = 0

        def read(self, start: int = 0, count: int | None = None) -> bytes:
            assert count is not None, "nobody asked for all of it"
            found = super().read(start, count)
            self.read_bytes += len(found)
            return found

    frames = np.arange(40 * 128 * 128).reshape(40, 128, 128).astype(np.uint16)
    for data in (dicom(frames), dicom(frames, RLELossless, [runs(frame) for frame in frames])):
        file = Watched(data)
        assert len(list(FORMAT.read_headers(file))) == 40
        np.testing.assert_array_equal(FORMAT.decode(file, 39, max_pixels=MAX_PIXELS)[..., 0], frames[39])
        assert file.read_bytes < 110_000 < len(data) / 2
        header = next(iter(FORMAT.read_headers(file)))
        assert decoding_bytes(FORMAT, header, 10**10) == decoding_bytes(FORMAT, header, 10**6) < 600_000


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_slices_of_an_archive_are_read_where_they_are(store: StackStore, compression: int) -> None:
    packed = zip_bytes({f"{z}.DCM": slice_at(-z, z, CT + z) for z in range(5)}, compression)
    stack = store.create(io.BytesIO(packed), "a.zip")
    before = store.usage.bytes
    assert [entry.name for entry in stack.entries] == [f"{z}.DCM" for z in range(4, -1, -1)]
    for index in range(5):
        np.testing.assert_array_equal(stack.values(index)[..., 0], CT + 4 - index)
    assert store.usage.bytes == before, "nothing is unpacked to the disk"
