"""The components' JavaScript over HTTP."""

from __future__ import annotations

import re
from graphlib import TopologicalSorter

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from pages._ui.components.assets import ADDRESS, FOLDER, MODULES, VERSION, imports, modules_route, needed

ENTRIES = ("stack_viewer/stack_viewer.js", "gallery/gallery.js", "uploader/uploader.js")


@pytest.fixture
def client() -> TestClient:
    return TestClient(Starlette(routes=[modules_route()]))


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


@pytest.mark.parametrize("name", MODULES)
def test_no_import_is_overlooked_or_leads_out(name: str) -> None:
    code = re.sub(r"/\*.*?\*/", "", MODULES[name].decode(), flags=re.DOTALL)
    assert code.count(' from "') + code.count("import(") == len(imports(name))
    assert set(imports(name)) <= set(MODULES)


def test_no_module_needs_itself() -> None:
    list(TopologicalSorter({name: imports(name) for name in MODULES}).static_order())  # raises for a circle


def test_every_module_is_needed_by_a_component() -> None:
    assert {name for entry in ENTRIES for name in needed(entry)} == set(MODULES)


def test_the_upload_field_waits_for_nothing_of_the_viewer() -> None:
    assert needed("uploader/uploader.js")[0] == "uploader/uploader.js"
    assert {name.split("/")[0] for name in needed("uploader/uploader.js")} == {"uploader", "shared"}
    assert len(needed("uploader/uploader.js")) < len(needed("stack_viewer/stack_viewer.js")) / 2


def test_the_components_are_separate_doors() -> None:
    """What two components need is in ``shared``."""
    for name in MODULES:
        rooms = {name.split("/")[0], *(target.split("/")[0] for target in imports(name))}
        assert len(rooms - {"shared"}) <= 1, name
        assert not name.startswith("shared/") or rooms == {"shared"}, name
