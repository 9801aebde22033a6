"""DICOM files made in code by pydicom: kinds with what they must decode to, and a patient whom nobody may see."""

from __future__ import annotations

import io
import struct
from typing import Any

import imagecodecs
import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from tests.pictures import Array, Kind, opened, picture, saved

SECRETS = ("Wintermute", "19470318", "PID-8823-X", "Sprawl Hospital", "1.2.826.0.1.4711.815")


def dicom(
    samples: Array, syntax: str = ExplicitVRLittleEndian, packed: list[bytes] | None = None, **elements: Any
) -> bytes:
    """A file of ``[H, W]``, ``[N, H, W]`` or ``[..., H, W, 3]``; ``packed`` has the compressed frames, if any."""
    colours = 3 if samples.shape[-1] == 3 and samples.ndim > 2 else 1
    height, width = samples.shape[-3:-1] if colours == 3 else samples.shape[-2:]
    bits = 8 * samples.dtype.itemsize
    dataset = _patient(syntax)
    dataset.SamplesPerPixel, dataset.Rows, dataset.Columns = colours, height, width
    dataset.PhotometricInterpretation = "RGB" if colours == 3 else "MONOCHROME2"
    if colours == 3:
        dataset.PlanarConfiguration = 0
    if samples.ndim > (3 if colours == 3 else 2):
        dataset.NumberOfFrames = len(samples)
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = bits, bits, bits - 1
    dataset.PixelRepresentation = int(samples.dtype.kind == "i")
    for name, value in elements.items():
        setattr(dataset, name, value)
    order = ">" if syntax == ExplicitVRBigEndian else "<"
    if samples.dtype.kind == "f" or "PixelData" in elements:
        return _written(dataset)
    dataset.PixelData = encapsulate(packed) if packed else samples.astype(samples.dtype.newbyteorder(order)).tobytes()
    dataset["PixelData"].VR = "OB" if packed or bits == 8 else "OW"
    dataset["PixelData"].is_undefined_length = bool(packed)
    return _written(dataset)


def _written(dataset: FileDataset) -> bytes:
    if "PixelData" in dataset and dataset.BitsAllocated == 1:
        dataset["PixelData"].VR = "OB"
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def _patient(syntax: str) -> FileDataset:
    name, date, number, hospital, uid = SECRETS
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = syntax
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    meta.MediaStorageSOPInstanceUID = f"{uid}.1"
    implicit, little = syntax == ImplicitVRLittleEndian, syntax != ExplicitVRBigEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=bytes(128), is_implicit_VR=implicit, is_little_endian=little)
    dataset.SOPClassUID, dataset.SOPInstanceUID = meta.MediaStorageSOPClassUID, f"{uid}.1"
    dataset.PatientName, dataset.PatientID, dataset.PatientBirthDate = f"{name}^Case", number, date
    dataset.StudyDate, dataset.InstitutionName, dataset.Modality = date, hospital, "CT"
    dataset.SeriesInstanceUID, dataset.StudyInstanceUID = f"{uid}.2", f"{uid}.3"
    other = Dataset()
    other.PatientID, other.Rows = number, 7  # sizes in a sequence are not those of the image
    dataset.OtherPatientIDsSequence = Sequence([other])
    dataset["OtherPatientIDsSequence"].is_undefined_length = True
    return dataset


def table(first: int, values: Array, bits: int) -> Dataset:
    """A modality LUT."""
    lut = Dataset()
    lut.add_new(0x00283002, "US", [len(values), first, bits])
    lut.ModalityLUTType = "HU"
    lut.add_new(0x00283006, "US", values.tolist())
    return lut


def voi_table(first: int, levels: Array, bits: int, count: int = 0) -> Dataset:
    """A VOI LUT; it says that it has ``count`` entries."""
    lut = Dataset()
    lut.add_new(0x00283002, "SS" if first < 0 else "US", [count or len(levels), first, bits])
    lut.add_new(0x00283006, "US", levels.tolist())
    return lut


def bits_of(frames: Array) -> bytes:
    """``[N, H, W]`` of 0 and 1, each in a bit, one frame right behind the other."""
    octets = np.packbits(frames.ravel(), bitorder="little").tobytes()
    return octets + b"\0" * (len(octets) % 2)


def runs(frame: Array) -> bytes:
    """A frame as DICOM's RLE, of ``[H, W]`` or ``[H, W, 3]``."""
    whole = frame[..., np.newaxis] if frame.ndim == 2 else frame
    size = whole.dtype.itemsize
    octets = whole.astype(whole.dtype.newbyteorder(">")).view(np.uint8).reshape(*whole.shape, size)
    segments = []
    for channel in range(whole.shape[2]):
        for octet in range(size):
            segment = bytes(imagecodecs.packbits_encode(octets[:, :, channel, octet].tobytes()))
            segments.append(segment + b"\0" * (len(segment) % 2))
    offsets = [64 + sum(map(len, segments[:number])) for number in range(len(segments))]
    head = struct.pack("<16L", len(segments), *offsets, *[0] * (15 - len(segments)))
    return head + b"".join(segments)


