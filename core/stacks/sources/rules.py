"""Which files of any source are usable, and what is said of the others."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from natsort import natsort_keygen, ns

from core.base.errors import ArchiveEmpty, ArchiveEncrypted, ArchiveError, ImageError, LimitExceeded
from core.base.settings import MIB, Settings
from core.images.formats import format_names, format_of_name
from core.images.formats.format import FileReader, ImageFormat, check_size
from core.stacks.sources.names import MAX_NAME_CHARACTERS, UniqueNames, tidy
from core.stacks.sources.source import Entry, Skipped

_SYSTEM_NAMES = {"__macosx", "thumbs.db", "desktop.ini"}
_UNSAFE_PATH = re.compile(r"/|[A-Za-z]:|(.*/)?\.\.(/|$)")  # absolute, a drive letter, or climbing out
# Control characters, line separators, and the marks that make text run backwards: with those a name can pose as
# another one (Unicode Technical Report 36, 3.4).
_UNSAFE_CHARACTERS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")

natural_key = natsort_keygen(alg=ns.IGNORECASE | ns.PATH)


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
    """The images of a source in natural order, each with the file it is in, and the files that are none."""

    entries: tuple[Entry, ...]
    files: tuple[FileReader, ...]
    skipped: tuple[Skipped, ...]


def select(candidates: Sequence[Candidate], settings: Settings) -> Selection:
    """Part the files of a source into images and skipped ones; folders (paths that end with ``/``) are neither.

    Raises:
        ArchiveEmpty, ArchiveEncrypted: there is no usable image.
        LimitExceeded: more images than ``settings.max_entries``; a file may hold many.
    """
    listed = [(candidate, path) for candidate in candidates if not (path := tidy(candidate.path)).endswith("/")]
    files = [(candidate, str(PurePosixPath(path))) for candidate, path in listed]
    names = UniqueNames({name for _, name in files})
    found: list[tuple[Entry, FileReader]] = []
    skipped: list[Skipped] = []
    for candidate, name in files:
        image_format = format_of_name(name)
        if refused := _refuse(candidate, name, image_format, settings):
            skipped.append(refused)
            continue
        assert image_format is not None  # noqa: S101 - or it would be refused
        try:
            found += _frames(candidate, name, image_format, names, settings)
        except ImageError as error:
            skipped.append(Skipped(name, error.code, str(error)))
        if len(found) > settings.max_entries:
            raise LimitExceeded(f"The files hold more than {settings.max_entries:,} images. Split them.")
    if not found:
        raise _nothing_found(skipped)
    found.sort(key=lambda pair: natural_key(pair[0].name))
    entries, readers = zip(*found, strict=True)
    return Selection(entries, readers, tuple(skipped))


def _refuse(candidate: Candidate, name: str, image_format: ImageFormat | None, settings: Settings) -> Skipped | None:
    """Why the file is left out; ``None`` if it is worth opening."""
    shown = _UNSAFE_CHARACTERS.sub("\N{REPLACEMENT CHARACTER}", name)
    hidden = any(part.startswith(".") or part.lower() in _SYSTEM_NAMES for part in PurePosixPath(name).parts)
    checks = (
        (
            len(candidate.path) > MAX_NAME_CHARACTERS,
            "unsafe_name",
            f"The name is longer than {MAX_NAME_CHARACTERS:,} characters; shorten it.",
        ),
        (shown != name, "unsafe_name", "The name contains control characters; rename the file."),
        (_UNSAFE_PATH.match(name), "unsafe_name", "The name leads outside the archive; rename it."),
        (hidden, "hidden", "A hidden or system file."),
        (
            image_format is None,
            "not_an_image",
            f"Not an image that can be read; convert it to {format_names()}.",
        ),
        (
            candidate.size > settings.max_entry_bytes,
            "entry_too_large",
            f"Larger than {settings.max_entry_bytes / MIB:,.1f} MiB; make it smaller.",
        ),
    )
    for failed, code, reason in checks:
        if failed:
            return Skipped(shown, code, reason)
    return Skipped(shown, candidate.refused.code, candidate.refused.reason) if candidate.refused else None


def _frames(
    candidate: Candidate, name: str, image_format: ImageFormat, names: UniqueNames, settings: Settings
) -> list[tuple[Entry, FileReader]]:
    """One entry for each frame of a file; with several, each is called after its label or its number.

    Raises:
        ImageError: the file is damaged, or a frame too large.
    """
    headers = image_format.read_headers(candidate.file)
    for header in headers:
        check_size(header, settings.max_pixels)
    unique = names.claim(name)
    titles = (
        [f"{unique} · {header.label or number}" for number, header in enumerate(headers, 1)]
        if len(headers) > 1
        else [unique]
    )
    return [
        (Entry(title, image_format, header, candidate.size, frame), candidate.file)
        for frame, (title, header) in enumerate(zip(titles, headers, strict=True))
    ]


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
