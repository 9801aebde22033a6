"""Which files of any source are usable, and what is said of the others."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from core.base.errors import (
    ArchiveEmpty,
    ArchiveEncrypted,
    ArchiveError,
    ImageError,
    ImageTooLarge,
    LimitExceeded,
)
from core.base.giving_way import giving_way
from core.base.settings import MIB, Settings
from core.images.formats import format_names, format_of_content, format_of_name, says_nothing, why_unread
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

_Frame = tuple[int, str, Place]
"""A frame of a file: the number of its kind, its label, and its place in a series."""


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
    # Of each file with images: name, place among the candidates, size, frames.
    found: list[tuple[str, int, int, tuple[_Frame, ...]]] = []
    skipped: list[Skipped] = []
    images = 0
    for place, candidate in enumerate(giving_way(candidates)):
        name = tidy(candidate.path)
        if name.endswith("/"):
            continue
        names.add(name)
        if refused := _refuse(candidate, name, settings):
            skipped.append(refused)
            continue
        try:
            frames = _read(candidate, format_of_name(name), kinds, settings)
        except ImageError as error:
            skipped.append(Skipped(name, error.code, str(error)))
            continue
        except _LeftOut as left_out:
            skipped.append(Skipped(name, left_out.code, left_out.reason))
            continue
        found.append((name, place, candidate.size, frames))
        images += len(frames)
        if images > settings.max_entries:
            raise LimitExceeded(f"The files hold more than {settings.max_entries:,} images. Split them.")
    if not found:
        raise _nothing_found(skipped)
    unique = UniqueNames(names)
    rows: list[Row] = []
    places: list[int] = []
    series: dict[int, Place] = {}  # by row
    for name, place, size, frames in giving_way(found):
        title = unique.claim(name)
        for frame, (kind, label, in_series) in enumerate(giving_way(frames)):
            if in_series:
                series[len(rows)] = in_series
            rows.append((title if len(frames) == 1 else f"{title} · {label or frame + 1}", size, kind, frame))
            places.append(place)
    titles = [name for name, *_ in rows]
    order = in_natural_order(titles)
    if series:
        order = in_series_order(order, titles, series)
    entries = Entries([rows[index] for index in order], kinds)
    return Selection(entries, [places[index] for index in order], tuple(skipped))


def shown_name(name: str) -> str:
    """The name with U+FFFD in the place of what cannot be shown, or would make it pose as another one."""
    return _UNSAFE_CHARACTERS.sub("\N{REPLACEMENT CHARACTER}", name)


def is_hidden(name: str) -> bool:
    """Whether a file or folder is one of those that systems put beside people's files."""
    return _HIDDEN.search(name) is not None


def _refuse(candidate: Candidate, name: str, settings: Settings) -> Skipped | None:
    """Why the file is left out; ``None`` if it is worth opening."""
    label = shown_name(name)
    if complaint := _complaint(candidate, name, label, settings):
        return Skipped(label, *complaint)
    return Skipped(label, candidate.refused.code, candidate.refused.reason) if candidate.refused else None


def _complaint(  # noqa: PLR0911 - a sentence each, made only where it is said
    candidate: Candidate, name: str, label: str, settings: Settings
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
    image_format = format_of_name(name)
    if image_format is None and not says_nothing(name):
        return "not_an_image", why_unread(name)
    if candidate.size > (largest := _largest(image_format, settings)):
        return "entry_too_large", _too_large(largest)
    return None


def _largest(image_format: ImageFormat | None, settings: Settings) -> int:
    """Bytes that a file may have; of one whose format is not known yet, those of any."""
    return settings.max_total_bytes if image_format is None or image_format.reads_parts else settings.max_entry_bytes


def _too_large(largest: int) -> str:
    return f"Larger than {largest / MIB:,.1f} MiB; make it smaller."


class _LeftOut(Exception):
    """A file whose content says that it is none to be shown."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


def _read(candidate: Candidate, named: ImageFormat | None, kinds: Kinds, settings: Settings) -> tuple[_Frame, ...]:
    """See ``_frames``: of the format that the name says, or that the content does where that is another one.

    Raises:
        ImageError: the file is damaged, or a frame too large.
        _LeftOut: it is of no format, or too large for its own.
    """
    try:
        if named is not None:
            return _frames(candidate.file, named, kinds, settings)
    except ImageTooLarge:
        raise
    except ImageError:
        found = format_of_content(candidate.file)
        if found is None or found is named:
            raise
    else:
        found = format_of_content(candidate.file)
        if found is None:
            raise _LeftOut("not_an_image", why_unread(candidate.path))
    if candidate.size > (largest := _largest(found, settings)):
        raise _LeftOut("entry_too_large", _too_large(largest))
    return _frames(candidate.file, found, kinds, settings)


def _frames(file: FileReader, image_format: ImageFormat, kinds: Kinds, settings: Settings) -> tuple[_Frame, ...]:
    """All of a file, or one more than a stack may have.

    Raises:
        ImageError: the file is damaged, or a frame too large.
    """
    frames: list[_Frame] = []
    for header in giving_way(islice(image_format.read_headers(file), settings.max_entries + 1)):
        check_size(header, settings.max_pixels)
        frames.append((kinds.number(image_format, header), header.label, header.place))
    return tuple(frames)


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
