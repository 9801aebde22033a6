"""Files of weights made in code: as torch and safetensors write them, and as nobody should."""

from __future__ import annotations

import io
import json
import pickle
import struct
import zipfile
from collections.abc import Callable, Mapping

import pytest

torch = pytest.importorskip("torch")

MIB = 1024 * 1024
TINY = {"fc.weight": torch.arange(6.0).reshape(2, 3), "fc.bias": torch.ones(2)}


def pth_bytes(content: object, as_zip: bool = True) -> bytes:
    """What ``torch.save`` makes of it."""
    buffer = io.BytesIO()
    torch.save(content, buffer, _use_new_zipfile_serialization=as_zip)
    return buffer.getvalue()


def safetensors_bytes(header: object, data: bytes = b"", length: int | None = None) -> bytes:
    """A file with any header, and any word about its length."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def zip_of(entries: Mapping[str, bytes] | list[tuple[str, bytes]], method: int = zipfile.ZIP_STORED) -> bytes:
    """A ZIP with these entries in this order."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in entries.items() if isinstance(entries, Mapping) else entries:
            archive.writestr(name, data)
    return buffer.getvalue()


def in_zip(pickled: bytes) -> bytes:
    """A file of torch's present format with this pickle in it, and the two numbers that ``storage()`` stands for."""
    numbers = {"a/data/0": struct.pack("<2f", 1, 2)}
    return zip_of({"a/data.pkl": pickled, "a/byteorder": b"little", **numbers, "a/version": b"3\n"})


def in_a_row(pickled: bytes, keys: list[str], numbers: bytes = b"") -> bytes:
    """A file of torch's old format with this pickle in it."""
    begin = [0x1950A86A20F9469CFC6C, 1001, {"protocol_version": 1001, "little_endian": True, "type_sizes": {}}]
    parts = [*(pickle.dumps(value, protocol=2) for value in begin), pickled, pickle.dumps(keys, protocol=2), numbers]
    return b"".join(parts)


def text(value: str) -> bytes:
    """The opcodes of a string."""
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def number(value: int) -> bytes:
    """The opcodes of a whole number."""
    raw = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(raw)]) + raw


def call(name: str, *arguments: bytes) -> bytes:
    """The opcodes of a call, as an attacker writes them: without being able to make its result."""
    module, _, attribute = name.rpartition(".")
    return b"c" + f"{module}\n{attribute}\n".encode() + b"(" + b"".join(arguments) + b"tR"


def state(**values: bytes) -> bytes:
    """A pickle of a dictionary with these opcodes as values."""
    return b"\x80\x02}(" + b"".join(text(name) + value for name, value in values.items()) + b"u."


def storage(kind: str = "Float", key: bytes | None = None, count: int = 2, location: str = "cpu") -> bytes:
    """The opcodes of a persistent id."""
    told = [text("storage"), f"ctorch\n{kind}Storage\n".encode(), key or text("0"), text(location), number(count)]
    return b"(" + b"".join(told) + b"tQ"


def tensor(
    made_of: bytes | None = None,
    offset: int = 0,
    shape: tuple[int, ...] = (2,),
    strides: tuple[int, ...] = (1,),
    function: str = "torch._utils._rebuild_tensor_v2",
) -> bytes:
    """The opcodes of a tensor."""
    sizes, steps = (b"(" + b"".join(map(number, counts)) + b"t" for counts in (shape, strides))
    hooks = b"ccollections\nOrderedDict\n)R"
    return call(function, made_of or storage(), number(offset), sizes, steps, b"\x89", hooks)


class Runs:
    """Unpickling it calls ``function(*arguments)``."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.call
