"""Where the network looked, over the image in a real browser; at the end with the real network."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.component_app import HEIGHT, WIDTH, colour
from tests.e2e.viewer import PHONE, Viewer, close, touch

pytestmark = pytest.mark.browser

LOW, HIGH = (0, 34, 78), (254, 232, 56)
DIMMED = 0.4


def mixed(image: tuple[int, ...], over: tuple[int, ...], opacity: float = 0.5) -> tuple[int, ...]:
    return tuple(round(a * (1 - opacity) + b * opacity) for a, b in zip(image, over, strict=True))


@pytest.fixture
def recognised(viewer: Viewer) -> Viewer:
    """Image 1, named by two engines."""
    viewer.page.get_by_text("Results").click()
    expect(viewer.page.locator(".answer").first).to_be_visible()
    viewer.stage.focus()
    return viewer


def at(viewer: Viewer, x: float, y: float, pane: int = 0, panes: int = 1) -> tuple[int, ...]:
    """The colour on screen at a fraction of the fitted image in a pane."""
    box = viewer.stage.bounding_box()
    assert box
    width = box["width"] / panes
    scale = min(width / WIDTH, box["height"] / HEIGHT)
    left = pane * width + (width - scale * WIDTH) / 2
    top = (box["height"] - scale * HEIGHT) / 2
    return viewer.pixel((left + x * scale * WIDTH) / box["width"], (top + y * scale * HEIGHT) / box["height"])


def test_one_key_lays_both_maps_over_the_image_and_takes_them_away(recognised: Viewer) -> None:
    viewer, page = recognised, recognised.page
    plain = at(viewer, 0.5, 0.75)
    viewer.press("m")
    expect(viewer.stage).to_have_attribute("data-maps", "2")
    button = page.get_by_role("button", name="Where it looked")
    expect(button).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_text("OpenVINO INT8: cat 75.0%")).to_be_visible()
    expect(page.get_by_text("PyTorch FP32: cat 75.0%")).to_be_visible()
    image = colour(0)
    for pane, (left, right) in enumerate([(LOW, HIGH), (HIGH, LOW)]):
        assert close(at(viewer, 0.25, 0.75, pane, 2), mixed(image, left)), pane
        assert close(at(viewer, 0.75, 0.75, pane, 2), mixed(image, right)), pane
        assert close(at(viewer, 0.05, 0.75, pane, 2), [DIMMED * part for part in image]), "what the model does not see"
        assert close(at(viewer, 0.95, 0.75, pane, 2), [DIMMED * part for part in image]), "what the model does not see"
    viewer.press("m")
    expect(button).to_have_attribute("aria-pressed", "false")
    expect(viewer.stage).not_to_have_attribute("data-maps", "2")
    viewer.paints(plain)


def test_one_engine_another_class_and_the_opacity(recognised: Viewer) -> None:
    viewer, page = recognised, recognised.page
    page.get_by_role("button", name="Where it looked").click()
    expect(viewer.stage).to_have_attribute("data-maps", "2")
    page.get_by_label("Engine of the map").select_option("PyTorch FP32")
    expect(viewer.stage).to_have_attribute("data-maps", "1")
    assert close(at(viewer, 0.25, 0.75), mixed(colour(0), HIGH))
    page.get_by_label("Opacity of the map").fill("100")
    assert close(at(viewer, 0.25, 0.75), HIGH)
    page.get_by_label("Class of the map").select_option("dog")
    expect(page.get_by_text("PyTorch FP32: dog 75.0%")).to_be_visible()
    assert close(at(viewer, 0.25, 0.75), LOW), "one value alone"
    viewer.stage.focus()
    viewer.press("ArrowRight", "ArrowRight")
    expect(page.get_by_text("This model gives no maps.")).to_be_visible()
    assert close(at(viewer, 0.25, 0.75), colour(2)), "no map of another image"
    viewer.press("ArrowRight")
    expect(page.get_by_text("Run inference on this image first")).to_be_visible()


def test_the_map_turns_and_grows_with_the_image(recognised: Viewer) -> None:
    viewer, page = recognised, recognised.page
    viewer.press("m")
    page.get_by_label("Engine of the map").select_option("OpenVINO INT8")
    expect(viewer.stage).to_have_attribute("data-maps", "1")
    viewer.press("h")
    viewer.paints(viewer.pixel(0.5, 0.5))
    assert close(at(viewer, 0.25, 0.25), mixed(colour(0), HIGH)), "mirrored"
    viewer.press("h", "1")
    expect(viewer.percent).to_have_value("100%")
    box = viewer.stage.bounding_box()
    assert box
    # One image pixel is one on screen: 100 to the right of the middle, the map's right half.
    assert close(viewer.pixel(0.5 + 100 / box["width"], 0.6), mixed(colour(0), HIGH))
    assert close(viewer.pixel(0.5 - 100 / box["width"], 0.6), mixed(colour(0), LOW))
    assert close(viewer.pixel(0.5 + 220 / box["width"], 0.6), [DIMMED * part for part in colour(0)])


@pytest.mark.parametrize("context_options", [PHONE], indirect=True)
def test_fingers_move_both_maps(recognised: Viewer) -> None:
    viewer, page = recognised, recognised.page
    page.get_by_role("button", name="Where it looked").tap()
    expect(viewer.stage).to_have_attribute("data-maps", "2")
    before = viewer.percent.input_value()
    touch(page, viewer.stage, [[(0.15, 0.5), (0.35, 0.5)], [(0.1, 0.5), (0.4, 0.5)], [(0.05, 0.5), (0.45, 0.5)]])
    expect(viewer.percent).not_to_have_value(before)
    left, right = (viewer.pixel(0.25 + pane / 2, 0.9) for pane in range(2))
    assert left != right, "each has its own map"
    touch(page, viewer.stage, [[(0.4, 0.5)], [(0.2, 0.5)]])
    expect(viewer.stage).to_have_attribute("data-maps", "2")


def test_a_stack_that_nobody_can_ask_about_has_no_maps(viewer: Viewer) -> None:
    viewer.stage.focus()
    viewer.press("m")
    expect(viewer.page.get_by_role("button", name="Where it looked")).to_have_count(0)
    expect(viewer.page.get_by_role("group", name="Where it looked")).to_have_count(0)


def test_the_real_network_looks_at_the_cat(page: Page, app_server: str) -> None:
    page.goto(app_server)
    page.get_by_role("button", name="Try a sample stack").click()
    expect(page.locator("[data-ref=canvas]")).to_have_attribute("data-painted", "sharp")
    page.get_by_text("Compare with PyTorch").click()
    page.get_by_role("button", name="Image 1", exact=True).click()  # both at once: the switch counts
    expect(page.locator(".answer").nth(1)).to_be_visible()
    page.locator("[data-ref=stage]").focus()
    with page.expect_response(lambda response: "engine=pytorch-fp32" in response.url) as asked:
        page.keyboard.press("m")
    assert asked.value.status == 200
    expect(page.locator("[data-ref=stage]")).to_have_attribute("data-maps", "2")
    expect(page.get_by_text("OpenVINO INT8: cat")).to_be_visible()
