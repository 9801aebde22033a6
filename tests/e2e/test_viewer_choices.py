"""What a person makes of the viewer: an image in two windows side by side, and keys of their own."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.e2e.component_app import colour
from tests.e2e.viewer import Viewer, close

pytestmark = pytest.mark.browser


def inverted(rgb: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(255 - part for part in rgb)


def test_the_same_image_stands_in_two_windows(viewer: Viewer) -> None:
    page = viewer.page
    viewer.press("w")
    page.get_by_role("button", name="Invert brightness").click()
    viewer.paints(inverted(colour(0)))
    viewer.stage.focus()
    viewer.press("b")
    page.get_by_role("button", name="Reset window and level").click()
    viewer.paints(viewer.pixel(0.5, 0.5))
    assert close(viewer.pixel(0.25, 0.5), colour(0)), "the one on show has another window now"
    assert close(viewer.pixel(0.75, 0.5), inverted(colour(0))), "the one beside it stays as it was"
    viewer.stage.focus()
    viewer.press("ArrowRight")
    expect(viewer.canvas).to_have_attribute("data-index", "1")
    expect(viewer.canvas).to_have_attribute("data-painted", "sharp")
    assert close(viewer.pixel(0.25, 0.5), colour(1))
    assert close(viewer.pixel(0.75, 0.5), inverted(colour(0)))


def test_a_letter_of_the_list_of_keys_gets_another_key(viewer: Viewer) -> None:
    page = viewer.page
    panel = page.get_by_role("group", name="Window and level")
    viewer.press("?")
    page.get_by_role("button", name="w: Window and level").click()
    viewer.press("1")
    expect(page.get_by_text("Only letters and signs can be chosen.")).to_be_visible()
    page.get_by_role("button", name="w: Window and level").click()
    viewer.press("m")
    expect(page.get_by_role("button", name="m: Window and level")).to_be_visible()
    expect(page.get_by_role("button", name="w: Where the network looked")).to_be_visible()
    viewer.press("Escape")
    viewer.stage.focus()
    viewer.press("w")
    expect(panel).to_be_hidden()
    viewer.press("m")
    expect(panel).to_be_visible()

    page.reload()
    expect(viewer.canvas).to_have_attribute("data-painted", "sharp")
    viewer.stage.focus()
    viewer.press("m")
    expect(panel).to_be_visible()
    viewer.press("?")
    page.get_by_role("button", name="The usual keys").click()
    expect(page.get_by_role("button", name="w: Window and level")).to_be_visible()
    viewer.press("Escape")
    viewer.stage.focus()
    viewer.press("m")
    expect(panel).to_be_visible()
    viewer.press("w")
    expect(panel).to_be_hidden()
