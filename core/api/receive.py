"""Receiving a ZIP over HTTP: straight to disk as the bytes arrive, never whole in memory."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from pathlib import PureWindowsPath
from typing import Protocol

from anyio.to_thread import run_sync
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from core.api.body_limit import lift_body_limit
from core.base.errors import Cancelled, InvalidRequest, LimitExceeded, NotAZip, UnsupportedType
from core.base.settings import MIB, Settings
from core.stacks.files import FileStore, KeptFile
from core.stacks.stack import ImageStack
from core.stacks.store import StackStore
from core.stacks.upload import ONLY_ZIP, Upload, too_large

FORM_OVERHEAD_BYTES = 64 * 1024  # what a form may hold beside the file: boundaries, headers, small fields
PIECE_BYTES = MIB  # collected before a thread writes them
MAX_NAME = 255  # characters of a stack's name that are kept
WEIGHTS_ENDINGS = (".safetensors", ".pth", ".pt")
ONLY_WEIGHTS = f"Weights come as {', '.join(WEIGHTS_ENDINGS[:-1])} or {WEIGHTS_ENDINGS[-1]} files."
FILE_TYPES = {"application/zip", "application/x-zip-compressed", "application/octet-stream"}


class _Sink(Protocol):
    """Takes the pieces of a request's body; ``finish`` opens the stack."""

    def write(self, piece: bytes) -> None: ...

    def finish(self) -> ImageStack: ...


async def receive_stack(
    request: Request,
    store: StackStore,
    settings: Settings,
    client: str,
    name: str,
    *,
    piece_bytes: int = PIECE_BYTES,
) -> ImageStack:
    """The stack made of a request's body: a ZIP as it is, or a form with a field ``file``.

    Args:
        name: what the stack is called where the body does not say it.
        piece_bytes: collected before they are written.

    Raises:
        UnsupportedType: the body is neither a ZIP nor a form.
        InvalidRequest: the form is malformed or has no file.
        NotAZip: the file's name does not end in ``.zip``.
        ArchiveError, TooManyStacks, QuotaExceeded, DiskFull: as for ``StackStore.receive``.
    """
    lift_body_limit(request.scope)
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    content_type = kind.decode("latin-1")
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > settings.max_upload_bytes + FORM_OVERHEAD_BYTES:
        raise LimitExceeded(too_large(settings.max_upload_bytes))
    # A refusal leaves the rest of the body to uvicorn, which reads on and throws it away: a client that is still
    # sending gets to read why, and one that waits for "100 Continue" sends nothing.
    try:
        with await run_sync(store.receive, client) as upload:
            sink: _Sink
            if content_type == "multipart/form-data":
                sink = _Form(upload, options.get(b"boundary", b""))
            elif content_type in FILE_TYPES:
                sink = _Plain(upload, zip_name(name))
            else:
                raise UnsupportedType("Send the ZIP as application/zip, or in a form as the field “file”.")
            await _pump(request.stream(), sink.write, piece_bytes)
            return await run_sync(sink.finish)
    except ClientDisconnect as error:
        raise Cancelled("The upload was cancelled.") from error


async def receive_file(request: Request, files: FileStore, client: str, name: str, limit: int) -> KeptFile:
    """The file of weights that a request's body is.

    Raises:
        UnsupportedType: its name has another ending than files of weights have.
        LimitExceeded: it is larger than ``limit`` bytes.
        TooManyStacks, QuotaExceeded, DiskFull: there is no room for it.
    """
    lift_body_limit(request.scope)
    ending = next((ending for ending in WEIGHTS_ENDINGS if name.lower().endswith(ending)), None)
    if ending is None:
        raise UnsupportedType(ONLY_WEIGHTS)
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > limit:
        raise LimitExceeded(too_large(limit))
    try:
        with await run_sync(files.receive, client, limit, ending) as upload:
            await _pump(request.stream(), upload.write, PIECE_BYTES)
            return await run_sync(upload.finish, name[-MAX_NAME:])
    except ClientDisconnect as error:
        raise Cancelled("The upload was cancelled.") from error


def zip_name(path: str) -> str:
    """The last part of a file's path, on whatever system it was written.

    Raises:
        NotAZip: it does not end in ``.zip``.
    """
    name = PureWindowsPath(path).name[-MAX_NAME:]
    if not name.lower().endswith(".zip"):
        raise NotAZip(ONLY_ZIP)
    return name


class _Plain:
    """The body is the ZIP."""

    def __init__(self, upload: Upload[ImageStack], name: str) -> None:
        self._upload = upload
        self._name = name
        self.write = upload.write

    def finish(self) -> ImageStack:
        return self._upload.finish(self._name)


class _Form:
    """The body is ``multipart/form-data`` (RFC 7578); the first file in the field ``file`` counts."""

    def __init__(self, upload: Upload[ImageStack], boundary: bytes) -> None:
        if not boundary:
            raise InvalidRequest("The form's content type names no boundary.")
        self._upload = upload
        self._overhead = 0
        self._name: str | None = None
        self._in_file = False
        self._ended = False
        self._header, self._value, self._disposition = b"", b"", b""
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._part_begins,
                    "on_header_begin": self._header_begins,
                    "on_header_field": self._header_field,
                    "on_header_value": self._header_value,
                    "on_header_end": self._header_ends,
                    "on_headers_finished": self._headers_finished,
                    "on_part_data": self._part_data,
                    "on_end": self._form_ends,
                },
            )
        except FormParserError as error:
            raise InvalidRequest("The form's boundary is not valid.") from error

    def write(self, piece: bytes) -> None:
        before = self._upload.size
        try:
            self._parser.write(piece)
        except FormParserError as error:
            raise InvalidRequest("The form is malformed.") from error
        self._overhead += len(piece) - (self._upload.size - before)
        if self._overhead > FORM_OVERHEAD_BYTES:
            raise InvalidRequest("The form holds too much beside its file. Send one ZIP at a time, and nothing else.")

    def finish(self) -> ImageStack:
        if not self._ended and self._upload.size + self._overhead:
            raise InvalidRequest("The form is malformed: it ends too early.")
        if self._name is None:
            raise InvalidRequest("No file provided")
        return self._upload.finish(self._name)

    def _part_begins(self) -> None:
        self._disposition, self._in_file = b"", False

    def _header_begins(self) -> None:
        self._header, self._value = b"", b""

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_ends(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = self._value

    def _headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        filename = options.get(b"filename", b"")  # empty where a person submits a form without choosing a file
        if options.get(b"name") == b"file" and filename and self._name is None:
            self._name = zip_name(filename.decode("utf-8", "replace"))
            self._in_file = True

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if self._in_file:
            self._upload.write(data[start:end])

    def _form_ends(self) -> None:
        self._ended = True


async def _pump(body: AsyncGenerator[bytes], write: Callable[[bytes], None], piece_bytes: int) -> None:
    """Give ``body`` to ``write``, in pieces, in another thread."""
    waiting = bytearray()
    while True:
        chunk = await anext(body, None)
        waiting += chunk or b""
        if len(waiting) >= piece_bytes or (chunk is None and waiting):
            await run_sync(write, bytes(waiting))
            waiting.clear()
        if chunk is None:
            return
