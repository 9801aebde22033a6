"""Answers whose bytes never change: validators, long caching, and parts of them (RFC 9110, RFC 9111)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
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
    if known := not_modified(request, tag):
        return known
    response = make()
    response.headers.update(immutable_headers(tag))
    return response


def not_modified(request: Request, tag: str) -> Response | None:
    """304 where the client has it."""
    if _matches(request.headers.get("if-none-match", ""), tag):
        return Response(status_code=304, headers=immutable_headers(tag))
    return None


def immutable_headers(tag: str) -> dict[str, str]:
    """What lets a client keep an answer for ever."""
    return {"ETag": tag, "Cache-Control": IMMUTABLE, **NO_SNIFF}


def ranged(request: Request, content: bytes, media_type: str, tag: str = "") -> Response:
    """``content``, or the one range of it that is asked for; see ``part_asked_for``."""
    part = part_asked_for(request, len(content), tag)
    return Response(content[part.start : part.end], part.status, media_type=media_type, headers=part.headers)


@dataclass(frozen=True, slots=True)
class ByteRange:
    """The bytes from ``start`` to before ``end``, and what the answer says of them."""

    start: int
    end: int
    status: int
    headers: dict[str, str]


def part_asked_for(request: Request, size: int, tag: str = "") -> ByteRange:
    """The one range of ``size`` bytes that is asked for (RFC 9110, 14.2). Several ranges get the whole.

    Args:
        tag: of the whole; a client that names another one in ``If-Range`` has a part of something else.

    Raises:
        HTTPException: 416, the range begins after the end.
    """
    asked = _ONE_RANGE.fullmatch(request.headers.get("range", "").replace(" ", ""))
    headers = {"Accept-Ranges": "bytes"}
    whole = ByteRange(0, size, 200, headers)
    if asked is None or asked.groups() == ("", "") or request.headers.get("if-range", tag) != tag:
        return whole
    first, last = asked.groups()
    if first:
        start, end = int(first), min(int(last) if last else size - 1, size - 1)
    else:  # the last so many bytes
        start, end = max(size - int(last), 0), size - 1
    if last and first and int(last) < int(first):
        return whole
    if start > end:
        raise HTTPException(416, f"The file has {size} bytes.", headers | {"Content-Range": f"bytes */{size}"})
    return ByteRange(start, end + 1, 206, headers | {"Content-Range": f"bytes {start}-{end}/{size}"})


def _matches(if_none_match: str, tag: str) -> bool:
    candidates = [candidate.strip().removeprefix("W/") for candidate in if_none_match.split(",")]
    return "*" in candidates or tag in candidates
