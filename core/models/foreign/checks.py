"""What of a stranger's ONNX file or IR is looked at before any library that computes sees it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from core.base.errors import WeightsInvalid

MAX_XML_BYTES = 64 * 1024 * 1024  # a ViT-B/16's has 1 MB
MAX_LAYERS = 50_000  # a ViT-B/16's has 3,000
MOST_NUMBERS = 2**31  # of any one tensor that a file gives
_CONTROL = {"If", "Loop", "Scan", "TensorIterator"}
_ITEM_BITS = {
    "f64": 64,
    "i64": 64,
    "u64": 64,
    "f32": 32,
    "i32": 32,
    "u32": 32,
    "f16": 16,
    "bf16": 16,
    "i16": 16,
    "u16": 16,
}


def check_onnx(path: Path) -> None:
    """Raise WeightsInvalid unless an ONNX file is plain: all in one file, standard operators, no control flow."""
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    try:
        model = onnx.load_model(str(path), load_external_data=False)
    except (DecodeError, ValueError, RuntimeError) as error:
        raise WeightsInvalid(f"{path.name} is no ONNX file, or damaged; export the model again.") from error
    if model.functions:
        _refuse(path, "defines functions of its own", "export it with all of them inlined")
    if len(model.graph.node) > MAX_LAYERS:
        _refuse(path, f"has {len(model.graph.node):,} layers", "only image classifiers can be used")
    for node in model.graph.node:
        if node.domain not in {"", "ai.onnx"}:
            _refuse(path, "has custom operators", "only standard ones can be run")
        if node.op_type in _CONTROL:
            _refuse(path, f"branches ({node.op_type})", "only plain graphs can be used")
    for tensor in _tensors(model):
        if tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data:
            _refuse(path, "keeps numbers in other files", "export it as one file")
        if any(size < 0 for size in tensor.dims) or math.prod(tensor.dims) > MOST_NUMBERS:
            _refuse(path, "announces more numbers than any classifier has", "export the model again")


def check_ir(path: Path, *, quantized: bool = False) -> None:
    """Raise WeightsInvalid unless an IR is plain: standard layers, and numbers that are in the ``.bin`` beside it.

    One with quantized layers is refused unless it is to be ``quantized``.
    """
    weights = path.with_suffix(".bin")
    if not weights.is_file():
        _refuse(path, f"has no {weights.name} beside it", "give both files")
    if path.stat().st_size > MAX_XML_BYTES:
        _refuse(path, "is far larger than the graph of a classifier", "export the model again")
    text = path.read_bytes()
    if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
        _refuse(path, "defines entities", "export the model again")
    try:
        root = ElementTree.fromstring(text)  # noqa: S314 - nothing is defined in it, see above
    except ElementTree.ParseError as error:
        raise WeightsInvalid(f"{path.name} is no OpenVINO IR, or damaged; export the model again.") from error
    layers = root.findall("./layers/layer")
    if not layers or len(layers) > MAX_LAYERS:
        _refuse(path, f"has {len(layers):,} layers", "only image classifiers can be used")
    size = weights.stat().st_size
    for layer in layers:
        if not layer.get("version", "").startswith("opset"):
            _refuse(path, "has custom operators", "only standard ones can be run")
        if layer.get("type") in _CONTROL or layer.find("body") is not None:
            _refuse(path, f"branches ({layer.get('type')})", "only plain graphs can be used")
        if layer.get("type") == "FakeQuantize" and not quantized:
            _refuse(path, "is quantized already", "give its floating-point form, from which INT8 is made here")
        data = layer.find("data")
        if layer.get("type") == "Const" and data is not None:
            offset, length = (_number(data.get(key)) for key in ("offset", "size"))
            numbers = math.prod(_number(part) for part in (data.get("shape") or "").split(",") if part.strip())
            bits = _ITEM_BITS.get(data.get("element_type", ""), 1)
            if offset + length > size or numbers * bits > 8 * length:
                _refuse(path, f"and {weights.name} do not belong together", "give the two files of one export")


def _tensors(model: Any) -> Iterable[Any]:
    yield from model.graph.initializer
    for sparse in model.graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    for node in model.graph.node:
        for attribute in node.attribute:
            yield from attribute.tensors
            if attribute.HasField("t"):
                yield attribute.t


def _number(text: str | None) -> int:
    return int(text) if text and text.strip().isdecimal() else MOST_NUMBERS**2


def _refuse(path: Path, what: str, instead: str) -> None:
    raise WeightsInvalid(f"{path.name} {what}; {instead}.")
