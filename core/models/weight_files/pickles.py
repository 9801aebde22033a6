"""What a pickle describes, without unpickling it: opcodes are read as a language in which nothing can be called.

Unpickling, also with torch's ``weights_only``, makes what a file asks for: ``bytearray(2_000_000_000)`` is 30 bytes.
Here a value is a string, a number, a container, or the *description* of a storage or tensor; the few calls a state dict
consists of become such descriptions, and every other opcode or name refuses the file. The opcodes are taken apart by
the standard library's ``pickletools``, which runs nothing either. Memory and time go with the number of opcodes alone.
"""

from __future__ import annotations

import io
import pickletools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

from core.models.weight_files.tensors import BadFile, printable

MAX_PICKLE_BYTES = 8 * 1024 * 1024  # a ResNet18's has 15,000, with its optimizer's state 60,000
MAX_OPCODES = 200_000  # a ResNet18's has 3,000, with its optimizer's state 10,000

SAVE_AGAIN = "save it with torch.save(model.state_dict(), 'weights.pth'), or as safetensors"


@dataclass(frozen=True, slots=True)
class Storage:
    """A block of numbers that is elsewhere in the file; ``offset`` and ``count`` in numbers."""

    dtype: str
    key: str
    count: int
    view: tuple[int, int] | None = None  # of the old format: first number and count of the part that is meant


@dataclass(frozen=True, slots=True)
class PickledTensor:
    """A view of a storage; nothing in it is checked but that sizes and strides are tuples."""

    storage: Storage
    offset: int
    shape: tuple[object, ...]
    strides: tuple[object, ...]


@dataclass(frozen=True, slots=True)
class _Global:
    name: str


class _Other:
    """A value that no weights need, which a training script has saved beside them."""


_OTHER = _Other()
_MARK = object()

_STORAGES = {
    f"torch.{kind}Storage": dtype
    for kind, dtype in {
        "Double": "float64",
        "Float": "float32",
        "Half": "float16",
        "BFloat16": "bfloat16",
        "ComplexFloat": "complex64",
        "ComplexDouble": "complex128",
        "Long": "int64",
        "Int": "int32",
        "Short": "int16",
        "Char": "int8",
        "Byte": "uint8",
        "Bool": "bool",
        "QInt32": "qint32",
        "QInt8": "qint8",
        "QUInt8": "quint8",
    }.items()
}
_DTYPES = {f"torch.{dtype}" for dtype in _STORAGES.values()} | {"torch.half", "torch.float", "torch.double"}
_TENSORS = {"torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2"}
_PARAMETERS = {"torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state"}
_DICT = "collections.OrderedDict"
# Saved beside weights by optimizers, schedulers and scripts; what they would make is not made.
_HARMLESS = {
    "torch.Size",
    "torch.device",
    "torch.serialization._get_layout",
    "collections.Counter",
    "builtins.set",
    "__builtin__.set",
    "_codecs.encode",
}
_NOT_PLAIN = {
    "torch._utils._rebuild_qtensor",
    "torch._utils._rebuild_sparse_tensor",
    "torch._utils._rebuild_sparse_csr_tensor",
    "torch._utils._rebuild_meta_tensor_no_storage",
    "torch._utils._rebuild_nested_tensor",
    "torch._utils._rebuild_tensor_v3",
    "torch._utils._rebuild_wrapper_subclass",
    "torch.storage.UntypedStorage",
}
_KNOWN = {*_STORAGES, *_DTYPES, *_TENSORS, *_PARAMETERS, _DICT, *_HARMLESS}


