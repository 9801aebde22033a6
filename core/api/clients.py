"""Who is asking: the client quotas and turns are counted for, and the stack a client's cookie names."""

from __future__ import annotations

from fastapi import Request, Response

from core.api.client_names import client_name
from core.base.errors import StackNotFound
from core.base.settings import Settings
from core.stacks.stack import ImageStack
from core.stacks.store import StackStore

STACK_COOKIE = "aisr_stack"


def client_of(request: Request) -> str:
    """The name a request's client is counted under."""
    return client_name(request.client.host if request.client else None)


def remember_stack(request: Request, response: Response, stack: ImageStack, settings: Settings) -> None:
    """Let the client's next calls find ``stack``; scripts of the page and other sites do not get at the cookie."""
    response.set_cookie(
        STACK_COOKIE,
        stack.id,
        max_age=settings.stack_ttl_seconds,
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )


def find_stack(store: StackStore, explicit: str | None, cookie: str | None) -> ImageStack:
    """The stack a request means: the one it names, else the one of its cookie.

    Raises:
        StackNotFound: neither, or there is no such stack.
    """
    stack_id = explicit or cookie
    if not stack_id:
        raise StackNotFound("No stack is open. Upload a ZIP first.")
    return store.get(stack_id)
