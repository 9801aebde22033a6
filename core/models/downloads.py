"""Files from the web: resumed where they broke off, checked, and in their place only when they are complete."""

from __future__ import annotations

import errno
import os
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

import requests

from core.base.errors import Cancelled, DiskFull, DownloadError, DownloadInterrupted, DownloadRejected
from core.base.settings import MAX_WEIGHTS_BYTES, MIB
from core.models.part_file import PartFile, has_checksum

CONNECT_SECONDS = 6.0
SILENCE_SECONDS = 15.0
ATTEMPTS = 4
FIRST_PAUSE_SECONDS = 0.5
CHUNK_BYTES = 8 * 1024  # the most that is lost when a connection breaks

_WORTH_ANOTHER_ATTEMPT = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS, *range(500, 600)}
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")  # RFC 9110, section 14.4


def download(
    url: str,
    path: Path,
    *,
    sha256_prefix: str,
    copies: Sequence[Path] = (),
    on_progress: Callable[[int, int | None], None] = lambda done, total: None,
    cancelled: threading.Event | None = None,
    max_bytes: int = MAX_WEIGHTS_BYTES,
    silence_seconds: float = SILENCE_SECONDS,
    first_pause_seconds: float = FIRST_PAUSE_SECONDS,
) -> None:
    """Put the file of a URL at ``path``, unless it is there already.

    Whatever happens, ``path`` holds what it held before or the complete file, and nothing is trusted without its
    checksum. A broken connection is taken up again a few times, then left for the next call to go on with. Calls for
    the same path, from any process, wait for each other.

    Args:
        url: http or https.
        path: where the file goes; missing folders are made.
        sha256_prefix: the first hexadecimal digits of its SHA-256, at least the 8 that torch.hub's file names carry.
        copies: files on this machine that may hold it; the first with the right checksum saves the download.
        on_progress: called every few kB, in the calling thread, with the bytes that are there and the size of the
            whole file, None while that is not known.
        cancelled: set by another thread to stop; looked at between chunks and attempts.
        max_bytes: a larger file is refused.
        silence_seconds: a connection that brings nothing for so long is given up.
        first_pause_seconds: before the second attempt; doubled before each further one.

    Raises:
        Cancelled: ``cancelled`` was set; what has arrived is kept for the next call.
        DownloadInterrupted: no connection; likewise.
        DownloadRejected: another checksum or too large; nothing is kept.
        DownloadError: the server has no such file, the address is no good, or the folder cannot be written.
        DiskFull: no space; nothing is kept.
    """
    if not re.fullmatch("[0-9a-f]{8,64}", sha256_prefix):
        raise ValueError(f"expected 8 to 64 lower-case hexadecimal digits, got {sha256_prefix!r}")
    if has_checksum(path, sha256_prefix):
        return
    cancelled = cancelled or threading.Event()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with PartFile.sole_writer(path, cancelled, lambda size: on_progress(size, None)) as part:
            if has_checksum(path, sha256_prefix):  # somebody else was faster
                part.discard()
                return
            try:
                if not _copied(part, copies, sha256_prefix):
                    transfer = _Transfer(
                        url, path, part, on_progress, cancelled, max_bytes, silence_seconds, first_pause_seconds
                    )
                    transfer.run(sha256_prefix)
                part.move_into_place()
            except (DownloadRejected, OSError):
                part.discard()
                raise
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(f"The disk is full: make room for {path.name} in {path.parent} and try again.") from error
        reason = error.strerror or type(error).__name__
        raise DownloadError(f"{path.name} cannot be kept in {path.parent} ({reason}); make it writable.") from error


def torch_hub_file(name: str) -> Path:
    """Where PyTorch keeps a file it has downloaded: as ``torch.hub.get_dir()`` says, without importing torch."""
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    return Path(os.environ.get("TORCH_HOME", f"{cache}/torch")).expanduser() / "hub" / "checkpoints" / name


def _copied(part: PartFile, copies: Sequence[Path], sha256_prefix: str) -> bool:
    """Whether one of ``copies`` was the file, and ``part`` is now the same."""
    source = next((copy for copy in copies if has_checksum(copy, sha256_prefix)), None)
    if source is None:
        return False
    part.clear()
    with source.open("rb") as file:
        while chunk := file.read(MIB):
            part.append(chunk)
    return part.has_checksum(sha256_prefix)


class _BrokenOff(Exception):
    """This attempt failed; another may not."""


