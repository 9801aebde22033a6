"""The images of a stack: as uploaded, as shown, as numbers, and small. None of these answers ever changes."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response

from core.api.caching import NOT_MODIFIED, immutable, ranged
from core.api.image_threads import ImageThreads
from core.api.problems import responses
from core.base.errors import InvalidRequest
from core.base.workers import Priority
from core.images.pixels import encode_png, to_rgb
from core.images.samples import pack
from core.images.windowing import apply_window
from core.stacks.stack import ImageStack
from core.stacks.store import StackStore

_PNG: dict[int | str, dict[str, Any]] = {200: {"content": {"image/png": {}}, "description": "The image"}}
_PART: dict[int | str, dict[str, Any]] = {206: {"content": {"image/png": {}}, "description": "The part asked for"}}


def images_router(store: StackStore, threads: ImageThreads) -> APIRouter:
    """``/api/v1/stacks/{stack_id}/images/{index}`` and what is below it."""
    router = APIRouter(prefix="/api/v1/stacks/{stack_id}/images/{index}", tags=["images"])

    def find(stack_id: str, index: int) -> ImageStack:
        stack = store.get(stack_id)
        stack.check(index)
        return stack

    @router.get("", response_class=Response, responses=_PNG | _PART | NOT_MODIFIED | responses(400, 404, 416, 422))
    async def original(request: Request, stack_id: str, index: int) -> Response:
        """An image as it was uploaded; parts of it with ``Range``."""
        stack = find(stack_id, index)
        tag = '"original"'

        def read() -> Response:
            return ranged(request, stack.original(index), "image/png", tag)

        return await threads.run(stack.entries[index], lambda: immutable(request, tag, read))

    @router.get("/display", response_class=Response, responses=_PNG | NOT_MODIFIED | responses(400, 404, 422))
    async def display(
        request: Request,
        stack_id: str,
        index: int,
        low: Annotated[int | None, Query(ge=-65535, le=131070, description="the value shown black")] = None,
        high: Annotated[int | None, Query(ge=-65535, le=131070, description="the value shown white")] = None,
        invert: Annotated[bool, Query(description="exchange black and white")] = False,
    ) -> Response:
        """An image any browser shows: as the model sees it, or with a window of its original values."""
        stack = find(stack_id, index)
        if (low is None) != (high is None) or (low is not None and high is not None and low >= high):
            raise InvalidRequest("Give both ends of the window, the lower one first: low=0&high=4095.")

        def render() -> Response:
            if low is not None and high is not None:
                content = encode_png(apply_window(stack.values(index), low, high, invert=invert))
            elif invert:
                content = encode_png(255 - to_rgb(stack.values(index)))
            else:
                content = stack.rendered(index)
            return Response(content, media_type="image/png")

        tag = f'"display-{low}-{high}-{invert}"'
        return await threads.run(stack.entries[index], lambda: immutable(request, tag, render))

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

        def read() -> Response:
            body, headers = pack(stack.values(index), gzip="gzip" in accept_encoding)
            return Response(body, media_type="application/octet-stream", headers=headers)

        return await threads.run(stack.entries[index], lambda: immutable(request, '"values"', read))

    @router.get(
        "/thumbnail",
        response_class=Response,
        responses=NOT_MODIFIED
        | responses(400, 404, 422, 507)
        | {200: {"content": {"image/jpeg": {}}, "description": "The thumbnail"}},
    )
    async def thumbnail(request: Request, stack_id: str, index: int) -> Response:
        """A small JPEG of an image."""
        stack = find(stack_id, index)
        # Somebody else's large stack may be first, and a thread that waits is a thread that others miss.
        await asyncio.shield(asyncio.wrap_future(stack.prepare(index, Priority.VISIBLE)))
        return immutable(request, '"thumbnail"', lambda: Response(stack.thumbnail(index), media_type="image/jpeg"))

    return router
