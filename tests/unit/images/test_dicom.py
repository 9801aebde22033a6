"""DICOM: every kind as pydicom writes it, true values, windows, series in order, patients unseen, and damage."""

from __future__ import annotations

import io
import logging
import struct
import tracemalloc
import zipfile
from typing import Any

import imagecodecs
import numpy as np
import pydicom
import pytest
from fastapi.testclient import TestClient
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.pixels import apply_modality_lut, apply_voi_lut
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
)

from core.api import create_api
from core.base.errors import ImageError, ImageTooLarge
from core.base.settings import Settings
from core.base.workers import Priority
from core.images import pixels
from core.images.formats import format_of
from core.images.formats.dicom import FORMAT
from core.images.formats.format import SAMPLE_TYPES, ImageHeader, InMemory, for_browsers
from core.images.memory import decoding_bytes
from core.models.registry import ModelRegistry
from core.recognition.service import RecognitionService
from core.stacks.store import StackStore
from tests.builders import zip_bytes
from tests.conftest import MakeStack
from tests.dicom_files import (
    CT,
    DEEP,
    DICOM_KINDS,
    GREY,
    HOUNSFIELD,
    PHOTO,
    SECRETS,
    SIGNED,
    TWELVE,
    Kind,
    dicom,
    palette,
    runs,
    table,
    voi_table,
)
from tests.helpers import SECONDS

MAX_PIXELS = 1_000_000


def decoded(data: bytes, frame: int = 0) -> np.ndarray[Any, Any]:
    return FORMAT.decode(InMemory(data), frame, max_pixels=MAX_PIXELS)


def shown(data: bytes, frame: int = 0) -> np.ndarray[Any, Any]:
    header = list(FORMAT.read_headers(InMemory(data)))[frame]
    return pixels.shown(decoded(data, frame), header)[..., 0]


def decoded_header(data: bytes) -> ImageHeader:
    (header,) = FORMAT.read_headers(InMemory(data))
    return header


@pytest.mark.parametrize("kind", DICOM_KINDS.values(), ids=DICOM_KINDS)
def test_every_kind_keeps_its_true_values(kind: Kind) -> None:
    file = InMemory(kind.data)
    headers = list(FORMAT.read_headers(file))
    assert headers[0].description == kind.description
    assert len(headers) == len(kind.frames)
    assert not any(for_browsers(FORMAT, header) for header in headers)
    for frame, (header, wanted) in enumerate(zip(headers, kind.frames, strict=True)):
        found = FORMAT.decode(file, frame, max_pixels=MAX_PIXELS)
        assert found.dtype == header.dtype == wanted.dtype
        assert found.dtype.name in SAMPLE_TYPES
        np.testing.assert_allclose(found, wanted, rtol=0, atol=kind.off_by)


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, kind in DICOM_KINDS.items()
        if "grey" in kind.description and "JPEG" not in name and name not in ("12 bits above others", "1 bit")
    ],  # where pydicom takes the lowest bits, and does not make them 255
)
def test_pydicom_reads_the_same(name: str) -> None:
    data = DICOM_KINDS[name].data
    dataset = pydicom.dcmread(io.BytesIO(data))
    wanted = apply_modality_lut(dataset.pixel_array, dataset)
    for frame, one in enumerate(wanted if wanted.ndim == 3 else wanted[np.newaxis]):
        np.testing.assert_array_equal(decoded(data, frame)[..., 0], one)


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", None])
@pytest.mark.parametrize(("center", "width"), [(40, 400), (-600, 1500), (1000.5, 3), (0, 1)])
def test_it_is_shown_in_its_own_window(function: str | None, center: float, width: float) -> None:
    elements: dict[str, Any] = {"WindowCenter": [center, 1], "WindowWidth": [width, 1]}
    if function:
        elements["VOILUTFunction"] = function
    data = dicom(CT, **TWELVE, **HOUNSFIELD, **elements)
    dataset = pydicom.dcmread(io.BytesIO(data))
    judged = apply_voi_lut(apply_modality_lut(dataset.pixel_array, dataset), dataset)  # over all 12 bits
    np.testing.assert_allclose(shown(data), (judged + 1024) / 4095 * 255, atol=0.51)
    np.testing.assert_array_equal(decoded(data)[..., 0], SIGNED)


