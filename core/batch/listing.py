"""What a job is about: the files of a folder, a pattern, a list, an archive or an address, one after the other.

Nothing here holds them all. What is left out is counted, and folders that may not be read are named.
"""

from __future__ import annotations

import csv
import io
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from core.base.errors import InvalidRequest, ManifestInvalid
from core.batch.stores import Store, brief, locate, store_errors
from core.images.formats import format_of_name
from core.stacks.sources.names import is_archive
from core.stacks.sources.rules import is_hidden

MANIFEST_ENDINGS = (".csv", ".parquet")
MANIFEST_COLUMN = "path"
_WILD = re.compile(r"[*?\[]")
_NAMED = 20  # unreadable folders that are named


@dataclass(frozen=True, slots=True)
class Listed:
    """One file: its path in the store, its bytes, and when it was changed (ns; 0 where the store does not say)."""

    path: str
    size: int
    changed: int


@dataclass(slots=True)
class Listing:
    """The files of a source, listed as they are taken.

    Attributes:
        store: where they are.
        left_out: how many files were left out, by the reason in words.
        unreadable: folders that could not be read, the first of them.
    """

    source: str
    store: Store
    _files: Iterator[Listed]
    left_out: Counter[str] = field(default_factory=Counter)
    unreadable: list[str] = field(default_factory=list)

    def __iter__(self) -> Iterator[Listed]:
        return self._files


def list_source(source: str) -> Listing:
    """What ``source`` names.

    Raises:
        InvalidRequest: there is nothing at this address.
        StoreUnreachable: it cannot be used; also while the files are taken.
        ManifestInvalid: a list without a column ``path``; also while the files are taken.
    """
    store, path = locate(source)
    with store_errors(source):
        info = store.files.get_file_info(path)
    listing = Listing(source, store, iter(()))
    if info.type == pafs.FileType.Directory:
        listing._files = _of_folder(listing, path)
    elif info.type != pafs.FileType.NotFound and path.lower().endswith(MANIFEST_ENDINGS):
        _of_manifest(listing, path)
    elif info.type != pafs.FileType.NotFound:
        if not _is_wanted(path):
            raise InvalidRequest(
                f"{source} is neither an image, an archive, a folder nor a list of files that is known."
            )
        listing._files = iter([_listed(info)])
    elif _WILD.search(path):
        listing._files = _of_pattern(listing, path)
    else:
        raise InvalidRequest(f"{source}: there is nothing there. Look at the address.")
    return listing


def _is_wanted(path: str) -> bool:
    return format_of_name(path) is not None or is_archive(path)


def _listed(info: Any) -> Listed:
    return Listed(info.path, int(info.size or 0), int(info.mtime_ns or 0))


def _of_folder(listing: Listing, path: str) -> Iterator[Listed]:
    for file in _walk(listing, path):
        name = file.path[len(path) :].lstrip("/")
        if is_hidden(name):
            listing.left_out["hidden"] += 1
        elif _is_wanted(name):
            yield file
        else:
            listing.left_out["no image by its name"] += 1


def _of_pattern(listing: Listing, path: str) -> Iterator[Listed]:
    """Files whose whole path fits; ``**`` stands for any folders."""
    base = _WILD.split(path, maxsplit=1)[0].rpartition("/")[0]
    wanted = re.compile(_expression(path), re.DOTALL)
    for file in _walk(listing, base or "/"):
        if wanted.fullmatch(file.path):
            if _is_wanted(file.path):
                yield file
            else:
                listing.left_out["no image by its name"] += 1


