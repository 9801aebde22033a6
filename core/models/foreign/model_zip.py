"""A model out of a stranger's ZIP: an OpenVINO IR, or a folder of ours; runs in the worker, which is held to limits."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from core.base.errors import ModelError, WeightsInvalid
from core.base.settings import MIB
from core.models.card import CARD_NAME, ModelCard, file_checksum, read_card

MOST_ENTRIES = 64  # an IR has two, a folder of ours up to seven; people pack notes beside them
MOST_CARD_BYTES = 4 * MIB  # ImageNet's has 40 kB
_PLAIN_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,60}\.(xml|bin|safetensors)")


def unpack(archive: Path, folder: Path, most_bytes: int) -> Path:
    """Write what is in the ZIP into ``folder`` by names that we give; those in the ZIP go nowhere.

    Returns:
        The path of ``model.xml`` with its ``.bin`` beside it, or of a card, with the files it names beside it.

    Raises:
        WeightsInvalid: it is damaged or locked, holds neither, or holds more than ``most_bytes``.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            entries = [entry for entry in opened.infolist() if not entry.is_dir()]
            if len(entries) > MOST_ENTRIES:
                raise WeightsInvalid("The ZIP holds too many files; pack the model alone.")
            unpacking = _Unpacking(opened, folder, most_bytes)
            cards = [entry for entry in entries if PurePosixPath(entry.filename).name == CARD_NAME]
            return _own(unpacking, entries, cards) if cards else _pair(unpacking, entries)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise WeightsInvalid("The ZIP is damaged, locked or of an unusual kind; pack the model again.") from error


class _Unpacking:
    """Writes entries one after the other, counting what they unfold to, whatever their headers announce."""

    def __init__(self, opened: zipfile.ZipFile, folder: Path, most_bytes: int) -> None:
        self._opened, self._folder, self._left = opened, folder, most_bytes

    def write(self, entry: zipfile.ZipInfo, name: str, most_bytes: int | None = None) -> Path:
        left = self._left if most_bytes is None else most_bytes
        target = self._folder / name
        with self._opened.open(entry) as source, target.open("xb") as file:
            while piece := source.read(MIB):
                self._left -= len(piece)
                left -= len(piece)
                if min(left, self._left) < 0:
                    raise WeightsInvalid("The ZIP unfolds to more than AISR_MAX_WEIGHTS_BYTES allows; choose another.")
                file.write(piece)
        return target


def _pair(unpacking: _Unpacking, entries: Sequence[zipfile.ZipInfo]) -> Path:
    for ending in (".bin", ".xml"):
        found = [entry for entry in entries if entry.filename.lower().endswith(ending)]
        if len(found) != 1:
            raise WeightsInvalid(f"The ZIP holds {len(found)} {ending} files; pack one .xml and its .bin.")
        path = unpacking.write(found[0], f"model{ending}")
    return path


def _own(unpacking: _Unpacking, entries: Sequence[zipfile.ZipInfo], cards: Sequence[zipfile.ZipInfo]) -> Path:
    """A folder as ``core.models.install.pack_model`` packs it: every file is the one that its card describes."""
    if len(cards) > 1:
        raise WeightsInvalid(f"The ZIP holds {len(cards)} models; pack one folder alone.")
    path = unpacking.write(cards[0], CARD_NAME, MOST_CARD_BYTES)
    try:
        card = read_card(path.parent)
    except ModelError as error:
        raise WeightsInvalid(f"The ZIP's {CARD_NAME} cannot be read; download the model again.") from error
    beside = PurePosixPath(cards[0].filename).parent
    for name in _names(card):
        found = [entry for entry in entries if PurePosixPath(entry.filename) == beside / name]
        if len(found) != 1:
            raise WeightsInvalid(
                f"The ZIP holds {len(found)} files {name} beside its {CARD_NAME}; download the model again."
            )
        if file_checksum(unpacking.write(found[0], name)) != card.checksums[name]:
            raise WeightsInvalid(
                f"{name} in the ZIP is not the file its {CARD_NAME} describes; download the model again."
            )
    return path


def _names(card: ModelCard) -> Sequence[str]:
    names = list(card.checksums)
    if len(names) > MOST_ENTRIES or not all(_PLAIN_NAME.fullmatch(name) for name in names):
        raise WeightsInvalid(f"The ZIP's {CARD_NAME} names files that no model has; download the model again.")
    return names
