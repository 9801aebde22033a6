"""DICOM: every kind as pydicom writes it, true values and windows."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.pixels import apply_modality_lut, apply_voi_lut
from pydicom.uid import (
    RLELossless,
)

from core.base.errors import ImageError
from core.images.formats.dicom import FORMAT
from core.images.formats.format import SAMPLE_TYPES, InMemory, for_browsers
from tests.dicom_files import (
    CT,
    DEEP,
    DICOM_KINDS,
    GREY,
    HOUNSFIELD,
    SIGNED,
    TWELVE,
    Kind,
    dicom,
    runs,
    table,
    voi_table,
)
from tests.unit.images.dicom_reading import MAX_PIXELS, decoded, decoded_header, shown


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