class _Transfer:
    """From the web into a part. An ``OSError`` that leaves it is about the disk, never about the network."""

    def __init__(
        self,
        url: str,
        path: Path,
        part: PartFile,
        on_progress: Callable[[int, int | None], None],
        cancelled: threading.Event,
        max_bytes: int,
        silence_seconds: float,
        first_pause_seconds: float,
    ) -> None:
        self._url = url
        self._part = part
        self._on_progress = on_progress
        self._cancelled = cancelled
        self._max_bytes = max_bytes
        self._timeouts = (CONNECT_SECONDS, silence_seconds)
        self._first_pause_seconds = first_pause_seconds
        self._source = f"{path.name} from {urlsplit(url).hostname}"
        self._by_hand = f"put a copy of {path.name} into {path.parent}"

    def run(self, sha256_prefix: str) -> None:
        """Complete the part and check it."""
        if self._part.size and self._part.has_checksum(sha256_prefix):
            return
        in_pieces = self._fetch()
        if in_pieces and not self._part.has_checksum(sha256_prefix):
            self._part.clear()  # the pieces may be of different versions of the file
            self._fetch()
        if not self._part.has_checksum(sha256_prefix):
            raise DownloadRejected(
                f"{self._source} was not the published file (its SHA-256 does not begin with {sha256_prefix}) "
                f"and has been deleted; try again, or {self._by_hand}."
            )

    def _fetch(self) -> bool:
        """Append what is missing, in several attempts if need be; return whether it came in several pieces."""
        in_pieces = False
        reason = ""
        for attempt in range(ATTEMPTS):
            if self._cancelled.wait(self._first_pause_seconds * 2 ** (attempt - 1) if attempt else 0):
                raise _stopped()
            in_pieces |= self._part.size > 0
            try:
                self._fetch_rest()
                return in_pieces
            except _BrokenOff as error:
                reason = str(error)
        raise DownloadInterrupted(f"{self._source} could not be downloaded ({reason}); try again, or {self._by_hand}.")

    def _fetch_rest(self) -> None:
        with self._request() as response:
            total = self._accept(response)
            for chunk in _chunks(response):
                if self._cancelled.is_set():
                    raise _stopped()
                self._check_size(self._part.size + len(chunk))
                self._part.append(chunk)
                self._on_progress(self._part.size, total)
        if total is not None and self._part.size < total:
            raise _BrokenOff("the connection broke")

    def _request(self) -> requests.Response:
        headers = {"Accept-Encoding": "identity"}  # ranges and sizes are those of the file itself
        if self._part.size:
            headers["Range"] = f"bytes={self._part.size}-"
        try:
            return requests.get(self._url, headers=headers, stream=True, timeout=self._timeouts)
        except (requests.ConnectionError, requests.Timeout) as error:
            raise _BrokenOff(_reason(error)) from error
        except requests.RequestException as error:
            raise DownloadError(
                f"{self._source} has no usable http or https address ({type(error).__name__}); correct the address, "
                f"or {self._by_hand}."
            ) from error

    def _accept(self, response: requests.Response) -> int | None:
        """Make the part what this response continues; return the size of the whole file if the server tells."""
        found = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
        match response.status_code:
            case HTTPStatus.OK:  # also the answer of a server that knows no ranges
                self._part.clear()
                total = response.headers.get("Content-Length", "")
            case HTTPStatus.PARTIAL_CONTENT if found and int(found[1]) == self._part.size:
                total = found[2]
            case HTTPStatus.PARTIAL_CONTENT | HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                self._part.clear()
                raise _BrokenOff("the server has another file now")
            case status:
                answer = f"the server answered {status} {response.reason}".strip()
                if status in _WORTH_ANOTHER_ATTEMPT:
                    raise _BrokenOff(answer)
                raise DownloadError(f"{self._source} is not to be had ({answer}); {self._by_hand}.")
        size = int(total) if total.isdecimal() else None
        self._check_size(size or 0)
        return size

    def _check_size(self, size: int) -> None:
        if size > self._max_bytes:
            limit = f"{self._max_bytes / MIB:,.1f} MiB"
            raise DownloadRejected(f"{self._source} is larger than the {limit} allowed; {self._by_hand}.")


def _chunks(response: requests.Response) -> Iterator[bytes]:
    try:
        yield from response.iter_content(CHUNK_BYTES)
    except requests.RequestException as error:
        raise _BrokenOff(_reason(error)) from error


def _reason(error: requests.RequestException) -> str:
    """In people's words: the library's are its call stack."""
    kinds: tuple[tuple[type[Exception], str], ...] = (
        (requests.exceptions.SSLError, "its certificate is not trusted here"),
        (requests.exceptions.ProxyError, "the proxy does not work"),
        (requests.exceptions.ChunkedEncodingError, "the connection broke"),
        (requests.Timeout, "no answer in time"),
    )
    return next((words for kind, words in kinds if isinstance(error, kind)), "no connection")


def _stopped() -> Cancelled:
    return Cancelled("Cancelled. What has arrived is kept, and the next download goes on from there.")
