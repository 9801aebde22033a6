"""Labels from folder names and CSV files, and to CSV and to folders in a ZIP."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from core.base.errors import ImageError, LabelsInvalid
from core.base.spreadsheet import from_text, write_csv
from core.models.labels import clean_label
from core.stacks.stack import ImageStack

COLUMNS = ("file", "class")
MAX_BYTES = 8 * 1024 * 1024
MAX_LINES = 100_000  # five for each image that a stack may have
_SHOWN = 60  # characters of a stranger's text in a sentence
_NAMES_KEPT = 100  # of files that are not in the stack
# What no file system takes in a name; a class may have it in its own.
_NOT_IN_NAMES = str.maketrans(dict.fromkeys('/\\:*?"<>|', "_"))


@dataclass(frozen=True, slots=True)
class CsvLabels:
    """What a CSV says of a stack's images.

    Attributes:
        by_image: the class of each, by position.
        unknown: lines about files that are not in the stack, or that a name alone does not tell apart.
        unknown_names: the first of these names.
        without_class: lines that name no class.
    """

    by_image: Mapping[int, str]
    unknown: int
    unknown_names: tuple[str, ...] = ()
    without_class: int = 0


def from_folders(names: Sequence[str]) -> dict[int, str]:
    """The class of each image that lies in a folder, which is the folder's name: ``set/scratches/1.png``.

    Raises:
        LabelsInvalid: no image lies in a folder, or a folder's name is none for a class.
    """
    folders = folder_names(names)
    classes = {folder: clean_label(folder, f"The folder {folder[:_SHOWN]!r}") for folder in set(folders.values())}
    return {index: classes[folder] for index, folder in folders.items()}


def folder_names(names: Sequence[str]) -> dict[int, str]:
    """The folder of each image that lies in one, whatever it is called.

    Raises:
        LabelsInvalid: no image lies in a folder.
    """
    folders = {index: folder for index, name in enumerate(names) if (folder := PurePosixPath(name).parent.name)}
    if not folders:
        raise LabelsInvalid("No image of this stack lies in a folder; put each class into a folder of its name.")
    return folders


def from_csv(data: bytes, names: Sequence[str]) -> CsvLabels:
    """Labels from lines of file name and class, with or without a header; an empty class says nothing.

    A file goes by its path in the stack, or by its last part where that is unique.

    Raises:
        LabelsInvalid: not such a table, too large, about no image of the stack, or it contradicts itself.
    """
    places = _places(names)
    found: dict[int, str] = {}
    classes: dict[str, str] = {}
    unknown = without_class = 0
    unknown_names: list[str] = []
    for number, (name, given) in enumerate(_lines(data), 1):
        if number == 1 and (name.casefold(), given.casefold()) == COLUMNS:
            continue
        if not given:
            without_class += bool(name)
            continue
        if (index := places.get(name)) is None:
            unknown += 1
            if len(unknown_names) < _NAMES_KEPT:
                unknown_names.append(name[:_SHOWN])
            continue
        if given not in classes:
            classes[given] = clean_label(given, f"The class in line {number:,}")
        label = classes[given]
        if found.setdefault(index, label) != label:
            raise LabelsInvalid(
                f"The labels file gives {name[:_SHOWN]!r} two classes, {found[index][:_SHOWN]!r} and "
                f"{label[:_SHOWN]!r} in line {number:,}; leave one of them."
            )
    if not found:
        raise LabelsInvalid("The labels file names no image of this stack; its columns must be file name and class.")
    return CsvLabels(found, unknown, tuple(unknown_names), without_class)


def to_csv(labels: Mapping[int, str], names: Sequence[str]) -> str:
    """Lines of file name and class under a header; no cell runs as a formula, and ``from_csv`` reads it back."""
    rows = ({"file": names[index], "class": label} for index, label in sorted(labels.items()))
    return write_csv(COLUMNS, rows)


def to_folders(labels: Mapping[int, str], stack: ImageStack) -> Iterator[bytes]:
    """A ZIP with a folder for each class and the labelled files in it as they came, piece by piece.

    A file that cannot be read is left out. What ``ImageStack.as_file`` does not give as it
    came is a PNG of what is shown.
    """
    out = _Pieces()
    taken: set[str] = set()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for index, label in sorted(labels.items()):
            try:
                path, data = stack.as_file(index)
            except ImageError:
                continue
            name = PurePosixPath(path).name
            archive.writestr(_free_name(f"{_folder(label)}/{name}", taken), data)
            yield out.take()
    yield out.take()


def _lines(data: bytes) -> Iterator[tuple[str, str]]:
    if len(data) > MAX_BYTES:
        raise LabelsInvalid(
            f"The labels file has more than {MAX_BYTES // 1024 // 1024} MB; give a line for each image."
        )
    try:
        text = data.decode("utf-8-sig")
        for number, row in enumerate(csv.reader(io.StringIO(text, newline="")), 1):
            if number > MAX_LINES:
                raise LabelsInvalid(f"The labels file has more than {MAX_LINES:,} lines; give one for each image.")
            if row:
                # From what the product saved, with apostrophes before what begins a formula.
                yield from_text(row[0].strip()), from_text(row[1].strip()) if len(row) > 1 else ""
    except (UnicodeDecodeError, csv.Error) as error:
        raise LabelsInvalid(
            "The labels file is not a CSV in UTF-8; save it as one, with file name and class."
        ) from error


def _places(names: Sequence[str]) -> dict[str, int]:
    """Positions by path, and by last part where one image alone has it."""
    last: dict[str, int | None] = {}
    for index, name in enumerate(names):
        part = PurePosixPath(from_text(name)).name
        last[part] = None if part in last else index
    unique = {part: index for part, index in last.items() if index is not None}
    return unique | {from_text(name): index for index, name in enumerate(names)}


def _folder(label: str) -> str:
    return label.translate(_NOT_IN_NAMES).strip(". ") or "_"


def _free_name(path: str, taken: set[str]) -> str:
    """``path``, or with a number where another file has it; file systems take names in another case for the same."""
    name, number = path, 1
    while name.casefold() in taken:
        number += 1
        stem, dot, ending = path.rpartition(".")
        name = f"{stem}-{number}{dot}{ending}"
    taken.add(name.casefold())
    return name


class _Pieces(io.RawIOBase):
    """What ``zipfile`` writes, to be taken away as it comes: it cannot be sought in."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Iterable[int]) -> int:  # type: ignore[override]  # any buffer
        piece = bytes(data)
        self._waiting += piece
        return len(piece)

    def take(self) -> bytes:
        piece = bytes(self._waiting)
        self._waiting.clear()
        return piece