CT = (picture(37, 22, 1)[..., 0].astype(np.int16) * 16).astype(np.uint16)  # 0 to 4080, 12 bits
SIGNED = CT.astype(np.int16) - 1024
GREY, PHOTO = picture(37, 22, 1)[..., 0], picture(38, 22)
DEEP = np.stack([CT + number for number in range(4)])
TWELVE: dict[str, Any] = {"BitsStored": 12, "HighBit": 11}
HOUNSFIELD: dict[str, Any] = {"RescaleSlope": 1, "RescaleIntercept": -1024}


def _kinds() -> dict[str, Kind]:
    grey = "16-bit grey"
    kinds = {}

    def add(name: str, data: bytes, description: str, *frames: Array, off_by: int = 0) -> None:
        whole = [frame[..., np.newaxis] if frame.ndim == 2 else frame for frame in frames]
        kinds[name] = Kind(data, description, whole, off_by)

    for syntax in (ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian):
        add(syntax.name, dicom(CT, syntax), grey, CT)
    add("8 bits", dicom(GREY), "8-bit grey", GREY)
    add("12 bits", dicom(CT, **TWELVE), "12-bit grey", CT)
    add("12 bits above others", dicom(CT << 4 | 3, BitsStored=12, HighBit=15), "12-bit grey", CT)
    add("signed", dicom(SIGNED), "16-bit signed grey", SIGNED)
    add("signed 12 bits, with others above", dicom((SIGNED // 2).view(np.uint16) & 0xFFF | 0x5000,
        PixelRepresentation=1, **TWELVE), "16-bit signed grey", SIGNED // 2)  # fmt: skip
    add("signed 8 bits", dicom(GREY.view(np.int8)), "16-bit signed grey", GREY.view(np.int8).astype(np.int16))
    add("Hounsfield units", dicom(CT, **TWELVE, **HOUNSFIELD), "16-bit signed grey", SIGNED)
    add("Hounsfield units of 16 bits", dicom(CT * 16, **HOUNSFIELD), "32-bit signed grey",
        (CT * 16).astype(np.int32) - 1024)  # fmt: skip
    add("a slope with a fraction", dicom(CT, RescaleSlope="0.25", RescaleIntercept="1.5"), "32-bit float grey",
        (CT * 0.25 + 1.5).astype(np.float32))  # fmt: skip
    tripled = np.arange(4096, dtype=np.uint16)[::-1] * 3
    add("a modality table", dicom(CT, ModalityLUTSequence=[table(0, tripled, 16)]), grey, tripled[CT])
    add("white first", dicom(CT, PhotometricInterpretation="MONOCHROME1"), grey, CT)
    add("frames", dicom(DEEP), grey, *DEEP)
    masks = (DEEP[:3] > 2000).astype(np.uint8)
    add("1 bit", dicom(masks, BitsAllocated=1, BitsStored=1, HighBit=0, PixelData=bits_of(masks)), "1-bit grey",
        *(masks * 255))  # fmt: skip
    dose = CT.astype(np.uint32) * 1_000_000
    add("32 bits", dicom(dose), "32-bit grey", dose)
    add("signed 32 bits", dicom(dose.view(np.int32) - 2_000_000_000), "32-bit signed grey",
        dose.view(np.int32) - 2_000_000_000)  # fmt: skip
    for name, dtype in {"FloatPixelData": np.float32, "DoubleFloatPixelData": np.float64}.items():
        values = (DEEP / 7).astype(dtype)
        kind = f"{8 * values.dtype.itemsize}-bit float"
        add(kind, dicom(values, **{name: values.tobytes()}), f"{kind} grey", *values)
    add("colour", dicom(PHOTO), "8-bit RGB", PHOTO)
    planar = np.ascontiguousarray(np.moveaxis(PHOTO, 2, 0)).reshape(PHOTO.shape)
    add("planar", dicom(planar, PlanarConfiguration=1), "8-bit RGB", PHOTO)
    ybr = np.asarray(imagecodecs.jpeg8_decode(imagecodecs.jpeg8_encode(PHOTO, level=100), outcolorspace="YCBCR"))
    rgb = np.asarray(imagecodecs.jpeg8_decode(imagecodecs.jpeg8_encode(PHOTO, level=100)))
    add("YBR", dicom(ybr, PhotometricInterpretation="YBR_FULL"), "8-bit RGB", rgb, off_by=2)
    even = ybr.copy()
    even[:, 1::2, 1:] = even[:, 0::2, 1:]
    pairs = np.stack([even[:, 0::2, 0], even[:, 1::2, 0], even[:, 0::2, 1], even[:, 0::2, 2]], axis=2)
    wide = dicom(even, PhotometricInterpretation="YBR_FULL")
    half = dicom(even, PhotometricInterpretation="YBR_FULL_422")
    half = half[: -even.nbytes - 4] + struct.pack("<L", pairs.nbytes) + pairs.tobytes()
    kinds["YBR 4:2:2"] = Kind(half, "8-bit RGB", [by_pydicom(wide)], off_by=1)
    add("palette", palette(), "8-bit palette", np.stack([GREY, 255 - GREY, GREY // 2], axis=2))

    add("RLE", dicom(DEEP, RLELossless, [runs(frame) for frame in DEEP]), grey, *DEEP)
    add("RLE colour", dicom(PHOTO, RLELossless, [runs(PHOTO)], PlanarConfiguration=1), "8-bit RGB", PHOTO)
    jpeg = saved(PHOTO, "JPEG", quality=90)
    add("JPEG", dicom(PHOTO, JPEGBaseline8Bit, [jpeg], PhotometricInterpretation="YBR_FULL_422"), "8-bit RGB",
        opened(jpeg), off_by=1)  # fmt: skip
    jpeg = saved(GREY[..., np.newaxis], "JPEG", quality=90)
    add("JPEG grey", dicom(GREY, JPEGBaseline8Bit, [jpeg]), "8-bit grey", opened(jpeg))
    lossless = [bytes(imagecodecs.jpeg8_encode(f, bitspersample=12, lossless=True)) for f in DEEP[:2]]
    add("JPEG lossless", dicom(DEEP[:2], JPEGLosslessSV1, lossless, **TWELVE, **HOUNSFIELD), "16-bit signed grey",
        *(DEEP[:2].astype(np.int16) - 1024))  # fmt: skip
    lossless = [bytes(imagecodecs.jpeg8_encode(PHOTO, colorspace="RGB", outcolorspace="RGB", lossless=True))]
    add("JPEG lossless colour", dicom(PHOTO, JPEGLosslessSV1, lossless), "8-bit RGB", PHOTO)
    signed = bytes(imagecodecs.jpeg2k_encode(SIGNED, reversible=True, codecformat="j2k"))
    add("JPEG 2000 signed", dicom(SIGNED, JPEG2000Lossless, [signed]), "16-bit signed grey", SIGNED)
    packed = bytes(imagecodecs.jpeg2k_encode(PHOTO, reversible=True, codecformat="j2k", mct=True))
    add("JPEG 2000 colour", dicom(PHOTO, JPEG2000Lossless, [packed], PhotometricInterpretation="YBR_RCT"), "8-bit RGB",
        PHOTO)  # fmt: skip
    for bits, syntax in ((12, JPEGLSLossless), (16, JPEGLSNearLossless)):
        samples = CT * (2**bits // 4096)
        packed = [bytes(imagecodecs.jpegls_encode(samples, level=2 if bits == 16 else 0))]
        name = "JPEG-LS" if bits == 12 else "JPEG-LS nearly lossless"
        add(name, dicom(samples, syntax, packed, BitsStored=bits, HighBit=bits - 1), f"{bits}-bit grey", samples,
            off_by=2 if bits == 16 else 0)  # fmt: skip
    add("JPEG-LS signed", dicom(SIGNED, JPEGLSLossless, [bytes(imagecodecs.jpegls_encode(SIGNED.view(np.uint16)))]),
        "16-bit signed grey", SIGNED)  # fmt: skip
    add("JPEG-LS colour", dicom(PHOTO, JPEGLSLossless, [bytes(imagecodecs.jpegls_encode(PHOTO))]), "8-bit RGB", PHOTO)
    quick = [bytes(imagecodecs.htj2k_encode(frame, reversible=True)) for frame in DEEP[:2]]
    add("high-throughput JPEG 2000", dicom(DEEP[:2], HTJ2KLossless, quick), grey, *DEEP[:2])
    return kinds


def palette() -> bytes:
    """Indices whose colours are the index, its opposite and its half, of 16 bits."""
    ramp = np.arange(256, dtype="<u2") * 257
    colours: dict[str, Any] = {"PhotometricInterpretation": "PALETTE COLOR"}
    for name, values in {"Red": ramp, "Green": ramp[::-1], "Blue": ramp // 2}.items():
        colours[f"{name}PaletteColorLookupTableDescriptor"] = [256, 0, 16]
        colours[f"{name}PaletteColorLookupTableData"] = values.astype("<u2").tobytes()
    return dicom(GREY, **colours)


def by_pydicom(data: bytes) -> Array:
    """What pydicom decodes of a colour image, as RGB."""
    from pydicom import dcmread
    from pydicom.pixels import pixel_array

    return pixel_array(dcmread(io.BytesIO(data)))


DICOM_KINDS = _kinds()
