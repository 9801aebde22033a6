"""The components' JavaScript over HTTP: modules linked into one script."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from graphlib import CycleError
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from pages._ui.components.assets import ADDRESS, MODULES, SCRIPT, link, script_route

ENTRIES = ("stack_viewer/stack_viewer.js", "gallery/gallery.js", "uploader/uploader.js", "workspace/workspace.js")
PARTS = {"workspace": {"shared", "gallery", "stack_viewer"}, "shared": set()}  # which folders one is made of
NODE = Path(sys.prefix) / "bin" / "node"


@pytest.fixture
def client() -> TestClient:
    return TestClient(Starlette(routes=[script_route()]))


def run(script: str, then: str) -> object:
    """What ``then`` makes of ``modules``, the default export of ``script``."""
    code = script.replace("export default modules;", f"console.log(JSON.stringify({then}));")
    done = subprocess.run(
        [NODE, "--input-type=module", "-"], input=code, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_script_is_served_and_kept_for_ever(client: TestClient) -> None:
    response = client.get(f"/{ADDRESS}")
    assert (response.status_code, response.content) == (200, SCRIPT)
    assert response.headers["content-type"] == "text/javascript; charset=utf-8"  # or browsers refuse to run it
    assert response.headers["cache-control"] == "private, max-age=31536000, immutable"
    assert response.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "path",
    [f"components/{'0' * 16}.js", "components/declare.py", "components/..%2fdeclare.py", "components/shared/base.css"],
)
def test_nothing_else_is_served_and_no_refusal_is_kept(client: TestClient, path: str) -> None:
    response = client.get(f"/{path}")  # the first: of another version of the app
    assert response.status_code == 404
    assert "immutable" not in response.headers.get("cache-control", "")


def test_the_route_follows_a_base_path() -> None:
    client = TestClient(Starlette(routes=[script_route("/some/base")]))
    assert client.get(f"/some/base/{ADDRESS}").status_code == 200
    assert client.get(f"/{ADDRESS}").status_code == 404


def test_another_module_is_another_address() -> None:
    assert link(MODULES) == SCRIPT.decode()
    assert link({**MODULES, "shared/numbers.js": MODULES["shared/numbers.js"] + "//"}) != SCRIPT.decode()


def test_the_components_are_all_there() -> None:
    kinds = run(SCRIPT.decode(), f"{json.dumps(ENTRIES)}.map((name) => typeof modules[name].default)")
    assert kinds == ["function"] * len(ENTRIES)


def test_modules_come_after_what_they_import_whatever_their_names() -> None:
    script = link(
        {
            "a.js": 'import { half, Two as Pair } from "./b/z.js";\n'
            'import {\n  one,\n} from "./b/y.js";\n'
            "export default (more) => half(new Pair().value) + one + more;",
            "b/z.js": 'import { one } from "./y.js";\nexport class Two {\n  value = one + one;\n}\n'
            "export function half(x) {\n  return x / 2;\n}",
            "b/y.js": "export const one = 1;",
        }
    )
    assert run(script, 'modules["a.js"].default(10)') == 12


def test_what_a_module_keeps_to_itself_is_its_own() -> None:
    script = link(
        {
            "a.js": "const LIMIT = 1;\nfunction own() {\n  return LIMIT;\n}\nexport const first = () => own();",
            "b.js": "const LIMIT = 2;\nfunction own() {\n  return LIMIT;\n}\nexport const second = () => own();",
        }
    )
    found = run(script, '[modules["a.js"].first(), modules["b.js"].second(), Object.keys(modules["a.js"]), typeof own]')
    assert found == [1, 2, ["first"], "undefined"]


@pytest.mark.parametrize(
    "code",
    [
        'import all from "./b.js";',
        'import * as all from "./b.js";',
        'import "./b.js";',
        'export * from "./b.js";',
        'export { one } from "./b.js";',
        "export { one };",
        "export let one = 1;",
        "export const { one } = two;",
        "export const [one] = two;",
    ],
)
def test_what_cannot_be_linked_stops_the_start(code: str) -> None:
    with pytest.raises(ValueError, match=r"a\.js"):
        link({"a.js": code, "b.js": "export const one = 1;"})


def test_modules_that_import_each_other_stop_the_start() -> None:
    with pytest.raises(CycleError):
        link(
            {
                "a.js": 'import { b } from "./b.js";\nexport const a = 1;',
                "b.js": 'import { a } from "./a.js";\nexport const b = 1;',
            }
        )


def test_the_components_are_separate_doors() -> None:
    """What two components need is in ``shared``, which needs none of them."""
    for name, code in MODULES.items():
        room = name.split("/")[0]
        imported = set(re.findall(r'^import .*from "\.\./(\w+)/', code, re.MULTILINE))
        assert imported <= PARTS.get(room, {"shared"}), name


def test_every_module_is_needed_by_a_component() -> None:
    imported = {
        Path(path).name for code in MODULES.values() for path in re.findall(r'^import .*from "(.+)";', code, re.M)
    }
    assert imported | {Path(entry).name for entry in ENTRIES} == {Path(name).name for name in MODULES}
