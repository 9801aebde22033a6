"""Receiving files over HTTP: straight to disk as the bytes arrive, never whole in memory."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from python_multipart.multipart import parse_options_header
from starlette.requests import ClientDisconnect, Request

from core.api.body_limit import lift_body_limit
from core.api.file_form import MAX_NAME, FileForm, file_name, most_form_overhead
from core.base.errors import Cancelled, LimitExceeded, UnsupportedType
from core.base.settings import MIB, Settings
from core.images.formats import formats
from core.stacks.files import FileStore, KeptFile
from core.stacks.sources import must_unpack
from core.stacks.stack import ImageStack
from core.stacks.store import StackStore
from core.stacks.upload import too_large

PIECE_BYTES = MIB  # collected before a thread writes them
WEIGHTS_ENDINGS = (".safetensors", ".pth", ".pt", ".onnx", ".xml", ".bin", ".zip")
ONLY_WEIGHTS = "A model comes as .safetensors, .pth, .pt, .onnx, .xml with its .bin, or .zip."
ARCHIVE_TYPES = (
    *("application/zip", "application/x-zip-compressed", "application/octet-stream", "application/x-tar"),
    *("application/gzip", "application/x-gzip", "application/x-bzip2", "application/x-xz", "application/zstd"),
)
UNPACKING_AT_ONCE = 4  # compressed archives; each takes up to 80 MB and a core


async def receive_stack(
    request: Request,
    store: StackStore,
    settings: Settings,
    client: str,
    name: str = "",
    *,
    unpacking: CapacityLimiter | None = None,
    piece_bytes: int = PIECE_BYTES,
) -> ImageStack:
    """The stack made of a request's body: an archive or image as it is, or a form with fields ``file``.

    Args:
        name: what the stack is called where the body does not say it.
        unpacking: how many compressed archives are opened at once; nobody else waits for them.
        piece_bytes: collected before they are written.

    Raises:
        UnsupportedType: the body is nothing of this.
        InvalidRequest: the form is malformed or has no file.
        NotAZip: the file is not called like anything that can be opened.
        ArchiveError, TooManyStacks, QuotaExceeded, DiskFull: as for ``StackStore.receive``.
    """
    lift_body_limit(request.scope)
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    content_type = kind.decode("latin-1")
    is_form = content_type == "multipart/form-data"
    most = settings.max_upload_bytes + (most_form_overhead(settings.max_entries) if is_form else 0)
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > most:
        raise LimitExceeded(too_large(settings.max_upload_bytes))
    # A refusal leaves the rest of the body to uvicorn, which reads on and throws it away: a client that is still
    # sending gets to read why, and one that waits for "100 Continue" sends nothing.
    try:
        with await run_sync(store.receive, client) as upload:
            if is_form:
                form = FileForm(upload, options.get(b"boundary", b""), settings)
                await pump(request.stream(), form.write, piece_bytes)
                name = form.finish(name)
            else:
                called = _of_type(content_type)
                if called is None:
                    raise UnsupportedType(
                        "Send the ZIP as application/zip, a TAR or an image by its own type, or files in a form as "
                        "fields “file”."
                    )
                name = file_name(name or called)
                await pump(request.stream(), upload.write, piece_bytes)
            limiter = unpacking if await run_sync(must_unpack, upload.path) else None
            return await run_sync(upload.finish, name, limiter=limiter)
    except ClientDisconnect as error:
        raise Cancelled("The upload was cancelled.") from error


async def receive_file(request: Request, files: FileStore, client: str, name: str, limit: int) -> KeptFile:
    """The file of a model that a request's body is.

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
            await pump(request.stream(), upload.write, PIECE_BYTES)
            return await run_sync(upload.finish, name[-MAX_NAME:])
    except ClientDisconnect as error:
        raise Cancelled("The upload was cancelled.") from error


def stack_address(request: Request, here: str, stack: ImageStack) -> str:
    """The path of a stack that a route below ``here`` has made, beside which stacks are."""
    # Where the app is mounted, this application's routes are not the ones that ``url_for`` looks at.
    return f"{request.url.path.rpartition(f'/{here}')[0]}/stacks/{stack.id}"


def _of_type(content_type: str) -> str | None:
    """What a body of this type is called where nobody says it; None for types that no stack is made of."""
    if content_type in ARCHIVE_TYPES:
        return "stack.zip"
    return next((f"image{one.extensions[0]}" for one in formats() if content_type == one.media_type), None)


async def pump(body: AsyncGenerator[bytes], write: Callable[[bytes], None], piece_bytes: int) -> None:
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
