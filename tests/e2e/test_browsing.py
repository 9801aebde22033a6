"""Browsing in the whole app: what stays over page changes and runs, links, and exact values from real files."""

from __future__ import annotations

import re

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.builders import BROKEN_PNGS, photo_png, png_bytes, zip_bytes
from tests.dicom_files import dicom
from tests.e2e.contexts import new_context

pytestmark = pytest.mark.browser

SCAN = np.arange(40 * 60).reshape(40, 60, 1) + 5000
FILES = {f"series/photo {number}.png": photo_png(60, 40, seed=number) for number in range(1, 9)}
STACK = zip_bytes(
    {**FILES, "series/photo 3.png": BROKEN_PNGS["data stops early"], "series/scan.png": png_bytes(SCAN, 16)}
)
COUNT = 9


@pytest.fixture
def app(page: Page, app_server: str) -> Page:
    """The viewer with the stack open."""
    page.goto(app_server)
    upload(page)
    return page


def upload(page: Page) -> None:
    page.locator("input[type=file]").set_input_files(
        {"name": "photos.zip", "mimeType": "application/zip", "buffer": STACK}
    )
    expect(page.locator("[data-ref=canvas]")).to_have_attribute("data-painted", "sharp")
    page.locator("[data-ref=stage]").focus()


def stands_at(page: Page, number: int) -> None:
    expect(page.locator("[data-ref=position]")).to_have_text(f"{number} / {COUNT}")


def go_to(page: Page, name: str) -> None:
    page.get_by_role("navigation").get_by_role("link", name=name).click()


def test_place_and_selection_survive_other_pages_and_runs(app: Page) -> None:
    count = app.locator("[data-ref=count]")
    for key in ("x", "End", "x", "ArrowLeft"):
        app.keyboard.press(key)
    expect(app.get_by_role("button", name="Selected (2)")).to_be_enabled()
    go_to(app, "Inference")
    expect(app.get_by_text("Nothing is recognised yet")).to_be_visible()
    go_to(app, "Viewer")
    stands_at(app, 8)
    expect(count).to_have_text(f"2 of {COUNT} selected")
    app.get_by_role("button", name="Selected (2)").click()
    expect(app.get_by_text(re.compile(r"2 images in [\d.]+ s"))).to_be_visible()
    expect(count).to_have_text(f"2 of {COUNT} selected")
    stands_at(app, 8)
    app.locator("[data-ref=stage]").focus()
    app.keyboard.press("End")
    answer = app.locator("[data-ref=answers]")
    expect(answer).to_contain_text("OpenVINO INT8 · starter")


def test_a_link_leads_back_to_its_image_within_the_session(app: Page) -> None:
    app.get_by_role("button", name=f"All ({COUNT})", exact=True).click()
    expect(app.get_by_text(re.compile(r"images in [\d.]+ s"))).to_be_visible()
    app.locator("[data-ref=stage]").focus()
    app.keyboard.press("End")
    expect(app).to_have_url(re.compile(r"\?stack=[0-9a-f]{12}&image=9$"))
    go_to(app, "Inference")
    expect(app.get_by_role("link", name="Open image 1 in the viewer")).to_be_visible()
    assert "stack=" not in app.url
    app.get_by_role("link", name="Open image 1 in the viewer").click()
    stands_at(app, 1)
    app.locator("[data-ref=stage]").focus()
    app.keyboard.press("ArrowRight")
    expect(app).to_have_url(re.compile(r"&image=2$"))
    expect(app.get_by_role("button", name="Image 2", exact=True)).to_be_visible()
    stands_at(app, 2)  # the link that led here does not pull back


def test_a_link_opens_nothing_for_those_who_have_not_the_stack(app: Page, browser: Browser) -> None:
    app.keyboard.press("End")
    expect(app).to_have_url(re.compile(r"&image=9$"))
    link = app.url
    stack_id = app.evaluate(
        "performance.getEntriesByType('resource').map((e) => e.name).find((n) => n.includes('/stacks/'))"
    )
    assert stack_id.split("/stacks/")[1].split("/")[0] not in link, "the address gives the stack away"
    context = new_context(browser)
    other = context.new_page()
    other.goto(link)
    expect(other.get_by_text("not open here")).to_be_visible()
    expect(other.locator("[data-ref=canvas]")).to_have_count(0)
    upload(other)  # the same images again: now the link means something
    stands_at(other, 9)
    expect(other.get_by_text("not open here")).to_have_count(0)
    context.close()


