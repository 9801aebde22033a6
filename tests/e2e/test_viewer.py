"""The stage in a real browser: moving, zooming, turning, and what an image shows that is slow or broken."""

from __future__ import annotations

import pytest
from playwright.sync_api import Route, expect

from tests.e2e.component_app import colour
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

    def hold(route: Route) -> None:
        held.append(route)

    viewer.page.route("**/images/9/display*", hold)
    viewer.page.get_by_label("Position in the stack").get_by_role("slider").fill("10")
    expect(viewer.canvas).to_have_attribute("data-painted", "thumbnail")
    assert close(viewer.pixel(0.5, 0.5), colour(9))
    for route in held:
        route.continue_()
    viewer.shows(10)


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
