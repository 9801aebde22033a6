"""The components' JavaScript over HTTP."""

from __future__ import annotations

import posixpath
import re
from graphlib import TopologicalSorter

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from pages._ui.components.assets import ADDRESS, FOLDER, MODULES, VERSION, modules_route

ENTRIES = ("stack_viewer/stack_viewer.js", "gallery/gallery.js", "uploader/uploader.js")
_IMPORT = re.compile(r'^(?:import|export)\s[^;]*?from\s+"([^"]+)";|^import\s+"([^"]+)";|\bimport\(', re.MULTILINE)


@pytest.fixture
def client() -> TestClient:
    return TestClient(Starlette(routes=[modules_route()]))


def imports(name: str) -> list[str]:
    """The modules that ``name`` imports, by their names."""
    found = [one.group(1) or one.group(2) for one in _IMPORT.finditer(MODULES[name].decode())]
    assert all(found), "an import that is made up while the program runs cannot be followed"
    assert all(one.startswith(("./", "../")) for one in found), "only relative imports hold under any base path"
    return [posixpath.normpath(posixpath.join(posixpath.dirname(name), one)) for one in found]


@pytest.mark.parametrize("name", MODULES)
def test_a_module_is_served_as_it_is_and_kept_for_ever(client: TestClient, name: str) -> None:
    response = client.get(f"/{ADDRESS}{name}")
    assert (response.status_code, response.content) == (200, (FOLDER / name).read_bytes())
    assert response.headers["content-type"] == "text/javascript; charset=utf-8"  # or browsers refuse to run it
    assert response.headers["cache-control"] == "private, max-age=31536000, immutable"
    assert response.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "path",
    [
        f"components/{'0' * len(VERSION)}/{ENTRIES[0]}",  # of another version of the app
        f"{ADDRESS}missing.js",
        f"{ADDRESS}declare.py",
        f"{ADDRESS}shared/base.css",
        f"{ADDRESS}../declare.py",
        f"{ADDRESS}%2e%2e/declare.py",
        f"{ADDRESS}/etc/passwd",
        ADDRESS,
    ],
)
def test_nothing_else_is_served_and_no_refusal_is_kept(client: TestClient, path: str) -> None:
    response = client.get(f"/{path}")
    assert response.status_code == 404
    assert "immutable" not in response.headers.get("cache-control", "")


def test_the_route_follows_a_base_path() -> None:
    client = TestClient(Starlette(routes=[modules_route("/some/base")]))
    assert client.get(f"/some/base/{ADDRESS}{ENTRIES[0]}").status_code == 200
    assert client.get(f"/{ADDRESS}{ENTRIES[0]}").status_code == 404


def test_every_import_leads_to_a_module_and_none_in_a_circle() -> None:
    graph = {name: imports(name) for name in MODULES}
    assert {target for targets in graph.values() for target in targets} <= set(MODULES)
    list(TopologicalSorter(graph).static_order())


def test_every_module_is_used_by_a_component() -> None:
    reached: set[str] = set()
    waiting = list(ENTRIES)
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += imports(name)
    assert reached == set(MODULES)


def test_the_components_are_separate_doors() -> None:
    """What two components need is in ``shared``."""
    for name in MODULES:
        rooms = {name.split("/")[0], *(target.split("/")[0] for target in imports(name))}
        assert len(rooms - {"shared"}) <= 1, name
        assert not name.startswith("shared/") or rooms == {"shared"}, name