def test_true_values_of_a_16_bit_file(app: Page) -> None:
    app.keyboard.press("End")
    stands_at(app, 9)
    expect(app.locator("[data-ref=facts]")).to_contain_text("60 × 40 · 16-bit grey")
    app.keyboard.press("w")
    expect(app.get_by_role("slider", name="Window")).to_have_attribute("aria-valuetext", "2,399")
    app.locator("[data-ref=stage]").hover()
    expect(app.locator("[data-ref=probe]")).to_have_text(re.compile(r"^x \d+, y \d+: [567]\d{3}$"))
    x, y, value = map(int, re.findall(r"\d+", app.locator("[data-ref=probe]").inner_text()))
    assert value == SCAN[y, x, 0]


def test_a_film_passes_over_a_broken_file(app: Page) -> None:
    app.get_by_label("Film speed").select_option("10/s")
    app.locator("[data-ref=stage]").focus()
    app.keyboard.press("Space")
    stands_at(app, COUNT)
    expect(app.get_by_role("button", name="Play as a film")).to_be_visible()


SLICE = (np.arange(40 * 60).reshape(40, 60) % 4096).astype(np.uint16)
WINDOWS = {"RescaleSlope": 1, "RescaleIntercept": -1024, "WindowCenter": [40, 3], "WindowWidth": [401, 9]}


@pytest.fixture
def scan(page: Page, app_server: str) -> Page:
    """The viewer with two slices of a scan, files whose names say nothing, the second with low values white."""
    names = {"IM1": "MONOCHROME2", "IM2": "MONOCHROME1"}
    files = {name: dicom(SLICE, PhotometricInterpretation=kind, **WINDOWS) for name, kind in names.items()}
    page.goto(app_server)
    page.locator("input[type=file]").set_input_files(
        {"name": "scan.zip", "mimeType": "application/zip", "buffer": zip_bytes(files)}
    )
    expect(page.locator("[data-ref=canvas]")).to_have_attribute("data-painted", "sharp")
    page.locator("[data-ref=stage]").focus()
    return page


def test_a_scan_has_its_units_and_the_windows_that_doctors_use_on_keys(scan: Page) -> None:
    level, width = (scan.get_by_role("slider", name=name) for name in ("Level", "Window"))
    percent = scan.get_by_label("Zoom in percent")
    scan.keyboard.press("1")
    expect(percent).to_have_value("100%")
    scan.keyboard.press("0")
    expect(percent).not_to_have_value("100%")
    scan.keyboard.press("w")
    expect(level).to_have_attribute("aria-valuetext", "40")
    expect(width).to_have_attribute("aria-valuetext", "400")
    windows = scan.get_by_role("group", name="Windows to choose from").get_by_role("button")
    expect(windows).to_have_text(["1 File", "2 File 2", "3 Soft tissue", "4 Lung", "5 Bone", "6 Brain", "7 Liver"])
    expect(windows.nth(0)).to_have_attribute("aria-pressed", "true")
    zoom = percent.input_value()
    scan.keyboard.press("4")
    expect(level).to_have_attribute("aria-valuetext", "-600")
    expect(width).to_have_attribute("aria-valuetext", "1,500")
    expect(windows.nth(3)).to_have_attribute("aria-pressed", "true")
    assert percent.input_value() == zoom, "the key does not mean two things"
    scan.keyboard.press("ArrowRight")
    expect(scan.locator("[data-ref=canvas]")).to_have_attribute("data-index", "1")
    expect(level).to_have_attribute("aria-valuetext", "-600")
    scan.keyboard.press("1")
    expect(level).to_have_attribute("aria-valuetext", "40")
    scan.locator("[data-ref=stage]").hover()
    expect(scan.locator("[data-ref=probe]")).to_have_text(re.compile(r"^x \d+, y \d+: -?\d+ HU$"))
