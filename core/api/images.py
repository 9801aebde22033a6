"""The images of a stack: as uploaded, as shown, as numbers, and small. None of these answers ever changes."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response

from core.api import large_images
from core.api.caching import NOT_MODIFIED, immutable, immutable_headers, not_modified, ranged
from core.api.image_threads import ImageThreads
from core.api.problems import responses
from core.base.errors import InvalidRequest
from core.base.workers import Priority
from core.images.display import MEDIA_TYPE, to_picture
from core.images.formats import formats
from core.images.formats.format import for_browsers
from core.images.memory import decoding_bytes, file_bytes, sample_bytes
from core.images.pixels import THUMBNAIL_MEDIA_TYPE, RangeOf
from core.images.samples import pack
from core.images.windowing import apply_window
from core.stacks.stack import ImageStack
from core.stacks.store import StackStore

_Responses = dict[int | str, dict[str, Any]]

_MEDIA_TYPES: dict[str, Any] = {one.media_type: {} for one in formats()}
ORIGINAL: _Responses = {
    200: {"content": _MEDIA_TYPES, "description": "The file"},
    206: {"content": _MEDIA_TYPES, "description": "The part asked for"},
}
_Range = Annotated[
    RangeOf,
    Query(
        description="scale values by the range of the image, or of all images of the stack together: 409 before that "
        "is known. Without effect on images of 8 bits and those with a window of their own"
    ),
]
_PICTURE: _Responses = {200: {"content": _MEDIA_TYPES | {MEDIA_TYPE: {}}, "description": "What any browser shows"}}


def images_router(store: StackStore, threads: ImageThreads) -> APIRouter:
    """``/api/v1/stacks/{stack_id}/images/{index}`` and what is below it."""
    router = APIRouter(prefix="/api/v1/stacks/{stack_id}/images/{index}", tags=["images"])

    def find(stack_id: str, index: int) -> ImageStack:
        stack = store.get(stack_id)
        stack.check(index)
        return stack

    @router.get("", response_class=Response, responses=ORIGINAL | NOT_MODIFIED | responses(400, 404, 416, 422))
    async def original(request: Request, stack_id: str, index: int) -> Response:
        """An image as it was uploaded; parts of it with ``Range``."""
        stack = find(stack_id, index)
        tag = '"original"'
        return not_modified(request, tag) or await send_original(
            threads, request, stack, index, immutable_headers(tag), tag
        )

    @router.get("/display", response_class=Response, responses=_PICTURE | NOT_MODIFIED | responses(400, 404, 409, 422))
    async def display(
        request: Request,
        stack_id: str,
        index: int,
        low: Annotated[
            float | None, Query(ge=-1e300, le=1e300, allow_inf_nan=False, description="the value shown black")
        ] = None,
        high: Annotated[
            float | None, Query(ge=-1e300, le=1e300, allow_inf_nan=False, description="the value shown white")
        ] = None,
        invert: Annotated[bool, Query(description="exchange black and white")] = False,
        value_range: _Range = "image",
    ) -> Response:
        """An image any browser shows: as the model sees it, or with a window of its original values."""
        stack = find(stack_id, index)
        if (low is None) != (high is None) or (low is not None and high is not None and low >= high):
            raise InvalidRequest("Give both ends of the window, the lower one first: low=0&high=4095.")

        window = None if low is None or high is None else (low, high)
        tag = f'"display-{low}-{high}-{invert}-{value_range}"'
        if known := not_modified(request, tag):
            return known
        entry = stack.entries[index]
        as_it_is = window is None and not invert and for_browsers(entry.format, entry.header) is not None
        if as_it_is and large_images.sent_in_pieces(entry):
            return await large_images.stream_for_browser(threads, request, stack, index, tag)
        if not as_it_is and large_images.made_in_strips(entry):
            return await large_images.stream_picture(threads, request, stack, index, tag, window, invert, value_range)

        def render() -> Response:
            grey = entry.header.is_grey
            if window is not None:
                picture = to_picture(apply_window(stack.values(index), *window, invert=invert), grey=grey)
            elif invert:
                picture = to_picture(255 - stack.rgb(index, range_of=value_range), grey=grey)
            else:
                picture = stack.picture(index, value_range)
            return Response(picture.content, media_type=picture.media_type, headers=immutable_headers(tag))

        memory = (
            file_bytes(entry.file_size) if as_it_is else decoding_bytes(entry.format, entry.header, entry.file_size)
        )
        answer = entry.file_size if as_it_is else 4 * entry.header.pixels
        return await threads.run(request, memory, render, answer=answer)

    @router.get(
        "/values",
        response_class=Response,
        responses=NOT_MODIFIED
        | responses(400, 404, 422)
        | {200: {"content": {"application/octet-stream": {}}, "description": "Samples"}},
    )
    async def values(
        request: Request, stack_id: str, index: int, accept_encoding: Annotated[str, Header()] = ""
    ) -> Response:
        """The samples of an image, unscaled: little-endian rows, their shape and type in ``X-Image-*`` headers."""
        stack = find(stack_id, index)
        tag = '"values"'
        if known := not_modified(request, tag):
            return known
        entry, gzip = stack.entries[index], "gzip" in accept_encoding
        if large_images.made_in_strips(entry):
            return await large_images.stream_values(threads, request, stack, index, tag, gzip=gzip)

        def read() -> Response:
            body, headers = pack(stack.values(index), gzip=gzip)
            headers |= immutable_headers(tag)
            return Response(body, media_type="application/octet-stream", headers=headers)

        memory = decoding_bytes(entry.format, entry.header, entry.file_size)
        return await threads.run(request, memory, read, answer=sample_bytes(entry.header))

    @router.get(
        "/thumbnail",
        response_class=Response,
        responses=NOT_MODIFIED
        | responses(400, 404, 409, 422, 507)
        | {200: {"content": {THUMBNAIL_MEDIA_TYPE: {}}, "description": "The thumbnail"}},
    )
    async def thumbnail(request: Request, stack_id: str, index: int, value_range: _Range = "image") -> Response:
        """A small picture of an image."""
        stack = find(stack_id, index)
        # Somebody else's large stack may be first, and a thread that waits is a thread that others miss.
        await asyncio.shield(asyncio.wrap_future(stack.prepare(index, Priority.VISIBLE, value_range)))
        return immutable(
            request,
            f'"thumbnail-{value_range}"',
            lambda: Response(stack.thumbnail(index, value_range), media_type=THUMBNAIL_MEDIA_TYPE),
        )

    return router


async def send_original(
    threads: ImageThreads, request: Request, stack: ImageStack, index: int, headers: dict[str, str], tag: str = ""
) -> Response:
    """An image as it was uploaded, or the part of it that is asked for.

    Args:
        headers: of the answer, beside those of the file.
        tag: of the file, where its address always means the same one.
    """
    entry = stack.entries[index]
    if large_images.original_in_pieces(entry):
        return await large_images.stream_original(threads, request, stack, index, headers, tag)

    def read() -> Response:
        response = ranged(request, stack.original(index), entry.format.media_type, tag)
        response.headers.update(headers)
        return response

    return await threads.run(request, file_bytes(entry.file_size), read, answer=entry.file_size)