class PickleReader:
    """Reads the pickles of one file, one after another, within one allowance of opcodes."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)
        self._left = MAX_OPCODES
        self.storages: dict[str, tuple[str, int]] = {}  # type and count of each, by key
        self._memo: dict[int, Any] = {}
        self._stack: list[Any] = []

    @property
    def position(self) -> int:
        """The byte behind the pickles read so far."""
        return self._data.tell()

    def read(self) -> object:
        """What the next pickle describes: None, bool, int, float, str, tuple, list, dict, PickledTensor, or anything
        else for values that no weights need.

        Raises:
            BadFile: damaged, too long, or with anything in it that a state dict does not need.
        """
        self._memo, self._stack = {}, []
        try:
            for opcode, argument, _ in pickletools.genops(self._data):
                self._left -= 1
                if self._left < 0:
                    raise BadFile(f"holds far more than weights; {SAVE_AGAIN}")
                if opcode.name == "STOP":
                    return self._stack.pop()
                step = _STEPS.get(opcode.name)
                if step is None:
                    _refuse(opcode.name)
                step(self, argument)
        except (ValueError, LookupError, TypeError) as error:  # opcodes in an order that has no meaning
            raise BadFile(f"is damaged or holds more than weights, which is never run; {SAVE_AGAIN}") from error
        raise AssertionError  # genops ends with STOP or an error

    # --- the opcodes; see pickletools for what each takes from the stack and leaves there

    def _push(self, value: object) -> None:
        self._stack.append(value)

    def _get(self, place: int) -> None:
        self._stack.append(self._memo[place])

    def _put(self, place: int) -> None:
        self._memo[place] = self._stack[-1]

    def _global(self, names: str) -> None:
        name = names.replace(" ", ".")
        if name in _NOT_PLAIN:
            raise BadFile("holds quantized, sparse or otherwise special tensors; save the weights as plain numbers")
        if name not in _KNOWN:
            _refuse(name)
        self._stack.append(_Global(name))

    def _to_mark(self) -> list[Any]:
        place = len(self._stack) - 1
        while self._stack[place] is not _MARK:
            place -= 1
            if place < 0:
                raise ValueError("no mark")
        items = self._stack[place + 1 :]
        del self._stack[place:]
        return items

    def _tuple(self, count: int | None) -> None:
        if count is None:
            self._stack.append(tuple(self._to_mark()))
        else:
            items = tuple(self._stack[-count:])
            if len(items) < count or _MARK in items:
                raise ValueError("a tuple that is too short")
            self._stack[-count:] = [items]

    def _append(self, items: list[Any]) -> None:
        target = self._stack[-1]
        if type(target) is not list:
            raise ValueError("appends to something else")
        target.extend(items)

    def _set(self, items: list[Any]) -> None:
        target = self._stack[-1]
        if type(target) is not dict:
            raise ValueError("sets an item of something else")
        target.update(_pairs(zip(items[::2], items[1::2], strict=True)))

    def _set_one(self) -> None:
        value, key = self._stack.pop(), self._stack.pop()
        self._set([key, value])

    def _build(self) -> None:
        self._stack.pop()  # attributes of a state dict, such as its modules' versions
        if type(self._stack[-1]) is not dict:
            _refuse("an object's attributes")

    def _storage(self) -> None:
        match self._stack.pop():
            case ("storage", _Global(name), str(key), str(), int(count), *view) if (
                name in _STORAGES and 0 <= count < 2**48
            ):
                made = Storage(_STORAGES[name], key, count)
                match view:
                    case [] | [None]:
                        pass
                    case [(str(), int(first), int(length))] if 0 <= first <= first + length <= count:
                        made = Storage(made.dtype, key, count, (first, length))
                    case _:
                        raise ValueError("a view of nothing")
                whole = (made.dtype, count)
                if self.storages.setdefault(key, whole) != whole:
                    raise ValueError("one storage of two kinds")
                self._stack.append(made)
            case _:
                raise ValueError("no storage")

    def _reduce(self) -> None:
        arguments, function = self._stack.pop(), self._stack.pop()
        if type(arguments) is not tuple or type(function) is not _Global:
            raise ValueError("calls something else")
        if function.name in _TENSORS:
            storage, offset, shape, strides = arguments[:4]
            if not (isinstance(storage, Storage) and type(offset) is int and offset >= 0):
                raise ValueError("a tensor without numbers")
            if not (type(shape) is tuple and type(strides) is tuple):
                raise ValueError("a tensor without a shape")
            self._stack.append(PickledTensor(storage, offset, shape, strides))
        elif function.name in _PARAMETERS:
            if not isinstance(arguments[0], PickledTensor):
                raise ValueError("a parameter without a tensor")
            self._stack.append(arguments[0])
        elif function.name == _DICT:
            pairs = arguments[0] if arguments else []  # a list of pairs is Python 2's way
            self._left -= len(pairs)  # which could be gone through again and again
            self._stack.append(_pairs(pairs))
        elif function.name in _HARMLESS:
            self._stack.append(_OTHER)
        else:
            _refuse(function.name)


def _refuse(what: str) -> NoReturn:
    raise BadFile(f"holds more than weights ({printable(what)}), which is never run; {SAVE_AGAIN}")


def _pairs(pairs: Any) -> dict[Any, Any]:
    """A dictionary whose keys cannot be made to collide: text, whose hashes are random, or small numbers."""
    made = {}
    for pair in pairs:
        if type(pair) not in (list, tuple) or len(pair) != 2:
            raise ValueError("no pair")
        key, value = pair
        if type(key) is not str and not (type(key) is int and -(2**31) <= key < 2**31):
            raise ValueError("a key that is neither a name nor a number")
        made[key] = value
    return made


_Step = Callable[[PickleReader, Any], None]


def _pushes(make: Callable[[Any], object]) -> _Step:
    return lambda reader, argument: reader._push(make(argument))


_STEPS: dict[str, _Step] = {
    "PROTO": lambda reader, _: None,
    "MARK": _pushes(lambda _: _MARK),
    "NONE": _pushes(lambda _: None),
    "NEWTRUE": _pushes(lambda _: True),
    "NEWFALSE": _pushes(lambda _: False),
    "EMPTY_DICT": _pushes(lambda _: {}),
    "EMPTY_LIST": _pushes(lambda _: []),
    "EMPTY_TUPLE": _pushes(lambda _: ()),
    **dict.fromkeys(
        ("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE", "BINSTRING", "SHORT_BINSTRING"),
        _pushes(lambda argument: argument),
    ),
    **dict.fromkeys(("BINGET", "LONG_BINGET"), PickleReader._get),
    **dict.fromkeys(("BINPUT", "LONG_BINPUT"), PickleReader._put),
    "GLOBAL": PickleReader._global,
    "TUPLE": lambda reader, _: reader._tuple(None),
    "TUPLE1": lambda reader, _: reader._tuple(1),
    "TUPLE2": lambda reader, _: reader._tuple(2),
    "TUPLE3": lambda reader, _: reader._tuple(3),
    "APPEND": lambda reader, _: reader._append([reader._stack.pop()]),
    "APPENDS": lambda reader, _: reader._append(reader._to_mark()),
    "SETITEM": lambda reader, _: reader._set_one(),
    "SETITEMS": lambda reader, _: reader._set(reader._to_mark()),
    "BUILD": lambda reader, _: reader._build(),
    "BINPERSID": lambda reader, _: reader._storage(),
    "REDUCE": lambda reader, _: reader._reduce(),
}