def test_without_a_window_it_is_shown_by_its_range_and_inverted_where_white_comes_first() -> None:
    plain = shown(dicom(CT))
    assert (plain.min(), plain.max()) == (0, 255)
    np.testing.assert_array_equal(shown(dicom(CT, PhotometricInterpretation="MONOCHROME1")), 255 - plain)
    for window in ({}, {"WindowCenter": "40"}, {"WindowCenter": 40, "WindowWidth": 0, "VOILUTFunction": "LINEAR_EXACT"},
                   {"WindowCenter": 40, "WindowWidth": 400, "VOILUTFunction": "ARTISTIC"}):  # fmt: skip
        np.testing.assert_array_equal(shown(dicom(CT, **window)), plain)


@pytest.mark.parametrize(("center", "width"), [(40, 400), (-300, 2000), (0, 4)])
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_an_s_shaped_window_is_what_pydicom_makes_of_it(center: float, width: float, photometric: str) -> None:
    window = {"WindowCenter": [center, 1], "WindowWidth": [width, 9], "VOILUTFunction": "SIGMOID"}
    data = dicom(CT, **TWELVE, **HOUNSFIELD, **window, PhotometricInterpretation=photometric)
    dataset = pydicom.dcmread(io.BytesIO(data))
    judged = (apply_voi_lut(apply_modality_lut(dataset.pixel_array, dataset), dataset) + 1024) / 4095 * 255
    np.testing.assert_allclose(shown(data), 255 - judged if photometric == "MONOCHROME1" else judged, atol=1)
    (header,) = FORMAT.read_headers(InMemory(data))
    assert header.windows == ((center - width / 2, center + width / 2), (-3.5, 5.5)), "what a person can choose"


@pytest.mark.parametrize(("first", "bits", "samples"), [(0, 8, GREY), (300, 12, CT), (-500, 16, SIGNED)])
def test_without_a_window_it_is_shown_by_its_table(first: int, bits: int, samples: np.ndarray[Any, Any]) -> None:
    levels = np.sqrt(np.linspace(0, 1, 200 if bits == 8 else 2000)) * (2**bits - 1)
    lut = voi_table(first, levels.astype(np.uint16), bits)
    data = dicom(samples, VOILUTSequence=[lut, voi_table(0, levels[::-1].astype(np.uint16), bits)])
    dataset = pydicom.dcmread(io.BytesIO(data))
    judged = apply_voi_lut(dataset.pixel_array, dataset) / (2**bits - 1) * 255
    np.testing.assert_allclose(shown(data), judged, atol=0.51)
    np.testing.assert_array_equal(decoded(data)[..., 0], samples)
    both = dicom(samples, VOILUTSequence=[lut], WindowCenter=200, WindowWidth=100)
    np.testing.assert_array_equal(shown(both), shown(dicom(samples, WindowCenter=200, WindowWidth=100)))


def test_a_table_for_showing_is_none_of_the_modality() -> None:
    """Both are made of the same elements, each in a sequence of its own."""
    meaning = table(0, np.arange(4096, dtype=np.uint16)[::-1], 16)
    ramp = np.linspace(0, 65535, 4096).astype(np.uint16)
    data = dicom(CT, ModalityLUTSequence=[meaning], VOILUTSequence=[voi_table(0, ramp, 16)])
    np.testing.assert_array_equal(decoded(data)[..., 0], 4095 - CT)
    np.testing.assert_allclose(shown(data), (4095 - CT) / 4095 * 255, atol=0.51)
    with pytest.raises(ImageError, match="damaged"):
        decoded_header(dicom(CT, VOILUTSequence=[voi_table(0, ramp[:9], 16, count=4096)]))


def test_a_file_offers_its_windows_each_once_and_says_what_its_values_are() -> None:
    windows = {"WindowCenter": [40, -600, 40, 7], "WindowWidth": [400, 1500, 400, 0], "VOILUTFunction": "LINEAR_EXACT"}
    header = decoded_header(dicom(CT, **HOUNSFIELD, **windows))
    assert header.windows == ((-160, 240), (-1350, 150))
    assert (header.window, header.unit) == ((-160, 240), "HU")
    assert decoded_header(dicom(CT, **HOUNSFIELD, RescaleType="US")).unit == ""
    assert decoded_header(dicom(CT, **HOUNSFIELD, Modality="MR")).unit == ""
    assert decoded_header(dicom(CT)).unit == "", "values of CT that nothing turns into its units are none"
    assert decoded_header(dicom(CT, ModalityLUTSequence=[table(0, np.arange(4096, dtype=np.uint16), 16)])).unit == "HU"
    many = {"WindowCenter": list(range(1000)), "WindowWidth": [10] * 1000}
    assert len(decoded_header(dicom(CT, **many)).windows) == 16


