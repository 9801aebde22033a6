"""The results of a batch job in a real browser: opened, filtered, labelled from page to page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from scripts.dev._app_server import AppServer
from scripts.dev.measure_outcome import make_job, measure
from tests.e2e.server import ROOT, folders, streamlit_process
from tests.e2e.teach import Teach

pytestmark = pytest.mark.browser

ROWS = 3_000


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 3,000 rows about 100 images, and those."""
    folder = tmp_path_factory.mktemp("outcome") / "made"
    make_job(folder, ROWS, different=100, classes=10)
    return folder


@pytest.fixture(scope="module")
def server(made: Path, model_cache: Path) -> Iterator[AppServer]:
    environment = folders(made.parent, model_cache) | {"AISR_STACK_ROOTS": str(made)}
    with streamlit_process(ROOT / "app.py", environment=environment) as found:
        yield found


def test_a_job_is_filtered_and_labels_come_along(
    page: Page, server: AppServer, made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page.goto(server.address.replace("127.0.0.1", "localhost"))
    measure(page, server, made / "job")
    said = capsys.readouterr().out
    assert said.count(" s of CPU") == 6
    assert f"found in {ROWS:,}" in said and "memory of the server" in said

    row = page.locator(".st-key-outcome")
    expect(row).to_contain_text("1–30 of 30 found in 3,000")
    expect(row).to_contain_text("not computed again: model made up (000000000000), OpenVINO INT8 (000000000000)")
    expect(row.get_by_role("button", name="Next")).to_be_disabled()
    expect(page.locator("[data-ref=best]")).to_contain_text("class ")

    teach = Teach(page)
    teach.switch()
    teach.add("lying", "upright")
    page.locator("[data-ref=stage]").focus()
    teach.press("2")
    teach.counts(lying=0, upright=1)
    page.get_by_role("button", name="Filter the job").click()
    page.get_by_label("Name contains").fill("photo 0007")
    page.get_by_test_id("stFormSubmitButton").get_by_role("button", name="Show").click()
    expect(row).to_contain_text("1–30 of 30 found in 3,000 and 1 labelled before")
    teach.counts(lying=0, upright=1)
    page.get_by_role("slider", name="Position in the stack").fill("31")
    teach.label(31, "upright")
