"""Which files of any source are usable, and what is said of the others."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from core.base.errors import ArchiveEmpty, ArchiveEncrypted, ArchiveError, ImageError, LimitExceeded
from core.base.giving_way import giving_way
from core.base.settings import MIB, Settings
from core.images.formats import format_names, format_of_name, why_unread
from core.images.formats.format import FileReader, ImageFormat, Place, check_size
from core.stacks.sources.names import MAX_FOLDERS, MAX_NAME_CHARACTERS, UniqueNames, in_natural_order, tidy
from core.stacks.sources.series import in_series_order
from core.stacks.sources.source import Entries, Kinds, Row, Skipped

# A part that begins with a dot, or that Windows and macOS put beside people's files.
_HIDDEN = re.compile(r"(^|/)(\.|(__macosx|thumbs\.db|desktop\.ini)(/|$))", re.IGNORECASE | re.ASCII)
_UNSAFE_PATH = re.compile(r"/|[A-Za-z]:|(.*/)?\.\.(/|$)")  # absolute, a drive letter, or climbing out
# Control characters, line separators, and the marks that make text run backwards: with those a name can pose as
# another one (Unicode Technical Report 36, 3.4).
_UNSAFE_CHARACTERS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")

_Frame = tuple[int, str]
"""A frame of a file: the number of its kind, and its label."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a source itself leaves a file out: a stable code, and a sentence."""

    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """One file of a source: its path as the source has it, its bytes' number, and how to read them."""

    path: str
    size: int
    file: FileReader
    refused: Refusal | None = None


@dataclass(frozen=True, slots=True)
class Selection:
    """The images of a source in their order, the place of each one's file among the candidates, and the rest."""

    entries: Entries
    places: Sequence[int]
    skipped: tuple[Skipped, ...]


def select(candidates: Iterable[Candidate], settings: Settings) -> Selection:
    """Part the files of a source into images and skipped ones; folders (paths that end with ``/``) are neither.

    ``candidates`` may be made while they are looked at: no more than one is held.

    Raises:
        ArchiveEmpty, ArchiveEncrypted: there is no usable image.
        LimitExceeded: more images than ``settings.max_entries``; a file may hold many.
    """
    names: set[str] = set()
    kinds = Kinds()
    # Of each file with images: name, place among the candidates, size, frames, place in a series.
    found: list[tuple[str, int, int, tuple[_Frame, ...], Place]] = []
    skipped: list[Skipped] = []
    images = 0
    for place, candidate in enumerate(giving_way(candidates)):
        name = tidy(candidate.path)
        if name.endswith("/"):
            continue
        names.add(name)
        image_format = format_of_name(name)
        if refused := _refuse(candidate, name, image_format, settings):
            skipped.append(refused)
            continue
        assert image_format is not None  # noqa: S101 - or it would be refused
        try:
            frames, in_series = _frames(candidate.file, image_format, kinds, settings)
        except ImageError as error:
            skipped.append(Skipped(name, error.code, str(error)))
            continue
        found.append((name, place, candidate.size, frames, in_series))
        images += len(frames)
        if images > settings.max_entries:
            raise LimitExceeded(f"The files hold more than {settings.max_entries:,} images. Split them.")
    if not found:
        raise _nothing_found(skipped)
    unique = UniqueNames(names)
    rows: list[Row] = []
    places: list[int] = []
    series: dict[int, Place] = {}  # by row
    for name, place, size, frames, in_series in giving_way(found):
        title = unique.claim(name)
        if in_series:
            series[len(rows)] = in_series
        for frame, (kind, label) in enumerate(giving_way(frames)):
            rows.append((title if len(frames) == 1 else f"{title} · {label or frame + 1}", size, kind, frame))
            places.append(place)
    titles = [name for name, *_ in rows]
    order = in_natural_order(titles)
    if series:
        order = in_series_order(order, titles, series)
    entries = Entries([rows[index] for index in order], kinds)
    return Selection(entries, [places[index] for index in order], tuple(skipped))


def shown(name: str) -> str:
    """The name with U+FFFD in the place of what cannot be shown, or would make it pose as another one."""
    return _UNSAFE_CHARACTERS.sub("\N{REPLACEMENT CHARACTER}", name)


def is_hidden(name: str) -> bool:
    """Whether a file or folder is one of those that systems put beside people's files."""
    return _HIDDEN.search(name) is not None


def _refuse(candidate: Candidate, name: str, image_format: ImageFormat | None, settings: Settings) -> Skipped | None:
    """Why the file is left out; ``None`` if it is worth opening."""
    reads_parts = image_format is not None and image_format.reads_parts
    largest = settings.max_total_bytes if reads_parts else settings.max_entry_bytes
    label = shown(name)
    if complaint := _complaint(candidate, name, label, image_format, largest):
        return Skipped(label, *complaint)
    return Skipped(label, candidate.refused.code, candidate.refused.reason) if candidate.refused else None


def _complaint(  # noqa: PLR0911 - a sentence each, made only where it is said
    candidate: Candidate, name: str, label: str, image_format: ImageFormat | None, largest: int
) -> tuple[str, str] | None:
    if len(candidate.path) > MAX_NAME_CHARACTERS:
        return "unsafe_name", f"The name is longer than {MAX_NAME_CHARACTERS:,} characters; shorten it."
    if label != name:
        return "unsafe_name", "The name contains control characters; rename the file."
    if _UNSAFE_PATH.match(name):
        return "unsafe_name", "The name leads outside the stack; rename it."
    if name.count("/") > MAX_FOLDERS:
        return "unsafe_name", f"It lies in more than {MAX_FOLDERS} folders, one within the other; move it out of some."
    if is_hidden(name):
        return "hidden", "A hidden or system file."
    if image_format is None:
        return "not_an_image", why_unread(name)
    if candidate.size > largest:
        return "entry_too_large", f"Larger than {largest / MIB:,.1f} MiB; make it smaller."
    return None


def _frames(
    file: FileReader, image_format: ImageFormat, kinds: Kinds, settings: Settings
) -> tuple[tuple[_Frame, ...], Place]:
    """All of a file, or one more than a stack may have, and the place in a series of a single one.

    Raises:
        ImageError: the file is damaged, or a frame too large.
    """
    frames: list[_Frame] = []
    place: Place = ()
    for header in giving_way(islice(image_format.read_headers(file), settings.max_entries + 1)):
        check_size(header, settings.max_pixels)
        frames.append((kinds.number(image_format, header), header.label))
        place = header.place
    return tuple(frames), place if len(frames) == 1 else ()


def _nothing_found(skipped: Sequence[Skipped]) -> ArchiveError:
    """What to say of a source without a usable image."""
    counts = Counter(item.code for item in skipped)
    if counts["encrypted"]:
        return ArchiveEncrypted("The images in the archive are protected by a password; pack them without one.")
    wanted = f"pack {format_names()} images into it."
    if not counts:
        return ArchiveEmpty(f"The archive is empty; {wanted}")
    listed = ", ".join(f"{number} {code.replace('_', ' ')}" for code, number in counts.most_common())
    return ArchiveEmpty(f"The archive holds no usable image (files found: {listed}); {wanted}")
