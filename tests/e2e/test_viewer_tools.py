"""The viewer's tools in a real browser: window and level, the value under the pointer, the film, the link."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.component_app import DEEP, HEIGHT, WIDTH, colour
from tests.e2e.viewer import PHONE, SETTLE_MS, WHITE, Viewer, close, touch

pytestmark = pytest.mark.browser

DEEP_NUMBER = DEEP + 1
DEEP_RANGE = (1000, 1000 + WIDTH - 1)


class Tools:
    """The controls of window and level."""

    def __init__(self, page: Page) -> None:
        self.level = page.get_by_role("slider", name="Level")
        self.width = page.get_by_role("slider", name="Window")
        self.auto = page.get_by_role("button", name="Auto")
        self.invert = page.get_by_role("button", name="Invert brightness")
        self.reset = page.get_by_role("button", name="Reset window and level")


@pytest.fixture
def tools(viewer: Viewer) -> Tools:
    viewer.press("w")
    tools = Tools(viewer.page)
    expect(tools.level).to_be_enabled()
    return tools


def go(viewer: Viewer, number: int) -> None:
    viewer.page.get_by_label("Position in the stack").get_by_role("slider").fill(str(number))
    expect(viewer.canvas).to_have_attribute("data-index", str(number - 1))
    expect(viewer.canvas).to_have_attribute("data-painted", "sharp")
    viewer.stage.focus()


def grey(viewer: Viewer, value: int) -> int:
    """The brightness on screen of the column of the 16-bit image that has this value."""
    box = viewer.stage.bounding_box()
    assert box
    column = (value - DEEP_RANGE[0] + 0.5) / WIDTH
    fitted = box["height"] * WIDTH / HEIGHT / box["width"]
    found = viewer.pixel(0.5 + (column - 0.5) * fitted, 0.5)
    assert max(found) - min(found) <= 1
    return found[0]


def settles(tools: Tools, level: str, width: str) -> None:
    expect(tools.level).to_have_attribute("aria-valuetext", level)
    expect(tools.width).to_have_attribute("aria-valuetext", width)


def test_a_16_bit_image_is_windowed_by_its_true_values(viewer: Viewer, tools: Tools) -> None:
    go(viewer, DEEP_NUMBER)
    settles(tools, "1,250", "499")
    plain = [grey(viewer, value) for value in (1050, 1250, 1450)]
    tools.width.fill("100")
    tools.level.fill("1250")
    settles(tools, "1,250", "100")
    for value, expected in [(1150, 0), (1225, 64), (1250, 128), (1275, 191), (1350, 255)]:
        assert abs(grey(viewer, value) - expected) <= 4, value  # one column of the ramp is 2.55
    tools.invert.click()
    assert grey(viewer, 1150) == 255
    assert grey(viewer, 1350) == 0
    tools.reset.click()
    settles(tools, "1,250", "499")
    assert [grey(viewer, value) for value in (1050, 1250, 1450)] == plain
    expect(tools.reset).to_be_disabled()


def test_auto_leaves_out_the_few_outermost_values(viewer: Viewer, tools: Tools) -> None:
    go(viewer, DEEP_NUMBER)
    settles(tools, "1,250", "499")
    tools.auto.click()
    settles(tools, "1,250", "495")


def test_any_image_is_windowed_and_the_window_stays_while_moving(viewer: Viewer, tools: Tools) -> None:
    settles(tools, "128", "255")
    red, green, blue = colour(0)
    tools.invert.click()
    viewer.stage.focus()
    viewer.paints((255 - red, 255 - green, 255 - blue))
    viewer.press("ArrowRight")
    expect(viewer.canvas).to_have_attribute("data-index", "1")
    inverted = tuple(255 - value for value in colour(1))
    expect(viewer.page.get_by_role("button", name="Window and level", exact=True)).to_have_attribute(
        "aria-pressed", "true"
    )
    viewer.paints(inverted)
    viewer.press("w")
    expect(tools.level).to_be_hidden()
    assert close(viewer.pixel(0.5, 0.5), inverted), "closing the tools changed the image"


def test_sliders_keep_their_arrow_keys(viewer: Viewer, tools: Tools) -> None:
    go(viewer, DEEP_NUMBER)
    settles(tools, "1,250", "499")
    tools.level.focus()
    viewer.press("ArrowRight", "ArrowRight", "Home")
    settles(tools, "1,000", "499")
    expect(viewer.position).to_have_text(f"{DEEP_NUMBER} / 40")


def test_the_value_under_the_pointer(viewer: Viewer) -> None:
    probe = viewer.page.locator("[data-ref=probe]")
    box = viewer.stage.bounding_box()
    assert box
    scale = (box["height"] - 2) / HEIGHT  # within the border
    left, top = box["x"] + box["width"] / 2 - WIDTH * scale / 2, box["y"] + 1

    def point(x: int, y: int) -> None:
        viewer.page.mouse.move(left + (x + 0.5) * scale, top + (y + 0.5) * scale)

    point(300, 200)
    expect(probe).to_have_text("x 300, y 200: RGB {} {} {}".format(*colour(0)))
    point(3, 3)
    expect(probe).to_have_text("x 3, y 3: RGB 255 255 255")
    viewer.press("r")  # turned to the right, its lower left corner lies at the upper left
    expect(probe).not_to_have_text("x 3, y 3: RGB 255 255 255")
    viewer.press("l")
    viewer.page.mouse.move(box["x"] + 2, box["y"] + 2)
    expect(probe).to_be_hidden()
    go(viewer, DEEP_NUMBER)
    point(123, 45)
    expect(probe).to_have_text("x 123, y 45: 1123")
    viewer.page.mouse.move(0, 0)
    expect(probe).to_be_hidden()


def test_nobody_asks_for_values_that_nobody_looks_at(page: Page, component_server: str) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if request.url.endswith("/values") else None)
    page.goto(component_server)
    viewer = Viewer(page)
    viewer.press(*["ArrowRight"] * 5)
    viewer.shows(6)
    assert asked == []


def test_an_image_is_kept_beside_the_others_in_the_same_view(viewer: Viewer) -> None:
    viewer.press("b", "ArrowRight", "ArrowRight")
    expect(viewer.page.get_by_role("button", name="Keep beside")).to_have_attribute("aria-pressed", "true")
    expect(viewer.page.locator("[data-ref=besideName]")).to_have_text("1: series é/frame_00001.png")
    expect(viewer.canvas).to_have_attribute("data-index", "2")
    expect(viewer.canvas).to_have_attribute("data-painted", "sharp")
    assert close(viewer.pixel(0.25, 0.5), colour(2))
    assert close(viewer.pixel(0.75, 0.5), colour(0))
    viewer.press("h")  # both are mirrored: the white block is at the upper right of each
    box = viewer.stage.bounding_box()
    assert box
    scale = min(box["width"] / 2 / WIDTH, box["height"] / HEIGHT)
    for pane, number in ((0, 2), (1, 0)):
        middle = 0.25 + pane / 2
        right, left = (middle + side * 0.4 * scale * WIDTH / box["width"] for side in (1, -1))
        top = 0.5 - 0.4 * scale * HEIGHT / box["height"]
        assert close(viewer.pixel(right, top), WHITE), pane
        assert close(viewer.pixel(left, top), colour(number)), pane
    viewer.press("h", "b")
    viewer.shows(3)
    viewer.press("ArrowLeft")
    viewer.shows(2)


@pytest.fixture
def speed(viewer: Viewer) -> Locator:
    speed = viewer.page.get_by_label("Film speed")
    speed.select_option("25/s")
    viewer.stage.focus()
    return speed


def test_space_plays_a_film_that_a_broken_image_does_not_stop(viewer: Viewer, speed: Locator) -> None:
    runs = viewer.python()[2]
    viewer.press("Space")
    expect(viewer.page.get_by_role("button", name="Pause")).to_be_visible()
    # Past the broken one and the slow one; the page itself looks, as nobody else is quick enough for a film.
    viewer.stage.evaluate(
        """(stage) => new Promise((paused) => {
          const position = stage.getRootNode().querySelector("[data-ref=position]");
          const observer = new MutationObserver(() => {
            if (parseInt(position.textContent, 10) < 15) return;
            observer.disconnect();
            const key = { key: " ", code: "Space", bubbles: true, composed: true, cancelable: true };
            paused(stage.dispatchEvent(new KeyboardEvent("keydown", key)));
          });
          observer.observe(position, { childList: true, characterData: true, subtree: true });
        })"""
    )
    expect(viewer.page.get_by_role("button", name="Play as a film")).to_be_visible()
    paused = viewer.position.inner_text()
    number = int(paused.split(" / ")[0])
    assert 15 <= number < 40
    viewer.told(number, 0)
    viewer.page.wait_for_timeout(SETTLE_MS)
    assert viewer.position.inner_text() == paused, "the film went on"
    assert viewer.python()[2] == runs + 1, "Python was told of images of the film"


def test_a_film_ends_at_the_last_image_and_starts_over(viewer: Viewer, speed: Locator) -> None:
    go(viewer, 38)
    viewer.page.get_by_role("button", name="Play as a film").click()
    viewer.shows(40)
    expect(viewer.page.get_by_role("button", name="Play as a film")).to_be_visible()
    viewer.stage.focus()
    viewer.press("Space")
    expect(viewer.position).to_have_text(re.compile(r"^[2-9] / 40"))


def test_the_speed_is_remembered_and_letters_typed_into_it_do_nothing(viewer: Viewer, speed: Locator) -> None:
    speed.focus()
    viewer.press("r", "x")
    assert viewer.corner() == "top left"
    expect(viewer.count).to_have_text("0 of 40 selected")
    viewer.page.reload()
    expect(viewer.page.get_by_label("Film speed")).to_have_value("25")


def test_space_on_a_button_presses_it(viewer: Viewer) -> None:
    viewer.page.get_by_role("button", name="Next image").focus()
    viewer.press("Space")
    viewer.shows(2)
    expect(viewer.page.get_by_role("button", name="Play as a film")).to_be_visible()


def test_the_view_is_kept_while_moving_or_not_as_one_likes(viewer: Viewer) -> None:
    keep = viewer.page.get_by_label("Keep zoom, rotation and window while moving")
    expect(keep).to_be_checked()
    fitted = viewer.percent.input_value()
    viewer.press("r", "1", "ArrowRight")
    expect(viewer.percent).to_have_value("100%")
    keep.uncheck()
    viewer.stage.focus()
    expect(viewer.percent).to_have_value("100%")
    viewer.press("ArrowRight")
    expect(viewer.percent).to_have_value(fitted)
    assert viewer.corner() == "top left"
    viewer.page.reload()
    expect(keep).not_to_be_checked()


def test_the_page_says_that_the_model_never_sees_it(viewer: Viewer) -> None:
    expect(viewer.page.get_by_text("the model always gets the image as it is in the file")).to_be_visible()


def test_the_address_follows_without_reruns_and_without_history(viewer: Viewer) -> None:
    length = viewer.page.evaluate("history.length")
    viewer.press(*["ArrowRight"] * 4)
    viewer.told(5, 0)
    expect(viewer.page).to_have_url(re.compile(r"\?stack=tag-40&image=5$"))
    assert viewer.page.evaluate("history.length") == length


@pytest.mark.parametrize(
    ("query", "number"),
    [
        ("stack=tag-40&image=12", 12),
        ("stack=tag-41&image=12", 1),
        ("stack=stack-40&image=12", 1),  # the id is no tag
        ("image=12", 1),
        ("stack=tag-40&image=0", 1),
        ("stack=tag-40&image=41", 1),
        ("stack=tag-40&image=x", 1),
    ],
)
def test_a_link_opens_its_image_in_its_own_stack_only(
    page: Page, component_server: str, query: str, number: int
) -> None:
    page.goto(f"{component_server}/?{query}")
    viewer = Viewer(page)
    viewer.shows(number)
    viewer.told(number, 0)


@pytest.mark.parametrize("context_options", [PHONE], indirect=True)
def test_a_long_press_selects_and_a_swipe_does_not(viewer: Viewer) -> None:
    page = viewer.page
    viewer.stage.tap(trial=True)
    box = viewer.stage.bounding_box()
    assert box
    session = page.context.new_cdp_session(page)
    point = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
    session.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [point]})
    expect(page.locator("[data-ref=chosen]")).to_be_visible()
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    viewer.shows(1)
    touch(page, viewer.stage, [[(0.8, 0.5)], [(0.5, 0.5)], [(0.2, 0.5)]])
    viewer.shows(2)
    viewer.told(2, 1)


def test_help_lists_every_key(viewer: Viewer) -> None:
    viewer.press("?")
    dialog = viewer.page.locator("dialog")
    found = set(dialog.locator("kbd").all_inner_texts())
    assert found >= {
        "←", "→", "Page Up", "Page Down", "Home", "End", "+", "-", "0", "1", "l", "r", "h", "v", "x", "a", "i", "w",
        "f", "Space", "?",
    }  # fmt: skip