def test_a_window_counts_for_8_bits_and_white_first_too() -> None:
    data = dicom(GREY, WindowCenter=100.5, WindowWidth=101, PhotometricInterpretation="MONOCHROME1")
    wanted = 255 - np.rint(np.clip((GREY.astype(float) - 50) * 255 / 100, 0, 255))
    np.testing.assert_array_equal(shown(data), wanted)
    few = dicom(GREY >> 4, BitsStored=4, HighBit=3)
    np.testing.assert_array_equal(shown(few), (GREY >> 4) * 17)
    np.testing.assert_array_equal(decoded(few)[..., 0], GREY >> 4)


def test_frames_have_values_and_windows_of_their_own() -> None:
    """As enhanced CT and MR have them, in sequences for all frames and for each."""
    shared, frames = Dataset(), []
    shared.FrameVOILUTSequence = [Dataset()]
    shared.FrameVOILUTSequence[0].WindowCenter, shared.FrameVOILUTSequence[0].WindowWidth = 100, 201
    for number in range(len(DEEP)):
        frame = Dataset()
        frame.PixelValueTransformationSequence = [Dataset()]
        frame.PixelValueTransformationSequence[0].RescaleIntercept = -100 * number
        frame.PixelValueTransformationSequence[0].RescaleSlope = 2
        frames.append(frame)
    data = dicom(DEEP, SharedFunctionalGroupsSequence=[shared], PerFrameFunctionalGroupsSequence=frames)
    headers = list(FORMAT.read_headers(InMemory(data)))
    assert [header.label for header in headers] == ["frame 1", "frame 2", "frame 3", "frame 4"]
    assert {header.window for header in headers} == {(-0.5, 199.5)}
    for number, stored in enumerate(DEEP):
        np.testing.assert_array_equal(decoded(data, number)[..., 0], stored.astype(int) * 2 - 100 * number)


def test_frames_in_several_pieces_are_found_by_the_table() -> None:
    packed = [runs(frame) for frame in DEEP]
    whole = dicom(DEEP, RLELossless, packed)
    pieces = b"".join(
        struct.pack("<HHL", 0xFFFE, 0xE000, len(part)) + part for one in packed for part in (one[:80], one[80:])
    )
    offsets = [0]
    for one in packed[:-1]:
        offsets.append(offsets[-1] + len(one) + 16)
    start = whole.index(struct.pack("<HHL", 0xFFFE, 0xE000, 16))
    table = struct.pack("<HHL4L", 0xFFFE, 0xE000, 16, *offsets)
    data = whole[:start] + table + pieces + struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
    for number, wanted in enumerate(DEEP):
        np.testing.assert_array_equal(decoded(data, number)[..., 0], wanted)
    lost = whole[:start] + struct.pack("<HHL", 0xFFFE, 0xE000, 0) + pieces + struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
    with pytest.raises(ImageError, match="where its frames begin"):
        decoded(lost, 1)


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


@pytest.mark.parametrize(
    ("character_set", "name", "told"),
    [
        ("", "Doe^Jane^Q", "Doe Jane Q"),
        ("ISO_IR 100", "Müller^Zoë", "Müller Zoë"),
        ("ISO_IR 144", "Иванов^Иван", "Иванов Иван"),
        ("ISO_IR 192", "Wang^XiaoDong=王^小东", "Wang XiaoDong / 王 小东"),
    ],
)
def test_a_name_is_told_in_its_own_letters(character_set: str, name: str, told: str) -> None:
    data = dicom(DEEP, SpecificCharacterSet=character_set, PatientName=name)
    assert dict(FORMAT.read_people(InMemory(data)))["Patient"] == told


def test_what_is_told_of_a_patient_is_one_short_line_each() -> None:
    data = dicom(DEEP, StudyDescription="a\u202eb" + "x" * 60, SpecificCharacterSet="ISO_IR 192", PatientAge="000Y")
    found = dict(FORMAT.read_people(InMemory(data)))
    assert found["Study"].startswith("a bx"), "no marks that make text run backwards"
    assert all(text.isprintable() and len(text) <= 200 for text in found.values())


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


WHOLE = dicom(CT)
ELEMENT = {"rows": b"\x28\0\x10\0US\2\0", "bits": b"\x28\0\0\1US\2\0", "stored": b"\x28\0\1\1US\2\0",
           "high": b"\x28\0\2\1US\2\0", "samples": b"\x28\0\2\0US\2\0"}  # fmt: skip


def changed(name: str, value: int, data: bytes = WHOLE) -> bytes:
    start = data.rindex(ELEMENT[name]) + 8
    return data[:start] + struct.pack("<H", value) + data[start + 2 :]


