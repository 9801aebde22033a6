"""The JavaScript of our components over HTTP: ES modules, linked into one that a browser fetches once.

Thirty files would cost a browser thirty requests, or as many looks into its cache, before the first image. So each
module becomes a block of one script, after those that it imports. The address holds a digest: a browser may keep what
it got for ever, and never mixes two versions.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
from graphlib import TopologicalSorter
from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

FOLDER = Path(__file__).parent
MODULES = {path.relative_to(FOLDER).as_posix(): path.read_text(encoding="utf-8") for path in FOLDER.rglob("*.js")}
_KEEP = {"Cache-Control": "private, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}
_IMPORT = re.compile(r'^import (\{[^}]*\}) from "([^"]+)";$', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|class|const) (\w+)\b)", re.MULTILINE)
_DEFAULT = re.compile(r"^export default ", re.MULTILINE)
_LEFT = re.compile(r"^(?:import|export)\b.*", re.MULTILINE)


def link(modules: dict[str, str]) -> str:
    """One module that exports, by default, what each of ``modules`` exports: an object by their names.

    Args:
        modules: the code of each, by its path.

    Raises:
        ValueError: a module imports or exports in a way other than ``import { a, b as c } from "./path.js";``,
            ``export`` before a function, class or constant, and ``export default``; or modules import each other in a
            circle.
    """
    graph = {name: [_resolve(name, path) for _, path in _IMPORT.findall(code)] for name, code in modules.items()}
    blocks = [_block(name, modules[name]) for name in TopologicalSorter(graph).static_order()]
    return "\n".join(("const modules = {};", *blocks, "export default modules;\n"))


def _resolve(importer: str, path: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(importer), path))


def _block(name: str, code: str) -> str:
    exported = _EXPORT.findall(code)
    code = _IMPORT.sub(
        lambda found: f"const {found[1].replace(' as ', ': ')} = modules[{json.dumps(_resolve(name, found[2]))}];", code
    )
    code, defaults = _DEFAULT.subn("const itsDefault = ", _EXPORT.sub("", code))
    if unknown := _LEFT.search(code):
        raise ValueError(f"{name}: this cannot be linked: {unknown[0]}")
    values = ", ".join([*exported, "default: itsDefault"] if defaults else exported)
    return f"{{ // {name}\n{code}\nmodules[{json.dumps(name)}] = {{ {values} }};\n}}"


SCRIPT = link(MODULES).encode()
ADDRESS = f"components/{hashlib.sha256(SCRIPT).hexdigest()[:16]}.js"  # relative to the page, like every address of ours


def script_route(base_path: str = "") -> Route:
    """The route of the script below ``base_path`` (``""``, or with a leading slash)."""
    return Route(f"{base_path}/components/{{name}}", _script)


async def _script(request: Request) -> Response:
    if f"components/{request.path_params['name']}" != ADDRESS:
        return PlainTextResponse("There is no such script.", 404, {"Cache-Control": "no-store"})
    return Response(SCRIPT, media_type="text/javascript", headers=_KEEP)
