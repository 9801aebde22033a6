"""What ``torch.save`` writes: a ZIP of a pickle and one stored file for each block of numbers, or all of it in a row.

torch/serialization.py, ``_save`` and ``_legacy_save``. Numbers are looked up in place; nothing is unpacked or unpickled.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from itertools import pairwise
from typing import BinaryIO, cast

from core.models.weight_files.pickles import MAX_PICKLE_BYTES, SAVE_AGAIN, PickledTensor, PickleReader
from core.models.weight_files.tensors import ITEM_BYTES, MAX_TENSORS, MIB, BadFile, Damaged, Stored, stored

# In front of a model's own names: what training scripts put around a state dict, and what wrappers (DataParallel,
# Lightning, torch.compile) put before its names.
_WRAPPINGS = ("state_dict", "model_state_dict", "model")
_MOST_WRAPPINGS = 3  # inside each other; a made-up file may hold itself

_ZIP_MAGIC = b"PK\x03\x04"
_MAX_DIRECTORY_BYTES = MIB  # of the ZIP; MAX_TENSORS entries of torch's need half of it
_LOCAL_HEADER = 30  # its fixed part: PKWARE APPNOTE.TXT, 4.3.7

_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY_PROTOCOL = 1001

# Where the numbers of a storage are in the file: first byte, byte behind the last.
_Places = Mapping[str, tuple[int, int]]


def describe(file: BinaryIO, size: int) -> dict[str, Stored]:
    """The tensors of the state dict in a file of ``size`` bytes by name; of their numbers nothing is read.

    Raises:
        BadFile: damaged, too much in it, anything but tensors in the state dict, or anything that would have to be run.
    """
    is_zip = file.read(len(_ZIP_MAGIC)) == _ZIP_MAGIC
    content, places = _zip(file, size) if is_zip else _legacy(file, size)
    state = _unwrapped(content)
    return {name: _located(tensor, places) for name, tensor in state.items()}


def _unwrapped(content: object) -> dict[str, PickledTensor]:
    for _ in range(_MOST_WRAPPINGS):
        if isinstance(content, dict):
            content = next((content[key] for key in _WRAPPINGS if isinstance(content.get(key), dict)), content)
    if (
        not isinstance(content, dict)
        or not content
        or not all(isinstance(name, str) and isinstance(value, PickledTensor) for name, value in content.items())
    ):
        raise BadFile("holds no state dict; save it with torch.save(model.state_dict(), 'weights.pth')")
    return content


def _located(tensor: PickledTensor, places: _Places) -> Stored:
    storage = tensor.storage
    item = ITEM_BYTES[storage.dtype]
    start, stop = places.get(storage.key, (0, 0))
    if stop - start != storage.count * item:
        raise Damaged("a block of numbers has another size than stated")
    if storage.view is not None:
        first, count = storage.view
        start, stop = start + first * item, start + (first + count) * item
    return stored(storage.dtype, tensor.shape, start + tensor.offset * item, stop, tensor.strides)


# --- ZIP


class _Reluctant:
    """Gives ``zipfile``, which believes what a directory says of its size, no more than a bounded piece at a time."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(_MAX_DIRECTORY_BYTES + 1 if size < 0 else min(size, _MAX_DIRECTORY_BYTES + 1))
        if len(data) > _MAX_DIRECTORY_BYTES:
            raise BadFile(f"lists far more than weights; {SAVE_AGAIN}")
        return data


def _zip(file: BinaryIO, size: int) -> tuple[object, _Places]:
    entries = _entries(file, size)
    root = next(iter(entries)).partition("/")[0]
    if (pickle := entries.get(f"{root}/data.pkl")) is None:
        raise BadFile(f"is a ZIP without weights; {SAVE_AGAIN}")
    if (order := entries.get(f"{root}/byteorder")) is not None and _bytes(file, order) != b"little":
        raise BadFile("was written on a machine with another order of bytes; save it as safetensors")
    content = PickleReader(_bytes(file, pickle)).read()
    storages = f"{root}/data/"
    return content, {name.removeprefix(storages): place for name, place in entries.items() if name.startswith(storages)}


def _entries(file: BinaryIO, size: int) -> dict[str, tuple[int, int]]:
    """Where each entry's bytes are; all are stored as they are, and no byte belongs to two."""
    file.seek(0)
    try:
        with zipfile.ZipFile(cast(BinaryIO, _Reluctant(file))) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, UnicodeError) as error:
        raise Damaged("its end is missing or wrong") from error
    if len(members) > MAX_TENSORS:
        raise BadFile(f"lists {len(members):,} parts where a ResNet18 has about 130; {SAVE_AGAIN}")
    entries = {member.filename: _place(file, size, member) for member in members}
    places = sorted([*entries.values(), (size, size)])
    if len(entries) != len(members) or not members or any(first[1] > second[0] for first, second in pairwise(places)):
        raise Damaged("its parts overlap or are not in it")
    return entries


def _place(file: BinaryIO, size: int, member: zipfile.ZipInfo) -> tuple[int, int]:
    if member.compress_type != zipfile.ZIP_STORED or member.compress_size != member.file_size or member.flag_bits & 1:
        raise BadFile(f"is compressed or encrypted, which torch.save never does; {SAVE_AGAIN}")
    header = b""
    if 0 <= member.header_offset < size:
        file.seek(member.header_offset)
        header = file.read(_LOCAL_HEADER)
    if len(header) < _LOCAL_HEADER or not header.startswith(_ZIP_MAGIC):
        raise Damaged("a part is not where it should be")
    start = member.header_offset + _LOCAL_HEADER
    start += int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")  # name, extra field
    return start, start + member.file_size


def _bytes(file: BinaryIO, place: tuple[int, int]) -> bytes:
    start, stop = place
    if stop - start > MAX_PICKLE_BYTES:
        raise BadFile(f"holds far more than weights; {SAVE_AGAIN}")
    file.seek(start)
    return file.read(stop - start)


# --- the old format: pickles and numbers in a row


def _legacy(file: BinaryIO, size: int) -> tuple[object, _Places]:
    file.seek(0)
    pickles = PickleReader(file.read(MAX_PICKLE_BYTES))
    if pickles.read() != _LEGACY_MAGIC or pickles.read() != _LEGACY_PROTOCOL:
        raise BadFile(f"is damaged or no file of torch.save's; {SAVE_AGAIN}")
    system = pickles.read()
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise BadFile("was written on a machine with another order of bytes; save it as safetensors")
    content = pickles.read()
    keys = pickles.read()
    if not isinstance(keys, list) or len(keys) > MAX_TENSORS:
        raise Damaged("its list of blocks is none")
    places, position = {}, pickles.position
    for key in keys:
        if not isinstance(key, str) or key not in pickles.storages or key in places:
            raise Damaged("its list of blocks is none")
        file.seek(position)
        dtype, count = pickles.storages[key]
        if file.read(8) != count.to_bytes(8, "little"):
            raise Damaged("a block of numbers has another size than stated")
        places[key] = (position + 8, position + 8 + count * ITEM_BYTES[dtype])
        position = places[key][1]
    if position > size:
        raise Damaged("its data ends early")
    return content, places
