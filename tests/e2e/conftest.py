"""A real Chromium for the browser tests."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from scripts.dev._chromium import find_chromium
from tests.e2e.contexts import new_context
from tests.e2e.server import ARTIFACTS, ROOT, folders, streamlit_server
from tests.e2e.teach import FILES, Teach
from tests.e2e.viewer import Viewer
from tests.helpers import SECONDS

# Whatever a page is to show or to do, it may take a busy machine so long. What must be fast is measured elsewhere.
expect.set_options(timeout=SECONDS * 1000)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One headless Chromium for a module: ``CHROMIUM``, or the first ``chromium`` on the path."""
    executable = find_chromium()
    if executable is None:
        pytest.fail("no Chromium: install it, or name it in the CHROMIUM environment variable")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep each phase's report on the item, so that ``page`` can see whether the test failed."""
    report = yield
    setattr(item, f"report_{report.when}", report)
    return report


@pytest.fixture
def context_options(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Options of the browser context: a wide window, unless the test is parametrized with others."""
    return getattr(request, "param", {"viewport": {"width": 1280, "height": 900}})


MakeContext = Callable[[dict[str, Any]], BrowserContext]


@pytest.fixture(scope="module")
def context_with(browser: Browser) -> MakeContext:
    """One browser context for all tests of a module with the same options: they share scripts, and nothing else."""
    made: dict[str, BrowserContext] = {}

    def context(options: dict[str, Any]) -> BrowserContext:
        key = json.dumps(options, sort_keys=True)
        if key not in made:
            made[key] = new_context(browser, **options)
        return made[key]

    return context


def leave_nothing(context: BrowserContext, page: Page) -> None:
    """Close what is open in ``context``, and forget what pages have kept in it."""
    storage = {"origin": "*", "storageTypes": "cookies,local_storage,indexeddb,cache_storage,service_workers"}
    context.new_cdp_session(page).send("Storage.clearDataForOrigin", storage)
    context.clear_cookies()
    for opened in context.pages:
        opened.close()


@pytest.fixture
def page(context_with: MakeContext, context_options: dict[str, Any], request: pytest.FixtureRequest) -> Iterator[Page]:
    """A fresh page; an error in its JavaScript fails the test, and a failing test leaves a screenshot."""
    context = context_with(context_options)
    opened = context.new_page()
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    yield opened
    report = getattr(request.node, "report_call", None)
    if errors or (report is not None and report.failed):
        ARTIFACTS.mkdir(exist_ok=True)
        opened.screenshot(path=ARTIFACTS / f"{re.sub(r'[^0-9A-Za-z-]+', '_', request.node.name)}.png")
    leave_nothing(context, opened)
    assert not errors, f"JavaScript errors on the page: {errors}"


@pytest.fixture(scope="session")
def app_server(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Iterator[str]:
    """The address of one server of the whole app, with folders of its own."""
    environment = folders(tmp_path_factory.mktemp("app"), model_cache)
    with streamlit_server(ROOT / "app.py", environment=environment) as address:
        yield address


@pytest.fixture(scope="session")
def component_server() -> Iterator[str]:
    """The address of one server for all tests of viewer and gallery on generated images."""
    script = Path(__file__).with_name("component_app.py")
    with streamlit_server(script, environment={"STREAMLIT_CLIENT_TOOLBAR_MODE": "developer"}) as address:
        yield address


@pytest.fixture
def viewer(page: Page, component_server: str) -> Viewer:
    """Viewer and gallery on a fresh page, the first image on show."""
    page.goto(component_server)
    return Viewer(page)


@pytest.fixture
def teach(page: Page, app_server: str, context_options: dict[str, Any]) -> Teach:
    """The Teach page with stripes open and two classes named."""
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto(app_server)
    found = Teach(page, phone="is_mobile" in context_options)
    found.open(FILES)
    found.go("Teach")
    found.add("lying", "upright")
    return found