BROKEN = {
    "empty": b"",
    "text": b"This is no image, whatever its name says.",
    "preamble alone": bytes(128) + b"DICM",
    "nothing of what it begins with": WHOLE[200:],
    "a palette in segments": palette().replace(b"\x28\0\1\x12OW", b"\x28\0\x21\x12OW"),
    "no image": WHOLE[: WHOLE.index(b"\xe0\x7f\x10\0")] + b"\xfc\xff\xfc\xffOB\0\0\0\0\0\0",
    "no rows": changed("rows", 0),
    "more rows than bytes": changed("rows", 23),
    "65,535 rows": changed("rows", 65535),
    "1 bit": changed("bits", 1),
    "32 bits": changed("bits", 32),
    "no bits": changed("bits", 0),
    "more bits stored than there are": changed("stored", 17),
    "high bit beyond": changed("high", 16),
    "high bit below": changed("high", 3),
    "3 samples of grey": changed("samples", 3),
    "a rare colour": dicom(CT, PhotometricInterpretation="CIELAB"),
    "no photometric": dicom(CT, PhotometricInterpretation=""),
    "more frames than bytes": dicom(CT, NumberOfFrames=9_999_999),
    "no frames": dicom(CT, NumberOfFrames=0),
    "frames that are no number": WHOLE.replace(b"MONOCHROME2 ", b"MONOCHROME2 \x28\0\x08\0IS\4\0 1e9"),
    "a palette of nothing": dicom(GREY, PhotometricInterpretation="PALETTE COLOR"),
    "a palette too short": palette().replace(b"\x01\x12OW\0\0\0\2\0\0", b"\x01\x12OW\0\0\0\1\0\0"),
    "an unknown transfer syntax": WHOLE.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.9.9\0"),
    "deflated that is not": WHOLE.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.1.99"),
    "compressed, but of a length": WHOLE.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.5\0"),
    "RLE that is none": dicom(CT, RLELossless, [b"\2\0\0\0" + bytes(60)]),
    "RLE of too few bytes": dicom(CT, RLELossless, [runs(CT[:9])]),
    "JPEG that is none": dicom(GREY, JPEGBaseline8Bit, [b"\xff\xd8\xff\xd9"]),
    "JPEG of another size": dicom(GREY, JPEGBaseline8Bit, [DICOM_KINDS["JPEG"].data[-2000:]]),
    "JPEG-LS that is none": dicom(CT, JPEGLSLossless, [b"\xff\xd8\xff\xf7" + bytes(40) + b"\xff\xd9"]),
    "JPEG-LS of another size": dicom(CT, JPEGLSLossless, [bytes(imagecodecs.jpegls_encode(CT[:9]))]),
    "JPEG-LS of a size that comes later": dicom(CT, JPEGLSLossless,
        [b"\xff\xd8\xff\xf8\0\5\4\0\0" + bytes(imagecodecs.jpegls_encode(CT))[2:]]),
    "JPEG-LS of floating values": dicom(CT, JPEGLSLossless, [bytes(imagecodecs.jpegls_encode(CT))], BitsAllocated=32),
    "JPEG XL": WHOLE.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.4.110\0"),
    "JPEG 2000 that is none": dicom(CT, JPEG2000Lossless, [b"\xff\x4f\xff\x51" + bytes(60) + b"\xff\xd9"]),
    "circles of sequences": WHOLE[:WHOLE.index(b"\x28\0\2\0US")]
    + (b"\x09\0\1\0SQ\0\0\xff\xff\xff\xff\xfe\xff\0\xe0\xff\xff\xff\xff") * 1000,
}  # fmt: skip


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
def test_broken_file_is_an_error_and_never_pixels(data: bytes) -> None:
    with pytest.raises(ImageError) as caught:
        list(FORMAT.read_headers(InMemory(data)))
        decoded(data)
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize(
    "name",
    [
        "Explicit VR Little Endian",
        "Deflated Explicit VR Little Endian",
        "frames",
        "RLE",
        "JPEG",
        "JPEG-LS",
        "high-throughput JPEG 2000",
        "1 bit",
        "32-bit float",
    ],
)
def test_cut_off_anywhere_it_is_refused(name: str) -> None:
    kind = DICOM_KINDS[name]
    for end in range(0, len(kind.data), max(1, len(kind.data) // 40)):
        with pytest.raises(ImageError):
            decoded(kind.data[:end], len(kind.frames) - 1)


NOTHING_TO_SEE = WHOLE[: WHOLE.index(b"\xe0\x7f\x10\0")]


@pytest.mark.parametrize(
    "data", [NOTHING_TO_SEE, NOTHING_TO_SEE + b"\x28\0\1\x60CS\0\0"], ids=["", "with an empty element at its end"]
)
def test_a_report_is_none_that_was_cut_off(data: bytes) -> None:
    with pytest.raises(ImageError, match="without an image"):
        list(FORMAT.read_headers(InMemory(data)))
    with pytest.raises(ImageError, match="too early"):
        list(FORMAT.read_headers(InMemory(data[:-1])))


def test_bytes_in_words_of_the_other_order_are_put_in_order() -> None:
    """As some programs write 8 bits in big endian; frames of an odd size begin in the middle of a word."""
    odd = np.stack([PHOTO[:3, :3] + number for number in range(3)])
    stored = np.frombuffer(odd.tobytes() + b"\0", "<u2").byteswap().tobytes()
    data = dicom(odd, ExplicitVRBigEndian, PixelData=stored)
    start = data.rindex(b"\x7f\xe0\0\x10") + 4
    for kind, wanted in ((b"OW", odd), (b"OB", np.frombuffer(stored[:-1], np.uint8).reshape(odd.shape))):
        for frame in range(3):
            found = decoded(data[:start] + kind + data[start + 2 :], frame)
            np.testing.assert_array_equal(found, wanted[frame])


def test_what_is_written_counts_and_not_what_is_said_of_it() -> None:
    data = dicom(CT, ImplicitVRLittleEndian)
    said = data.replace(b"1.2.840.10008.1.2\0", b"1.2.840.10008.1.2.1")
    said = said.replace(b"UI\x12\x001.2.840.10008.1.2.1", b"UI\x13\x001.2.840.10008.1.2.1")
    assert said != data
    np.testing.assert_array_equal(decoded(said)[..., 0], CT)


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian])
@pytest.mark.parametrize("with_meta", [True, False])
def test_files_older_than_their_preamble_are_read_where_their_name_says_so(syntax: str, with_meta: bool) -> None:
    whole = dicom(CT, syntax)
    data = whole[132:] if with_meta else whole[whole.index(b"\x08\0\x16\0") :]
    if not with_meta:
        first = b"\x08\0\x08\0" + (b"\2\0\0\0" if syntax == ImplicitVRLittleEndian else b"CS\2\0") + b"A "
        data = first + data
    assert not FORMAT.matches(data)
    np.testing.assert_array_equal(decoded(data)[..., 0], CT)


