"""The Evaluate page in a real browser: a cell of the confusion matrix opens its images; downloads; a phone's width."""

from __future__ import annotations

import csv
import io
import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.builders import zip_bytes
from tests.e2e.server import ARTIFACTS
from tests.e2e.test_accessibility import is_accessible
from tests.e2e.viewer import PHONE
from tests.helpers import wait_until
from tests.unit.teach.stripes import stripes

pytestmark = pytest.mark.browser

ROW = 35  # pixels of the matrix, the header too
# What the network calls stripes nobody knows: the test reads it from the CSV.
FILES = {f"{name}/{seed}.png": stripes("lying", seed) for name in ("cat", "dog") for seed in range(3)}
FILES |= {"zebra/1.png": stripes("upright", 1)}


def evaluated(page: Page, address: str, *, phone: bool = False) -> None:
    """Open the stack, and evaluate it by its folders."""
    page.goto(address)
    sent = {"name": "folders.zip", "mimeType": "application/zip", "buffer": zip_bytes(FILES)}
    page.locator("input[type=file][multiple]").set_input_files(sent)
    expect(page.locator("[data-ref=canvas]")).to_have_attribute("data-painted", "sharp")
    if phone:
        page.get_by_test_id("stExpandSidebarButton").click()
    page.get_by_role("link", name="Evaluate", exact=True).first.click()
    if phone:
        page.get_by_test_id("stSidebarCollapseButton").click()
    page.get_by_role("button", name="Evaluate", exact=True).click()
    expect(page.get_by_role("heading", name="Results")).to_be_visible()


def choose(page: Page, table: Locator, row: int, column: int) -> None:
    """Choose a number of a table: somewhere in its row by a click, and then by keys, as wide as its columns may be.

    The table takes no click while it is being drawn, and does not say when it has been.
    """
    selected = table.locator("[data-testid^=glide-cell-][aria-selected=true]")

    def clicked() -> bool:
        if selected.count() == 0:
            box = table.bounding_box()
            assert box is not None
            page.mouse.click(box["x"] + box["width"] * 0.3, box["y"] + ROW * (row + 1.5))
            page.wait_for_timeout(500)
        return selected.count() > 0

    wait_until(clicked, "a number to be chosen")
    found = re.findall(r"\d+", selected.first.get_attribute("data-testid") or "")
    for _ in range(abs(column - int(found[0]))):
        page.keyboard.press("ArrowRight" if column > int(found[0]) else "ArrowLeft")


def test_a_cell_opens_its_images_in_the_gallery(page: Page, app_server: str) -> None:
    evaluated(page, app_server)
    expect(page.get_by_role("alert").filter(has_text="zebra (1)")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="Images as CSV").click()
    rows = list(csv.DictReader(io.StringIO(download.value.path().read_text())))
    assert [row["known_class"] for row in rows] == ["cat"] * 3 + ["dog"] * 3
    occurring = sorted({row["known_class"] for row in rows} | {row["class"] for row in rows})
    called = rows[0]["class"]
    positions = [int(row["position"]) for row in rows if (row["known_class"], row["class"]) == ("cat", called)]
    expect(page.locator("[data-ref=count]")).to_have_text(re.compile("^0 of 7 selected"))

    page.get_by_text("The same as a table").click()
    matrix = page.get_by_test_id("stDataFrame").first
    matrix.scroll_into_view_if_needed()
    cell = matrix.get_by_test_id(f"glide-cell-{occurring.index(called) + 1}-{occurring.index('cat')}")
    expect(cell).to_have_text(str(len(positions)))
    choose(page, matrix, occurring.index("cat"), occurring.index(called) + 1)
    expect(page.get_by_text(re.compile(rf"of cat called {re.escape(called)}, selected in the gallery"))).to_be_visible()
    expect(page.locator("[data-ref=count]")).to_have_text(f"{len(positions)} of 7 selected")
    expect(page.locator("[data-ref=position]")).to_have_text(f"{positions[0]} / 7")
    ARTIFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTIFACTS / "evaluate-cell.png")


def test_a_number_of_the_chart_opens_its_images(page: Page, app_server: str) -> None:
    evaluated(page, app_server)
    expect(page.locator("[data-ref=count]")).to_have_text(re.compile("^0 of 7 selected"))
    cells = page.get_by_test_id("stVegaLiteChart").first.locator("[aria-roledescription='rect mark']")
    cells.filter(visible=True).first.scroll_into_view_if_needed()
    cell = cells.first
    told = dict(part.split(": ") for part in (cell.get_attribute("aria-label") or "").split("; "))
    box = cell.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    said = f"of {told['Shows']} called {told['Was called']}, selected in the gallery"
    expect(page.get_by_text(said)).to_be_visible()
    expect(page.locator("[data-ref=count]")).to_have_text(f"{told['Images']} of 7 selected")


def test_the_report_asks_for_nothing_and_runs_nothing(page: Page, app_server: str) -> None:
    evaluated(page, app_server)
    with page.expect_download() as download:
        page.get_by_role("button", name="Report as HTML").click()
    made = download.value.path().read_text()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.set_content(made)
    expect(page.get_by_role("heading", name="Evaluation of folders.zip")).to_be_visible()
    expect(page.locator("svg")).to_have_count(4)
    assert [url for url in asked if not url.startswith("about:")] == []


def test_nothing_serious_in_either_theme(page: Page, app_server: str) -> None:
    evaluated(page, app_server)
    for tab in ("Classes", "Confidence", "Worst images", "None of these", "Confusion"):
        page.get_by_role("tab", name=tab, exact=True).click()
        expect(page.get_by_role("tabpanel").filter(visible=True)).to_be_visible()
        is_accessible(page, f"evaluate, {tab}")


@pytest.mark.parametrize("context_options", [PHONE], indirect=True, ids=["phone"])
def test_it_fits_a_phone(page: Page, app_server: str) -> None:
    evaluated(page, app_server, phone=True)
    for tab in ("Classes", "Confidence", "Worst images", "None of these", "Confusion"):
        page.get_by_role("tab", name=tab, exact=True).tap()
        expect(page.get_by_role("tabpanel").filter(visible=True)).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
