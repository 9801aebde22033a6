"""The JavaScript of our components over HTTP: ES modules as they are, which import each other by relative paths.

Their address holds a digest of all of them, so that a browser may keep them for ever and never mixes two versions.
"""

from __future__ import annotations

import hashlib
import posixpath
import re
from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

FOLDER = Path(__file__).parent
MODULES = {path.relative_to(FOLDER).as_posix(): path.read_bytes() for path in sorted(FOLDER.rglob("*.js"))}
VERSION = hashlib.sha256(repr(MODULES).encode()).hexdigest()[:16]
ADDRESS = f"components/{VERSION}/"  # relative to the page, like every address of ours
_KEEP = {"Cache-Control": "private, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}
_IMPORT = re.compile(r'^(?:import|export) [^;"]*from "([^"]+)";', re.MULTILINE)


def imports(name: str) -> list[str]:
    """The modules that module ``name`` imports."""
    folder = posixpath.dirname(name)
    return [posixpath.normpath(posixpath.join(folder, path)) for path in _IMPORT.findall(MODULES[name].decode())]


def needed(entry: str) -> list[str]:
    """``entry`` and every module that it needs, those first that a browser would come upon first."""
    found = [entry]
    for name in found:
        found.extend(one for one in imports(name) if one not in found)
    return found


def modules_route(base_path: str = "") -> Route:
    """The route of the modules below ``base_path`` (``""``, or with a leading slash)."""
    return Route(f"{base_path}/components/{{version}}/{{name:path}}", _module)


async def _module(request: Request) -> Response:
    code = MODULES.get(request.path_params["name"])
    if code is None or request.path_params["version"] != VERSION:
        return PlainTextResponse("There is no such module.", 404, {"Cache-Control": "no-store"})
    return Response(code, media_type="text/javascript", headers=_KEEP)
