"""The viewer and the gallery in a real browser: what is on screen after keys, clicks and touches."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.e2e.component_app import colour
from tests.e2e.server import streamlit_server
from tests.e2e.viewer import PHONE, SETTLE_MS, WHITE, Viewer, close, touch
from tests.helpers import wait_until

pytestmark = pytest.mark.browser


def test_first_image_its_name_facts_and_position(viewer: Viewer) -> None:
    viewer.shows(1)
    expect(viewer.page.locator("[data-ref=name]")).to_have_text("series é/frame_00001.png")
    expect(viewer.page.locator("[data-ref=facts]")).to_have_text("500 × 375 · 8-bit RGB · 345 kB")
    expect(viewer.position).to_have_text("1 / 40")
    expect(viewer.page.get_by_role("img", name="series é/frame_00001.png").first).to_be_visible()
    expect(viewer.page.get_by_role("button", name="Previous image")).to_be_disabled()


def test_keys_and_controls_move_through_the_stack(viewer: Viewer) -> None:
    keys = [
        ("ArrowRight", 2), ("ArrowRight", 3), ("ArrowLeft", 2), ("PageDown", 12), ("PageUp", 2), ("End", 40),
        ("ArrowRight", 40), ("PageUp", 30), ("Home", 1), ("ArrowLeft", 1),
    ]  # fmt: skip
    for key, number in keys:
        viewer.press(key)
        viewer.shows(number)
    viewer.page.get_by_role("button", name="Next image").click()
    viewer.shows(2)
    viewer.page.get_by_role("button", name="Previous image").click()
    viewer.shows(1)
    slider = viewer.page.get_by_label("Position in the stack").get_by_role("slider")
    slider.fill("21")
    viewer.shows(21)
    slider.press("ArrowRight")
    viewer.shows(22)


def test_python_hears_of_a_burst_of_keys_once(viewer: Viewer) -> None:
    runs = viewer.python()[2]
    # In one go, so that no machine is too slow to make it a burst.
    viewer.stage.evaluate(
        """(stage) => {
          const key = { key: "ArrowRight", bubbles: true, composed: true, cancelable: true };
          for (let count = 0; count < 20; count += 1) stage.dispatchEvent(new KeyboardEvent("keydown", key));
        }"""
    )
    viewer.shows(21)
    viewer.told(21, 0)
    viewer.page.wait_for_timeout(SETTLE_MS)
    assert viewer.python() == (21, 0, runs + 1), "more than one rerun for a burst, or reruns that go on"


def test_keys_are_left_alone_while_typing(viewer: Viewer) -> None:
    runs = viewer.python()[2]
    for field in (viewer.page.get_by_label("A field of the page"), viewer.page.get_by_label("Filter by name")):
        field.click()
        field.press_sequentially("cxrai1")
        field.press("ArrowLeft")
        expect(field).to_have_value("cxrai1")
    viewer.page.get_by_label("Filter by name").fill("")
    viewer.shows(1)
    assert viewer.corner() == "top left"
    expect(viewer.count).to_have_text("0 of 40 selected")
    viewer.page.wait_for_timeout(SETTLE_MS)
    assert viewer.python()[2] <= runs + 1, "a letter typed in a component reran the app"  # the page's own field may
    expect(viewer.page.get_by_role("dialog")).to_have_count(0)


def test_rotating_and_flipping(viewer: Viewer) -> None:
    viewer.press("End")
    for keys, corner in [
        ("r", "top right"), ("rr", "bottom right"), ("l", "bottom left"), ("h", "top right"), ("v", "bottom left"),
        ("hv", "bottom right"), ("rh", "top left"), ("rl", "top left"), ("rrrr", "top left"),
    ]:  # fmt: skip
        viewer.press(*keys)
        assert viewer.corner() == corner, keys
        viewer.press("ArrowLeft")
        assert viewer.corner() == corner, "the orientation was lost on the way to the next image"
        reset = viewer.page.get_by_role("button", name="Reset")
        if reset.is_enabled():
            reset.click()
            viewer.stage.focus()
        assert viewer.corner() == "top left"
    buttons = {"Rotate left": "bottom left", "Rotate right": "top left", "Flip horizontally": "top right"}
    for button, corner in buttons.items():
        viewer.page.get_by_role("button", name=button).click()
        assert viewer.corner() == corner


def test_letters_do_not_rerun_the_app(viewer: Viewer) -> None:
    runs = viewer.python()[2]
    viewer.press(*"rlrc")
    viewer.stage.focus()
    viewer.press(*"rlrc")
    viewer.page.wait_for_timeout(SETTLE_MS)
    assert viewer.python()[2] == runs
    expect(viewer.page.get_by_role("dialog")).to_have_count(0)
    viewer.page.get_by_role("button", name="Go to 20 in Python").focus()
    viewer.press("ArrowRight")
    viewer.shows(2)  # arrows, of which a button makes no use, still move
    viewer.press("ArrowLeft")
    viewer.told(1, 0)
    runs = viewer.python()[2]
    viewer.page.get_by_role("button", name="Go to 20 in Python").focus()
    viewer.press("r")  # elsewhere Streamlit's own shortcut works as ever
    expect(viewer.page.get_by_text(f"run {runs + 1}")).to_be_visible()
    viewer.press("c")
    expect(viewer.page.get_by_role("dialog")).to_be_visible()


def test_zoom_by_keys_buttons_slider_and_typing(viewer: Viewer) -> None:
    fitted = viewer.percent.input_value()
    viewer.press("1")
    expect(viewer.percent).to_have_value("100%")
    expect(viewer.page.get_by_role("button", name="Fit")).to_have_attribute("aria-pressed", "false")
    viewer.press("+")
    expect(viewer.percent).to_have_value("125%")
    viewer.press("-")
    expect(viewer.percent).to_have_value("100%")
    viewer.press("ArrowRight")
    expect(viewer.percent).to_have_value("100%")
    viewer.percent.fill("500")
    viewer.percent.press("Enter")
    expect(viewer.percent).to_have_value("500%")
    viewer.percent.fill("nonsense")
    viewer.percent.press("Enter")
    expect(viewer.percent).to_have_value("500%")
    viewer.page.get_by_role("slider", name="Zoom").fill("-2")
    expect(viewer.percent).to_have_value("25%")
    viewer.page.get_by_role("button", name="Fit").click()
    expect(viewer.percent).to_have_value(fitted)


def test_wheel_zooms_at_the_pointer_and_a_drag_pans(viewer: Viewer) -> None:
    box = viewer.stage.bounding_box()
    assert box
    shot = viewer.screenshot()
    row = [close(shot.getpixel((x, 10)), WHITE) for x in range(shot.width)]
    column = [close(shot.getpixel((row.index(True) + 3, y)), WHITE) for y in range(shot.height)]
    edge_x = len(row) - 1 - row[::-1].index(True)
    edge_y = len(column) - 1 - column[::-1].index(True)

    def around(x: float, y: float) -> tuple[bool, bool]:
        found = viewer.screenshot()
        return close(found.getpixel((round(x) - 6, round(y) - 6)), WHITE), close(
            found.getpixel((round(x) + 6, round(y) + 6)), WHITE
        )

    viewer.page.mouse.move(box["x"] + edge_x, box["y"] + edge_y)
    for _ in range(4):
        viewer.page.mouse.wheel(0, -200)
    expect(viewer.percent).not_to_have_value("111%")
    assert around(edge_x, edge_y) == (True, False), "the point under the pointer moved"

    viewer.page.mouse.move(box["x"] + 300, box["y"] + 200)
    viewer.page.mouse.down()
    viewer.page.mouse.move(box["x"] + 380, box["y"] + 230, steps=4)
    viewer.page.mouse.up()
    assert around(edge_x + 80, edge_y + 30) == (True, False)
    viewer.shows(1)

    viewer.press("0")
    viewer.stage.dblclick(position={"x": 640, "y": 200})
    assert viewer.percent.input_value() != "111%"


def test_high_zoom_shows_single_pixels(viewer: Viewer) -> None:
    viewer.percent.fill("2000")
    viewer.percent.press("Enter")
    viewer.page.mouse.move(600, 500)
    box = viewer.stage.bounding_box()
    assert box
    viewer.page.mouse.move(box["x"] + 300, box["y"] + 200)
    for _ in range(12):  # pan to the top left corner of the image, where the white block is
        viewer.page.mouse.down()
        viewer.page.mouse.move(box["x"] + 1100, box["y"] + 500)
        viewer.page.mouse.up()
        viewer.page.mouse.move(box["x"] + 10, box["y"] + 10)
    assert close(viewer.pixel(0.5, 0.5), WHITE)
    for _ in range(2):
        viewer.page.mouse.move(box["x"] + 1100, box["y"] + 200)
        viewer.page.mouse.down()
        viewer.page.mouse.move(box["x"] + 100, box["y"] + 200)
        viewer.page.mouse.up()
    shot = viewer.screenshot()
    row = {shot.getpixel((x, 200)) for x in range(40, shot.width - 40)}
    assert all(close(found, WHITE) or close(found, colour(0)) for found in row), "pixels run into each other"


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


def test_a_broken_image_says_why_and_the_next_one_comes(viewer: Viewer) -> None:
    viewer.press(*["ArrowRight"] * 7)
    expect(viewer.page.get_by_text("The PNG ends too early.")).to_be_visible()
    assert not close(viewer.pixel(0.5, 0.9), colour(6)), "the image before is still on the canvas"
    expect(viewer.cell(8).locator(".broken")).to_be_visible()
    viewer.press("ArrowRight")
    viewer.shows(9)
    expect(viewer.page.get_by_text("The PNG ends too early.")).to_be_hidden()


def test_a_slow_image_shows_its_thumbnail_first(viewer: Viewer) -> None:
    session = viewer.page.context.new_cdp_session(viewer.page)
    session.send("Network.setCacheDisabled", {"cacheDisabled": True})  # other tests have looked at it
    held: list[Route] = []
    viewer.page.route("**/images/9/display*", lambda route: held.append(route))
    viewer.page.get_by_label("Position in the stack").get_by_role("slider").fill("10")
    expect(viewer.canvas).to_have_attribute("data-painted", "thumbnail")
    assert close(viewer.pixel(0.5, 0.5), colour(9))
    for route in held:
        route.continue_()
    viewer.shows(10)


def test_names_stay_text(viewer: Viewer) -> None:
    viewer.press(*["ArrowRight"] * 3)
    expect(viewer.page.locator("[data-ref=name]")).to_have_text("<img src=x onerror=alert(1)>.png")
    expect(viewer.page.locator("img[src=x]")).to_have_count(0)


def test_help_lists_the_keys_and_holds_them_back(viewer: Viewer) -> None:
    viewer.press("?")
    expect(viewer.page.get_by_role("heading", name="Keyboard shortcuts")).to_be_visible()
    viewer.press("ArrowRight", "x")
    viewer.press("Escape")
    expect(viewer.page.get_by_role("heading", name="Keyboard shortcuts")).to_be_hidden()
    viewer.shows(1)
    expect(viewer.count).to_have_text("0 of 40 selected")


def test_full_screen(viewer: Viewer) -> None:
    viewer.stage.focus()
    small = viewer.stage.bounding_box()
    viewer.press("f")
    expect(viewer.page.get_by_role("button", name="Full screen")).to_have_attribute("aria-pressed", "true")
    large = viewer.stage.bounding_box()
    assert small and large
    assert large["height"] > small["height"]
    viewer.press("ArrowRight")
    viewer.shows(2)
    viewer.press("f")
    expect(viewer.page.get_by_role("button", name="Full screen")).to_have_attribute("aria-pressed", "false")


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


@pytest.mark.parametrize("context_options", [PHONE], indirect=True)
def test_touch_on_a_phone(viewer: Viewer) -> None:
    page = viewer.page
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    for control in page.locator("[data-component] button:visible, [data-component] input:visible").all():
        box = control.bounding_box()
        assert box
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390
        if control.get_attribute("type") != "checkbox":
            assert box["height"] >= 44
    pick = viewer.cell(1).locator(".pick").bounding_box()
    assert pick and pick["width"] >= 44 <= pick["height"]

    touch(page, viewer.stage, [[(0.8, 0.5)], [(0.5, 0.5)], [(0.2, 0.5)]])
    viewer.shows(2)
    touch(page, viewer.stage, [[(0.2, 0.5)], [(0.5, 0.5)], [(0.8, 0.5)]])
    viewer.shows(1)
    fitted = viewer.percent.input_value()
    touch(page, viewer.stage, [[(0.45, 0.5), (0.55, 0.5)], [(0.35, 0.5), (0.65, 0.5)], [(0.25, 0.5), (0.75, 0.5)]])
    # The browser hands on the steps of a gesture one by one.
    wait_until(lambda: int(viewer.percent.input_value()[:-1]) > 3 * int(fitted[:-1]), "the zoom of the whole gesture")
    touch(page, viewer.stage, [[(0.8, 0.5)], [(0.5, 0.5)], [(0.2, 0.5)]])
    viewer.shows(1)  # enlarged, a finger pans
    viewer.cell(2).get_by_role("button").tap()
    viewer.shows(2)


@pytest.mark.parametrize("context_options", [PHONE], indirect=True)
def test_a_tap_counts_however_soon_after_a_swipe(viewer: Viewer) -> None:
    """Chromium takes a swipe for the beginning of a scroll, and the next tap for the end of it, unless it is told."""
    for _ in range(8):
        touch(viewer.page, viewer.stage, [[(0.8, 0.5)], [(0.5, 0.5)], [(0.2, 0.5)]])
        viewer.cell(1).get_by_role("button").tap()
        expect(viewer.position).to_have_text("1 / 40")
    viewer.selects()


@pytest.mark.parametrize("context_options", [PHONE], indirect=True)
def test_a_finger_that_moves_up_on_the_stage_scrolls_the_page(viewer: Viewer) -> None:
    main = viewer.page.locator(".stMain")
    viewer.stage.scroll_into_view_if_needed()
    before = main.evaluate("(element) => element.scrollTop")
    touch(viewer.page, viewer.stage, [[(0.5, 0.8)], [(0.5, 0.5)], [(0.5, 0.2)]])
    wait_until(lambda: main.evaluate("(element) => element.scrollTop") > before, "the page to scroll")
    viewer.shows(1)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_legible_in_either_theme(browser: Browser, component_server: str, scheme: Any) -> None:
    context = browser.new_context(color_scheme=scheme, viewport={"width": 1280, "height": 900})
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
