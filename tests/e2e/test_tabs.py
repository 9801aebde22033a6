"""What leaving a tab would lose, and what one tab does to another."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.builders import photo_png, zip_bytes

pytestmark = pytest.mark.browser

STACK = zip_bytes({f"{number}.png": photo_png(40, 30, seed=number) for number in range(4)})
ASKS = """() => {
  const leaving = new Event("beforeunload", { cancelable: true });
  window.dispatchEvent(leaving);
  return leaving.defaultPrevented;
}"""


def test_a_page_asks_before_labels_are_lost_until_they_are_saved(page: Page, app_server: str) -> None:
    page.goto(app_server)
    page.locator("input[type=file]").set_input_files(
        {"name": "four.zip", "mimeType": "application/zip", "buffer": STACK}
    )
    expect(page.locator("[data-ref=canvas]")).to_have_attribute("data-painted", "sharp")
    page.get_by_role("link", name="Teach").click()
    page.get_by_label("New class").fill("stripes")
    page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_role("button", name="Label stripes:").click()
    expect(page.locator(".cell[data-kind=label]")).to_have_count(1)
    assert page.evaluate(ASKS)
    expect(page.get_by_role("button", name="Save labels")).to_be_visible()  # drawn anew, with the popover after it
    page.get_by_role("button", name="Session").click()
    with page.expect_download():
        page.get_by_role("button", name="Save session").click()
    page.wait_for_function(f"() => !({ASKS})()")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Label stripes:").click()
    expect(page.locator(".cell[data-kind=label]")).to_have_count(2)
    assert page.evaluate(ASKS), "there is a label since"


def test_what_one_tab_does_draws_the_page_that_another_one_shows(page: Page, app_server: str) -> None:
    page.goto(app_server)
    page.locator("input[type=file]").set_input_files(
        {"name": "four.zip", "mimeType": "application/zip", "buffer": STACK}
    )
    expect(page.locator("[data-ref=canvas]")).to_have_attribute("data-painted", "sharp")
    other = page.context.new_page()
    other.goto(f"{app_server}/inference")
    expect(other.get_by_text("Nothing is recognised yet")).to_be_visible()
    page.get_by_role("button", name="All (4)", exact=True).click()
    expect(other.get_by_role("button", name="Download CSV")).to_be_visible()
    expect(other.get_by_role("heading", name="Inference", exact=True)).to_be_visible()
