"""A tensor as a file describes it: type, shape, and where its numbers are. None are read before that makes sense."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Protocol

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

MIB = 1024 * 1024  # not from the settings, whose import takes longer than reading a file
MAX_TENSORS = 4_000  # in one file, which may hold an optimizer's too; a ResNet18 has 122, a ResNet152 932
MAX_NAME = 256  # characters; torchvision's longest has 32
_SHOWN = 60  # characters of a name in a message
_MAX_DIMENSIONS = 8  # a convolution's weights have 4

# Bytes of a number, by PyTorch's name of its type; other types are in no file that could be used.
ITEM_BYTES = {
    "float64": 8,
    "float32": 4,
    "float16": 2,
    "bfloat16": 2,
    "float8_e4m3fn": 1,
    "float8_e5m2": 1,
    "complex64": 8,
    "complex128": 16,
    "int64": 8,
    "int32": 4,
    "int16": 2,
    "int8": 1,
    "uint64": 8,
    "uint32": 4,
    "uint16": 2,
    "uint8": 1,
    "bool": 1,
    "qint32": 4,
    "qint8": 1,
    "quint8": 1,
}
# NumPy has no bfloat16, the upper half of a float32: kept as it is, and widened to be looked at.
_NUMPY: dict[str, str] = {"float64": "<f8", "float32": "<f4", "float16": "<f2", "bfloat16": "<u2"}
FLOATS = tuple(_NUMPY)


def printable(name: str) -> str:
    """A stranger's name for a message: one line, not long, nothing in it that cannot be written."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in name[:_SHOWN])


class BadFile(Exception):
    """What is wrong with a file, as words that follow its name: "is damaged; save it again"."""


class Damaged(BadFile):
    """A file that contradicts itself."""

    def __init__(self, what: str) -> None:
        super().__init__(f"is damaged ({what}); save or copy it again")


class Described(Protocol):
    """A tensor of which only type and shape are known."""

    @property
    def dtype(self) -> str:
        """PyTorch's name: "float32"."""

    @property
    def shape(self) -> tuple[int, ...]:
        """As PyTorch writes it: (out, in, height, width)."""


@dataclass(frozen=True, slots=True)
class Stored:
    """Made by ``stored``, which has checked that everything lies inside the file.

    ``start`` is the byte of its first number in the file; ``strides`` are steps in numbers, one for each dimension.
    """

    dtype: str
    shape: tuple[int, ...]
    start: int
    strides: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        """Of its numbers when they are written out one by one."""
        return math.prod(self.shape) * ITEM_BYTES[self.dtype]

    def read(self, file: BinaryIO) -> NDArray[Any]:
        """The numbers in C order: a type of ``FLOATS`` only, bfloat16 as uint16.

        Raises:
            BadFile: another type, or numbers that are seen twice, for which memory would go by a file's word.
            Damaged: the file has become shorter.
        """
        if self.dtype not in FLOATS:
            raise BadFile(f"holds no plain floating-point numbers ({self.dtype})")
        kind = np.dtype(_NUMPY[self.dtype])
        numbers = _span(self.shape, self.strides)
        if math.prod(self.shape) > numbers:
            raise BadFile("holds views that repeat numbers; save {k: v.clone() for k, v in model.state_dict().items()}")
        span = numbers * kind.itemsize
        file.seek(self.start)
        data = file.read(span)
        if len(data) != span:
            raise Damaged("its data ends early")
        steps = tuple(step * kind.itemsize for step in self.strides)
        return np.ascontiguousarray(as_strided(np.frombuffer(data, kind), self.shape, steps, writeable=False))


def stored(
    dtype: str, shape: Sequence[object], start: int, stop: int, strides: Sequence[object] | None = None
) -> Stored:
    """A tensor whose numbers lie between the bytes ``start`` and ``stop`` of a file; without strides, in C order.

    Raises:
        Damaged: shape or strides are no counts, or lead outside.
    """
    if dtype not in ITEM_BYTES:
        raise Damaged("numbers of an unknown type")
    sizes = _counts(shape)
    steps = _c_order(sizes) if strides is None else _counts(strides)
    if len(sizes) != len(steps) or start < 0 or start + _span(sizes, steps) * ITEM_BYTES[dtype] > stop:
        raise Damaged("a tensor's numbers are not in the file")
    return Stored(dtype, sizes, start, steps)


def is_finite(numbers: NDArray[Any]) -> bool:
    """Whether all of what ``Stored.read`` gave are numbers that float32 can hold."""
    if numbers.size == 0:
        return True
    if numbers.dtype == np.uint16:
        numbers = (numbers.astype(np.uint32) << 16).view(np.float32)
    with np.errstate(over="ignore"):  # NaN is passed on by both
        return bool(np.isfinite(np.array([numbers.min(), numbers.max()]).astype(np.float32)).all())


def _counts(values: Sequence[object]) -> tuple[int, ...]:
    if len(values) > _MAX_DIMENSIONS:
        raise Damaged(f"a tensor of {len(values):,} dimensions")
    counts = tuple(value for value in values if type(value) is int and 0 <= value < 2**63)
    if len(counts) != len(values):
        raise Damaged("a tensor's shape is none")
    return counts


def _c_order(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(math.prod(shape[place + 1 :]) for place in range(len(shape)))


def _span(shape: tuple[int, ...], strides: tuple[int, ...]) -> int:
    """Numbers from the first to the last that a tensor reaches."""
    if 0 in shape:
        return 0
    return 1 + sum((size - 1) * step for size, step in zip(shape, strides, strict=True))