def test_colours_of_a_jpeg_are_what_the_file_says_unless_the_jpeg_does() -> None:
    rgb = bytes(imagecodecs.jpeg8_encode(PHOTO, level=95, colorspace="RGB", outcolorspace="RGB"))
    bare = b"\xff\xd8" + rgb[rgb.index(b"\xff\xdb") :]
    for marker in (b"", b"\xff\xee\0\x0cAdobe\0\0\0\0\0"):  # the latter too short for one
        found = decoded(dicom(PHOTO, JPEGBaseline8Bit, [bare[:2] + marker + bare[2:]]))
        np.testing.assert_allclose(found.astype(int), PHOTO, atol=12)


def test_a_large_image_is_refused_by_its_header() -> None:
    data = changed("rows", 60_000, DICOM_KINDS["RLE colour"].data)
    (header,) = FORMAT.read_headers(InMemory(data))
    assert header.height == 60_000
    with pytest.raises(ImageTooLarge, match="60000"):
        decoded(data)


def test_a_bomb_is_not_unfolded() -> None:
    zeros = np.zeros((4000, 4000), np.uint8)
    small = zeros[:22, :37]
    long_run = struct.pack("<16L", 1, 64, *[0] * 14) + b"\x81\0" * 500_000
    bombs = [
        dicom(small, JPEG2000Lossless, [bytes(imagecodecs.jpeg2k_encode(zeros[:2000, :2000], reversible=True))]),
        dicom(small, RLELossless, [long_run]),
    ]
    deflated = dicom(zeros, DeflatedExplicitVRLittleEndian)
    tracemalloc.start()
    for bomb in bombs:
        with pytest.raises(ImageError):
            FORMAT.decode(InMemory(bomb), max_pixels=MAX_PIXELS)
    with pytest.raises(ImageTooLarge):
        FORMAT.decode(InMemory(deflated), max_pixels=MAX_PIXELS)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 4000 * 4000


def test_its_first_bytes_tell_it() -> None:
    assert format_of(WHOLE) is FORMAT
    assert not FORMAT.matches(WHOLE[1:])
