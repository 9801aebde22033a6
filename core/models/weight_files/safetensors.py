"""The header of a safetensors file: 8 bytes of length, JSON, then the numbers without gaps.

https://github.com/huggingface/safetensors#format. Read here and not by its library, which builds every name a header
holds before it says how many there are: 67 MB of them took it half a minute.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

from numpy.typing import NDArray

from core.models.weight_files.tensors import ITEM_BYTES, MAX_NAME, MAX_TENSORS, BadFile, Damaged, Stored, stored

_LENGTH_BYTES = 8
_MAX_HEADER_BYTES = 1024 * 1024  # a ResNet18's has 12,000
# The types of the format, by PyTorch's names.
DTYPES = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
    "C64": "complex64",
    "I64": "int64",
    "I32": "int32",
    "I16": "int16",
    "I8": "int8",
    "U64": "uint64",
    "U32": "uint32",
    "U16": "uint16",
    "U8": "uint8",
    "BOOL": "bool",
}
_CODES = {dtype: code for code, dtype in DTYPES.items()}


def describe(file: BinaryIO, size: int) -> dict[str, Stored]:
    """The tensors of a file of ``size`` bytes by name; of their numbers nothing is read.

    Raises:
        BadFile: no such file, a header that contradicts itself or the file, or one too large.
    """
    begin = file.read(_LENGTH_BYTES)
    length = int.from_bytes(begin, "little")
    if len(begin) < _LENGTH_BYTES or _LENGTH_BYTES + length > size:
        raise Damaged("no header of safetensors")
    if length > _MAX_HEADER_BYTES:
        raise BadFile(f"has a header of {length:,} bytes where a ResNet18's has about 12,000; save the weights alone")
    try:
        header = json.loads(file.read(length).decode(), object_pairs_hook=_unrepeated)
    except (ValueError, RecursionError) as error:
        raise Damaged("no header of safetensors") from error
    if not isinstance(header, dict):
        raise Damaged("no header of safetensors")
    header.pop("__metadata__", None)  # text for people
    if len(header) > MAX_TENSORS or any(len(name) > MAX_NAME for name in header):
        raise BadFile(f"names {len(header):,} tensors where a ResNet18 has 122; save the weights alone")
    data = _LENGTH_BYTES + length
    spans = {name: _span(entry) for name, entry in header.items()}
    _check_no_gaps(list(spans.values()), size - data)
    return {name: _stored(header[name], data, *spans[name]) for name in header}


def write(file: BinaryIO, tensors: Mapping[str, Stored], read: Callable[[str], NDArray[Any]]) -> None:
    """Write tensors, one at a time, with what ``read`` gives for their names; equal tensors give equal bytes."""
    # The format asks for aligned numbers: the widest come first, and the header is filled up with blanks.
    names = sorted(tensors, key=lambda name: (-ITEM_BYTES[tensors[name].dtype], name))
    header, position = {}, 0
    for name in names:
        end = position + tensors[name].nbytes
        header[name] = {
            "dtype": _CODES[tensors[name].dtype],
            "shape": tensors[name].shape,
            "data_offsets": (position, end),
        }
        position = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _LENGTH_BYTES)
    file.write(len(text).to_bytes(_LENGTH_BYTES, "little") + text)
    for name in names:
        file.write(read(name).data)


def _unrepeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise Damaged("a name is there twice")
    return dict(pairs)


def _span(entry: object) -> tuple[int, int]:
    offsets = entry.get("data_offsets") if isinstance(entry, dict) else None
    match offsets:
        case [int(begin), int(end)] if 0 <= begin <= end:
            return begin, end
    raise Damaged("a tensor without a place")


def _check_no_gaps(spans: list[tuple[int, int]], data_bytes: int) -> None:
    position = 0
    for begin, end in sorted(spans):
        if begin != position:
            raise Damaged("tensors overlap or leave gaps")
        position = end
    if position != data_bytes:
        raise Damaged("its data ends early or goes on")


def _stored(entry: dict[str, object], data: int, begin: int, end: int) -> Stored:
    dtype, shape = entry.get("dtype"), entry.get("shape")
    if not isinstance(dtype, str) or not isinstance(shape, list):
        raise Damaged("a tensor without type or shape")
    made = stored(DTYPES.get(dtype, ""), shape, data + begin, data + end)
    if made.nbytes != end - begin:
        raise Damaged("a tensor's shape is not its data's")
    return made
