"""The viewer and the gallery in a real browser: what is on screen after keys, clicks and touches."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.contexts import new_context
from tests.e2e.server import streamlit_server
from tests.e2e.viewer import SETTLE_MS, Viewer

pytestmark = pytest.mark.browser


def test_selecting_in_the_viewer(viewer: Viewer) -> None:
    viewer.press("x", "ArrowRight", "ArrowRight", "x")
    expect(viewer.count).to_have_text("2 of 40 selected")
    expect(viewer.page.locator("[data-ref=chosen]")).to_be_visible()
    viewer.selects(1, 3)
    viewer.told(3, 2)
    viewer.press("x")
    expect(viewer.page.locator("[data-ref=chosen]")).to_be_hidden()
    viewer.press("i")
    expect(viewer.count).to_have_text("39 of 40 selected")
    viewer.press("a")
    viewer.told(3, 40)
    viewer.page.get_by_role("button", name="None").click()
    viewer.told(3, 0)
    viewer.selects()


def test_selecting_in_the_gallery(viewer: Viewer) -> None:
    viewer.cell(2).get_by_role("checkbox").click()
    viewer.shows(1)
    viewer.selects(2)
    viewer.cell(5).get_by_role("checkbox").click(modifiers=["Shift"])
    viewer.selects(2, 3, 4, 5)
    viewer.cell(3).get_by_role("button").click(modifiers=["Control"])
    viewer.selects(2, 4, 5)
    viewer.shows(3)
    viewer.cell(7).get_by_role("button").click()
    viewer.selects(2, 4, 5)
    viewer.shows(7)
    viewer.cell(9).get_by_role("button").click(modifiers=["Shift"])
    viewer.selects(2, 4, 5, 7, 8, 9)
    viewer.told(9, 6)


def test_keys_in_the_gallery(viewer: Viewer) -> None:
    viewer.cell(1).get_by_role("button").click()
    columns = len({round(cell.bounding_box()["x"]) for cell in viewer.page.locator(".cell").all()})  # type: ignore[index]
    for key, number in [("ArrowRight", 2), ("ArrowDown", 2 + columns), ("ArrowUp", 2), ("ArrowUp", 2), ("End", 40)]:
        viewer.press(key)
        viewer.shows(number)
        expect(viewer.cell(number).get_by_role("button")).to_be_focused()
    viewer.press("Home", "Space", "ArrowRight", "Shift+ArrowRight", "Shift+ArrowRight")
    viewer.shows(4)
    viewer.selects(1, 2, 3, 4)
    viewer.press("r")
    assert viewer.corner() == "top right", "the viewer's keys work from the gallery too"


def test_gallery_and_viewer_stay_in_step(viewer: Viewer) -> None:
    expect(viewer.cell(1)).to_have_class(re.compile("current"))
    viewer.press("End")
    expect(viewer.cell(40)).to_be_visible()
    expect(viewer.cell(40).get_by_role("button")).to_have_attribute("aria-current", "true")
    expect(viewer.page.locator(".cell.current")).to_have_count(1)


def test_the_gallery_stays_where_a_person_scrolled_it(viewer: Viewer) -> None:
    scroller = viewer.page.locator("[data-ref=scroller]")
    scroller.evaluate("(element) => { element.scrollTop = 400; }")
    viewer.cell(30).get_by_role("checkbox").click()
    top = scroller.evaluate("(element) => element.scrollTop")
    viewer.told(1, 1)
    viewer.page.wait_for_timeout(SETTLE_MS)
    assert scroller.evaluate("(element) => element.scrollTop") == top > 0
    viewer.page.get_by_label("Thumbnail size").fill("200")
    expect(viewer.cell(22)).to_be_in_viewport()
    expect(viewer.cell(1)).not_to_be_in_viewport()


def test_filter_by_name(viewer: Viewer) -> None:
    field = viewer.page.get_by_label("Filter by name")
    field.fill("FRAME_0001")
    expect(viewer.page.locator(".cell")).to_have_count(10)
    viewer.page.get_by_role("button", name="All matching").click()
    expect(viewer.count).to_have_text("10 of 40 selected, 10 shown")
    viewer.selects(*range(10, 20))
    field.fill("no such name")
    expect(viewer.page.get_by_text("No image matches the filters.")).to_be_visible()
    field.fill("")
    expect(viewer.count).to_have_text("10 of 40 selected")
    viewer.shows(1)


def test_python_overrules_the_browser(viewer: Viewer) -> None:
    viewer.press("ArrowRight")
    viewer.told(2, 0)
    viewer.page.get_by_role("button", name="Select all in Python").click()
    expect(viewer.count).to_have_text("40 of 40 selected")
    viewer.page.get_by_role("button", name="Go to 20 in Python").click()
    viewer.shows(20)
    expect(viewer.count).to_have_text("40 of 40 selected")
    runs = viewer.python()[2]
    viewer.page.wait_for_timeout(SETTLE_MS)
    assert viewer.python() == (20, 40, runs), "the browser answered back"
    viewer.stage.focus()
    viewer.press("ArrowRight", "x")
    viewer.told(21, 39)


def test_results_are_shown_beside_the_images(viewer: Viewer) -> None:
    before = viewer.stage.bounding_box()
    viewer.press("x")
    viewer.page.get_by_text("Results").click()
    answers = viewer.page.locator("[data-ref=answers] .answer")
    expect(answers).to_have_text(["cat98.3%OpenVINO INT8 · starter", "cat91.0%PyTorch FP32 · starter · not calibrated"])
    expect(viewer.cell(1)).to_contain_text("cat98.3%")
    expect(viewer.cell(5)).to_contain_text("≠")
    expect(viewer.cell(3)).not_to_contain_text("≠")
    place = viewer.stage.bounding_box()
    viewer.stage.focus()
    viewer.press("ArrowRight")
    expect(answers).to_have_count(0)
    after = viewer.stage.bounding_box()
    assert before and place and after
    assert abs(place["y"] - before["y"]) < 0.5 and abs(after["y"] - before["y"]) < 0.5, "the stage jumped"
    expect(viewer.count).to_have_text("1 of 40 selected")
    viewer.page.get_by_text("Results").click()
    expect(viewer.cell(1)).not_to_contain_text("cat")


def test_names_stay_text(viewer: Viewer) -> None:
    viewer.press(*["ArrowRight"] * 3)
    expect(viewer.page.locator("[data-ref=name]")).to_have_text("<img src=x onerror=alert(1)>.png")
    expect(viewer.page.locator("img[src=x]")).to_have_count(0)


def test_position_and_selection_survive_a_change_of_page(viewer: Viewer) -> None:
    viewer.press("ArrowRight", "ArrowRight", "x")
    viewer.told(3, 1)
    viewer.page.get_by_role("link", name="Alone").click()
    expect(viewer.canvas).to_have_count(0)
    viewer.selects(3)
    viewer.cell(5).get_by_role("button").click(modifiers=["Control"])
    viewer.told(5, 2)
    viewer.press("ArrowRight", "x")
    viewer.told(6, 3)
    viewer.page.get_by_role("link", name="Browse").click()
    viewer.shows(6)
    viewer.selects(3, 5, 6)
    viewer.page.wait_for_timeout(SETTLE_MS)
    assert viewer.knows() == (6, 3)


def test_addresses_hold_on_a_page_with_a_path(page: Page, component_server: str) -> None:
    shows_thumbnails(page, f"{component_server}/alone")


def test_addresses_hold_under_a_base_path(page: Page) -> None:
    script = Path(__file__).with_name("component_app.py")
    with streamlit_server(script, base_path="/some/base") as address:
        shows_thumbnails(page, f"{address}/alone")
        page.goto(address)
        Viewer(page).shows(1)


def shows_thumbnails(page: Page, address: str) -> None:
    page.goto(address)
    thumbnail = page.locator(".cell img").first
    expect(thumbnail).to_have_class("ready")
    expect(page.get_by_text("frame_00002.png")).to_be_visible()


def test_ten_thousand_images(page: Page, component_server: str) -> None:
    page.goto(f"{component_server}/?count=10000")
    viewer = Viewer(page)
    assert page.locator(".cell").count() < 100
    viewer.press("End")
    viewer.shows(10_000)
    expect(viewer.cell(10_000)).to_be_visible()
    viewer.press("a", "x")
    viewer.told(10_000, 9_999)
    page.locator("[data-ref=scroller]").evaluate("(element) => { element.scrollTop = element.scrollHeight / 2; }")
    expect(viewer.cell(10_000)).not_to_be_attached()
    ready = page.locator(".cell:has(img.ready)")
    expect(ready.nth(5)).to_be_visible()
    assert 4_000 < int(ready.nth(5).get_attribute("data-index") or 0) < 6_000
    assert page.locator(".cell").count() < 100


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_legible_in_either_theme(browser: Browser, component_server: str, scheme: Any) -> None:
    context = new_context(browser, color_scheme=scheme, viewport={"width": 1280, "height": 900})
    try:
        page = context.new_page()
        page.goto(component_server)
        Viewer(page)
        contrast = """(component, part) => {
          const element = component.querySelector(part);  // only now: what is drawn again is another element
          const luminance = (colour) => {
            const context = new OffscreenCanvas(1, 1).getContext("2d");
            context.fillStyle = colour;
            context.fillRect(0, 0, 1, 1);
            const linear = [...context.getImageData(0, 0, 1, 1).data].slice(0, 3)
              .map((value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4));
            return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
          };
          const ground = getComputedStyle(component).backgroundColor;
          const pair = [luminance(getComputedStyle(element).color), luminance(ground)].sort((a, b) => b - a);
          return (pair[0] + 0.05) / (pair[1] + 0.05);
        }"""
        for part in (
            "[data-ref=name] .file",
            "[data-ref=name] .folder",
            "[data-ref=facts]",
            "[data-ref=count]",
            ".cell .file",
        ):
            component = page.locator("[data-component]").filter(has=page.locator(part)).first
            assert component.evaluate(contrast, part) >= 4.5, part  # WCAG 2.2, 1.4.3
    finally:
        context.close()