def _expression(pattern: str) -> str:
    """A pattern of the shell as a regular expression."""
    parts = re.split(r"(\*\*/|\*\*|\*|\?|\[[^]/]+\])", pattern)
    wild = {"**/": "(?:[^/]+/)*", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return "".join(
        wild.get(part) or (f"[{_of_set(part[1:-1])}]" if part.startswith("[") and len(part) > 2 else re.escape(part))
        for part in parts
    )


def _of_set(characters: str) -> str:
    negated = characters.startswith("!")
    inner = characters.removeprefix("!").replace("\\", r"\\").replace("^", r"\^").replace("[", r"\[")
    return f"^/{inner}" if negated else inner


def _walk(listing: Listing, root: str) -> Iterator[Listed]:
    """All files below ``root``, folder by folder, without order; links are not followed."""
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        try:
            for item in _in_folder(listing, folder):
                if isinstance(item, Listed):
                    yield item
                elif is_hidden(item[len(root) :].lstrip("/")):
                    listing.left_out["hidden"] += 1
                else:
                    waiting.append(item)
        except PermissionError:
            if len(listing.unreadable) < _NAMED:
                listing.unreadable.append(folder)
            listing.left_out["folders that may not be read"] += 1


def _in_folder(listing: Listing, folder: str) -> Iterator[Listed | str]:
    """Files, and the paths of folders."""
    if not listing.store.is_local:
        with store_errors(listing.store.address(folder)):
            found = listing.store.files.get_file_info(pafs.FileSelector(folder))
        for info in found:
            if info.type == pafs.FileType.Directory:
                yield info.path
            elif info.type == pafs.FileType.File:
                yield _listed(info)
        return
    with os.scandir(folder) as entries:  # one by one, where pyarrow makes a list of them all
        for entry in entries:
            if entry.is_symlink():
                listing.left_out["links"] += 1
            elif entry.is_dir(follow_symlinks=False):
                yield entry.path
            elif entry.is_file(follow_symlinks=False):
                status = entry.stat(follow_symlinks=False)
                yield Listed(entry.path, status.st_size, status.st_mtime_ns)


def _of_manifest(listing: Listing, path: str) -> None:
    """Have ``listing`` take the files that a list names, of one store: its own where the paths are relative."""
    read = _paths_of_csv if path.lower().endswith(".csv") else _paths_of_parquet
    manifest, home = listing.store, path.rpartition("/")[0]
    first = next(read(listing.source, manifest, path), "")
    if "://" in first:
        listing.store, _ = locate(first)
    listing._files = _of_paths(listing, home, read(listing.source, manifest, path))


def _of_paths(listing: Listing, home: str, names: Iterator[str]) -> Iterator[Listed]:
    store, wanted = listing.store, 1_000
    while batch := [name for name, _ in zip(names, range(wanted), strict=False)]:
        paths = [_path_in(listing, home, name) for name in batch]
        with store_errors(listing.source):
            found = store.files.get_file_info(paths)
        for path, info in zip(paths, found, strict=True):
            # What is not there becomes a row that says so: who made the list wanted an answer.
            yield _listed(info) if info.type == pafs.FileType.File else Listed(path, 0, 0)


def _path_in(listing: Listing, home: str, name: str) -> str:
    scheme = listing.store.scheme
    if "://" not in name:
        return name if name.startswith("/") else f"{home}/{name}"
    if not scheme or not name.startswith(scheme):
        raise ManifestInvalid(f"{listing.source} names files of several stores, such as {name}; make a list of each.")
    return name.removeprefix(scheme)


def _paths_of_csv(source: str, store: Store, path: str) -> Iterator[str]:
    with store_errors(source), store.files.open_input_stream(path) as file:
        text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
        rows = csv.reader(text)
        try:
            header = next(rows, [])
            column = _column(source, header)
            for row in rows:
                if len(row) > column and row[column]:
                    yield row[column]
        except (UnicodeDecodeError, csv.Error) as error:
            raise ManifestInvalid(
                f"{source} is no CSV file of text in UTF-8 ({brief(error)}); export it anew."
            ) from error


def _paths_of_parquet(source: str, store: Store, path: str) -> Iterator[str]:
    with store_errors(source), store.files.open_input_file(path) as file:
        try:
            parquet = pq.ParquetFile(file)
            _column(source, parquet.schema_arrow.names)
            for batch in parquet.iter_batches(columns=[MANIFEST_COLUMN]):
                yield from (str(name) for name in batch.column(0).to_pylist() if name)
        except pa.ArrowInvalid as error:
            raise ManifestInvalid(f"{source} is no Parquet file ({brief(error)}); export it anew.") from error


def _column(source: str, names: Sequence[str]) -> int:
    if MANIFEST_COLUMN not in names:
        found = ", ".join(names[:8]) or "nothing"
        raise ManifestInvalid(f"{source} has no column “{MANIFEST_COLUMN}” (found: {found}); name it so.")
    return list(names).index(MANIFEST_COLUMN)
