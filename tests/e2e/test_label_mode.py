"""Labelling on the viewer page in a real browser: by keys, by mouse, by likeness, and on a phone."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.teach import EACH, FILES, Teach, begun
from tests.e2e.viewer import PHONE

pytestmark = pytest.mark.browser


@pytest.fixture
def labelling(page: Page, app_server: str) -> Teach:
    """The viewer page with stripes open, two classes named, and Label mode on."""
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto(app_server)
    found = Teach(page)
    found.open(FILES)
    found.switch()
    found.add("lying", "upright")
    return found


def test_in_the_viewer_every_key_press_is_a_label(labelling: Teach) -> None:
    """However slow the machine: 24 presses and nothing else label 24 images, so nobody waits for the page."""
    page = labelling.page
    labelling.choose(1)
    page.locator("[data-ref=stage]").focus()
    labelling.press(*["1"] * EACH, *["2"] * EACH)
    labelling.counts(lying=EACH, upright=EACH)
    for number, kind in ((1, "lying"), (EACH, "lying"), (EACH + 1, "upright"), (2 * EACH, "upright")):
        page.get_by_role("slider", name="Position in the stack").fill(str(number))
        labelling.label(number, kind)
        expect(page.locator("[data-ref=answers]")).to_contain_text("your label")
    page.locator("[data-ref=stage]").focus()
    labelling.press(*["Control+z"] * 3)
    labelling.counts(lying=EACH, upright=EACH - 3)
    labelling.press("Control+Shift+z")
    labelling.counts(lying=EACH, upright=EACH - 2)
    labelling.go("Teach")
    labelling.counts(lying=EACH, upright=EACH - 2)


def test_in_the_viewer_by_mouse_by_likeness_and_back_to_answers(labelling: Teach) -> None:
    page = labelling.page
    begun(labelling)
    labelling.choose(3)
    labelling.chip("lying").click()
    labelling.label(3, "lying")
    labelling.choose(16)
    page.get_by_label("Give a class").select_option("upright")
    labelling.counts(lying=3, upright=3)
    labelling.choose(5)
    page.get_by_role("button", name="Like this one").click()
    expect(page.locator("output[data-ref=target]")).to_have_text("13 selected images")
    expect(page.locator(".cell[data-index='2'] input")).not_to_be_checked()
    page.get_by_role("button", name="None", exact=True).click()
    labelling.press("s")
    expect(page.locator("output[data-ref=target]")).to_have_text("13 selected images")
    labelling.press("1")
    labelling.counts(lying=16, upright=3)
    labelling.switch()
    expect(page.get_by_role("button", name="All (24)")).to_be_visible()
    expect(page.locator(".cell[data-kind]")).to_have_count(0)
    page.locator("[data-ref=stage]").focus()
    labelling.press("1")  # actual size again, and no label
    expect(page.get_by_label("Zoom in percent")).to_have_value("100%")
    labelling.switch()
    labelling.counts(lying=16, upright=3)


@pytest.mark.parametrize(
    "context_options", [PHONE, PHONE | {"viewport": {"width": 320, "height": 568}}], indirect=True, ids=["390", "320"]
)
def test_on_a_phone_the_classes_stay_in_reach(labelling: Teach) -> None:
    """Wherever the page is scrolled to, their buttons are on screen, large enough for a finger, and uncovered."""
    page = labelling.page
    size = page.viewport_size
    assert size
    for scrolled in (0, 300, 100_000):
        page.get_by_test_id("stMain").evaluate("(main, top) => main.scrollTo(0, top)", scrolled)
        for button in (labelling.chip("lying"), labelling.chip("upright"), page.get_by_role("button", name="Undo")):
            box = button.bounding_box()
            assert box
            assert min(box["width"], box["height"]) >= 44
            assert box["y"] + box["height"] <= size["height"]
            button.tap(trial=True, position={"x": 10, "y": 10})
    expect(page.locator("p[data-ref=note]")).to_have_text("")  # all images were looked at
    last = page.get_by_text("How images are shown and recognised").bounding_box()
    bar = page.locator("[data-ref=labelling]").bounding_box()
    assert last
    assert bar
    assert last["y"] + last["height"] <= bar["y"], "the end of the page is above them"
    assert bar["height"] <= 120, "and they leave room for the images"
    page.get_by_test_id("stMain").evaluate("(main) => main.scrollTo(0, 300)")
    labelling.chip("lying").tap()
    labelling.counts(lying=1, upright=0)
    expect(page.locator("[data-ref=position]")).to_have_text("2 / 24")
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
