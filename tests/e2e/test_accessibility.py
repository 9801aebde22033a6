"""axe-core finds nothing serious on any page, in either theme: contrast, names, roles, focus order."""

from __future__ import annotations

import re
import time

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.builders import photo_png, png_bytes, zip_bytes
from tests.helpers import SECONDS

pytestmark = pytest.mark.browser

STACK = {f"series/photo {number}.png": photo_png(60, 40, seed=number) for number in range(8)}
STACK["series/scan.png"] = png_bytes(np.arange(2400).reshape(40, 60, 1), 16)


def is_accessible(page: Page, place: str) -> None:
    """No violation that axe-core rates serious or critical, in either theme.

    What is drawn anew, as for another theme, is paler meanwhile: what stays counts.
    """
    app = page.get_by_test_id("stApp")
    for scheme in ("dark", "light"):
        page.emulate_media(color_scheme=scheme)
        expect(app).to_have_css("color-scheme", scheme)
        deadline = time.monotonic() + SECONDS
        while serious := violations(page):
            assert time.monotonic() < deadline, "\n".join([f"{place}, {scheme}", *serious])
            expect(app).to_have_attribute("data-test-script-state", "notRunning")


def violations(page: Page) -> list[str]:
    """Each with the elements that it is about."""
    return [
        f"{found['id']}: {found['help']}\n" + "\n".join(f"    {node['html'][:300]}" for node in found["nodes"])
        for found in Axe().run(page).response["violations"]
        if found["impact"] in ("serious", "critical")
    ]


def test_nothing_serious_on_any_page(page: Page, app_server: str) -> None:
    page.goto(app_server)
    expect(page.get_by_role("button", name="Try a sample stack")).to_be_visible()
    is_accessible(page, "home")

    page.locator("input[type=file]").set_input_files(
        {"name": "photos.zip", "mimeType": "application/zip", "buffer": zip_bytes(STACK)}
    )
    expect(page.locator("[data-ref=canvas]")).to_have_attribute("data-painted", "sharp")
    page.get_by_test_id("stMain").get_by_role("button", name=f"All ({len(STACK)})", exact=True).click()
    expect(page.get_by_text(re.compile(r"images in [\d.]+ s")).first).to_be_visible()
    expect(page.locator(".cell .class").first).to_be_visible()
    page.locator("[data-ref=stage]").focus()
    page.keyboard.press("w")
    page.keyboard.press("x")
    expect(page.get_by_role("slider", name="Level")).to_be_enabled()
    is_accessible(page, "viewer with results")
    page.keyboard.press("?")
    expect(page.get_by_role("heading", name="Keyboard shortcuts")).to_be_visible()
    is_accessible(page, "list of keys")
    page.keyboard.press("Escape")

    page.get_by_role("link", name="Inference").click()
    expect(page.get_by_role("button", name="Download CSV")).to_be_visible()
    is_accessible(page, "inference")
