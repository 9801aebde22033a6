"""Answers whose bytes never change: validators, long caching, and parts of them (RFC 9110, RFC 9111)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from fastapi import Request, Response
from starlette.exceptions import HTTPException

# A stack never changes and its id is never used again, so whatever is read from it may be kept for ever.
IMMUTABLE = "private, max-age=31536000, immutable"
NOT_MODIFIED: dict[int | str, dict[str, Any]] = {304: {"description": "The client has it already"}}
NO_SNIFF = {"X-Content-Type-Options": "nosniff"}
_ONE_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


def immutable(request: Request, tag: str, make: Callable[[], Response]) -> Response:
    """304 where the client has it, else what ``make`` makes, with headers that let the client keep it.

    Args:
        tag: names the bytes among all this address will ever answer with; ASCII, in quotes.
    """
    headers = {"ETag": tag, "Cache-Control": IMMUTABLE, **NO_SNIFF}
    if _matches(request.headers.get("if-none-match", ""), headers["ETag"]):
        return Response(status_code=304, headers=headers)
    response = make()
    response.headers.update(headers)
    return response


def ranged(request: Request, content: bytes, media_type: str, tag: str = "") -> Response:
    """``content``, or the one range of it that is asked for (RFC 9110, 14.2). Several ranges get the whole.

    Args:
        tag: of ``content``; a client that names another one in ``If-Range`` has a part of something else.

    Raises:
        HTTPException: 416, the range begins after the end.
    """
    asked = _ONE_RANGE.fullmatch(request.headers.get("range", "").replace(" ", ""))
    headers = {"Accept-Ranges": "bytes"}
    if asked is None or asked.groups() == ("", "") or request.headers.get("if-range", tag) != tag:
        return Response(content, media_type=media_type, headers=headers)
    size = len(content)
    first, last = asked.groups()
    if first:
        start, end = int(first), min(int(last) if last else size - 1, size - 1)
    else:  # the last so many bytes
        start, end = max(size - int(last), 0), size - 1
    if last and first and int(last) < int(first):
        return Response(content, media_type=media_type, headers=headers)
    if start > end:
        raise HTTPException(416, f"The file has {size} bytes.", headers | {"Content-Range": f"bytes */{size}"})
    headers["Content-Range"] = f"bytes {start}-{end}/{size}"
    return Response(content[start : end + 1], 206, media_type=media_type, headers=headers)


def _matches(if_none_match: str, tag: str) -> bool:
    candidates = [candidate.strip().removeprefix("W/") for candidate in if_none_match.split(",")]
    return "*" in candidates or tag in candidates
