"""Answers about images that are too large to be held while they are sent: made strip by strip as they are read."""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Iterator

from fastapi import Request, Response

from core.api.caching import immutable_headers, part_asked_for
from core.api.image_threads import ImageThreads, Pieces
from core.base.errors import ImageTooLarge
from core.base.settings import MIB
from core.base.workers import Priority
from core.images.display import MEDIA_TYPE, to_picture_pieces
from core.images.formats.format import PIECE_BYTES, FormatInStrips
from core.images.memory import decoding_bytes
from core.images.pixels import RangeOf
from core.images.samples import pack_strips
from core.images.strips import LARGE_PIXELS, SENT_PIXELS, RgbStrips, is_large, without_whole
from core.images.windowing import apply_window
from core.stacks.sources.source import Entry
from core.stacks.stack import ImageStack

STREAMED_BYTES = 8 * MIB  # larger files are sent piece by piece
_FILE_MEMORY = 4 * PIECE_BYTES  # a piece as it is in the source, unpacked, and on its way
_STRIP_COST = 16 * SENT_PIXELS  # as ``memory.whole_bytes`` counts: about so many bytes a pixel

Window = tuple[float, float]


def original_in_pieces(entry: Entry) -> bool:
    """Whether the file of an image is, as it was uploaded."""
    return entry.file_size > STREAMED_BYTES


def sent_in_pieces(entry: Entry) -> bool:
    """Whether the file of an image is, as browsers show it."""
    return original_in_pieces(entry) and isinstance(entry.format, FormatInStrips)


def made_in_strips(entry: Entry) -> bool:
    """Whether pictures and values of an image are."""
    return is_large(entry.header) and isinstance(entry.format, FormatInStrips)


async def stream_original(
    threads: ImageThreads, request: Request, stack: ImageStack, index: int, headers: dict[str, str], tag: str = ""
) -> Response:
    """A file as it was uploaded, or a part of it.

    Raises:
        ImageError: it is damaged where it is kept; found before anything is sent.
    """
    entry, file = stack.entries[index], stack.file(index)
    part = part_asked_for(request, file.size, tag)
    await threads.check(request, _of_file(file.pieces()))
    pieces = _of_file(_part(file.pieces(part.start), part.end - part.start))
    sizes = part.headers | {"Content-Length": str(part.end - part.start)}
    return await threads.stream(
        request, pieces, media_type=entry.format.media_type, status=part.status, headers=headers | sizes
    )


async def stream_for_browser(
    threads: ImageThreads, request: Request, stack: ImageStack, index: int, tag: str
) -> Response:
    """A file that any browser shows, with only what its pixels need.

    Raises:
        ImageError: it cannot be read.
    """
    entry = stack.entries[index]
    await _readable(stack, index)
    assert isinstance(entry.format, FormatInStrips)  # noqa: S101
    pieces = _of_file(entry.format.pieces_for_browser(stack.file(index), entry.frame))
    return await threads.stream(request, pieces, media_type=entry.format.media_type, headers=immutable_headers(tag))


async def stream_picture(
    threads: ImageThreads,
    request: Request,
    stack: ImageStack,
    index: int,
    tag: str,
    window: Window | None,
    invert: bool,
    range_of: RangeOf,
) -> Response:
    """A large image as the model sees it, or with a window of its values.

    Raises:
        ImageError: it cannot be read.
        ImageTooLarge: it is stored in a way that would have to be held whole.
        RangeUnknown: that of the stack is not known yet.
    """
    if range_of == "stack":
        stack.range.check_known()
    entry = stack.entries[index]
    _check_strips(entry)
    await _readable(stack, index)
    header = entry.header
    strips = _shown(stack, index, window, invert, range_of)
    pieces = to_picture_pieces(strips, header.width, header.height, grey=header.is_grey)
    return await threads.stream(
        request, _of_strips(pieces, entry), media_type=MEDIA_TYPE, headers=immutable_headers(tag)
    )


async def stream_values(
    threads: ImageThreads, request: Request, stack: ImageStack, index: int, tag: str, *, gzip: bool
) -> Response:
    """The samples of a large image.

    Raises:
        ImageError, ImageTooLarge: as for ``stream_picture``.
    """
    entry = stack.entries[index]
    _check_strips(entry)
    await _readable(stack, index)
    strips = stack.values_in_strips(index, SENT_PIXELS)
    memory = decoding_bytes(entry.format, entry.header, entry.file_size)
    first = await threads.do(request, lambda: next(strips), memory=memory, cost=_STRIP_COST)
    pieces, headers = pack_strips(first, strips, entry.header.height, gzip=gzip)
    return await threads.stream(
        request,
        _of_strips(pieces, entry),
        media_type="application/octet-stream",
        headers=immutable_headers(tag) | headers,
    )


def _shown(stack: ImageStack, index: int, window: Window | None, invert: bool, range_of: RangeOf) -> RgbStrips:
    if window is None:
        strips = stack.rgb_in_strips(index, SENT_PIXELS, range_of)
        return (255 - strip for strip in strips) if invert else strips
    low, high = window
    return (apply_window(strip, low, high, invert=invert) for strip in stack.values_in_strips(index, SENT_PIXELS))


def _check_strips(entry: Entry) -> None:
    if not without_whole(entry.format, entry.header):
        raise ImageTooLarge(
            f"Interlaced images of more than {LARGE_PIXELS // 1_000_000} million pixels can be recognised, but neither "
            "shown with a window nor as values. Export it without interlacing."
        )


async def _readable(stack: ImageStack, index: int) -> None:
    """Wait until the image has been decoded once, which tells whether it can be, before anything is sent of it."""
    await asyncio.shield(asyncio.wrap_future(stack.prepare(index, Priority.VISIBLE)))
    stack.check_readable(index)


def _of_strips(made: Generator[bytes], entry: Entry) -> Pieces:
    return Pieces(made, decoding_bytes(entry.format, entry.header, entry.file_size), _STRIP_COST)


def _of_file(pieces: Iterator[bytes]) -> Pieces:
    return Pieces((piece for piece in pieces), _FILE_MEMORY, _FILE_MEMORY)


def _part(pieces: Iterator[bytes], count: int) -> Iterator[bytes]:
    """The first ``count`` bytes."""
    for piece in pieces:
        yield piece[:count]
        count -= len(piece)
        if count <= 0:
            return
