"""Folders of the server's own machine, opened in place by the people who run it."""

from __future__ import annotations

from anyio.to_thread import run_sync
from fastapi import APIRouter, Request, Response

from core.api.clients import client_of
from core.api.json_answer import json_answer
from core.api.problems import responses
from core.api.receive import stack_address
from core.api.schemas.stacks import FolderRequest, Folders, StackIndex
from core.base.errors import NotAllowed
from core.base.reach import names_this_computer
from core.stacks.roots import StackRoots
from core.stacks.store import StackStore

_MISNAMED = "Folders are opened only for who asks for this computer by its own name, such as localhost."


def folders_router(store: StackStore, roots: StackRoots) -> APIRouter:
    """``/api/v1/folders``."""
    router = APIRouter(prefix="/api/v1/folders", tags=["stacks"])

    @router.get("", responses=responses(403))
    def list_folders(request: Request) -> Folders:
        """The folders of this computer that may be opened, with all that is in them; by default none."""
        _check(request)
        return Folders(folders=list(roots.names))

    @router.post(
        "", status_code=201, response_model=StackIndex, responses=responses(400, 403, 404, 413, 422, 429, 503, 507)
    )
    async def create(request: Request, body: FolderRequest) -> Response:
        """Open a folder, or an archive or image in one, as a stack. It is read where it is, and nothing is copied."""
        _check(request)
        stack = await run_sync(roots.open, body.path, store, client_of(request))
        headers = {"Location": stack_address(request, "folders", stack)}
        return await json_answer(lambda: StackIndex.of(stack), 201, headers)

    return router


def _check(request: Request) -> None:
    if not names_this_computer(request.headers.get("host", "")):
        raise NotAllowed(_MISNAMED)
