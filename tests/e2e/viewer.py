"""Viewer and gallery as a person sees them: what is on screen, and the gestures that change it."""

from __future__ import annotations

import io
import re
import time
from typing import Any

from PIL import Image
from playwright.sync_api import Locator, Page, expect

from tests.e2e.component_app import colour
from tests.helpers import SECONDS

PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "has_touch": True,
    "is_mobile": True,
    "device_scale_factor": 2,
}
WHITE = (255, 255, 255)
SETTLE_MS = 700  # longer than the delay after which Python is told, with a rerun
CORNERS = {"top left": (0, 0), "top right": (1, 0), "bottom left": (0, 1), "bottom right": (1, 1)}


class Viewer:
    """The page as a person sees it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.stage = page.locator("[data-ref=stage]")
        self.canvas = page.locator("[data-ref=canvas]")
        self.position = page.locator("[data-ref=position]")
        self.count = page.locator("[data-ref=count]")
        self.percent = page.get_by_label("Zoom in percent")
        expect(self.canvas).to_have_attribute("data-painted", "sharp")

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def shows(self, number: int) -> None:
        """The canvas shows image ``number`` (from 1) in its own colour, and the page says so."""
        expect(self.position).to_have_text(re.compile(rf"^{number} / "))
        expect(self.canvas).to_have_attribute("data-index", str(number - 1))
        expect(self.canvas).to_have_attribute("data-painted", "sharp")
        assert close(self.pixel(0.5, 0.5), colour(number - 1)), "another image is on screen"

    def pixel(self, x: float, y: float) -> tuple[int, ...]:
        """The colour on screen at a fraction of the stage's width and height."""
        return pixel(self.screenshot(), x, y)

    def paints(self, expected: tuple[int, ...]) -> None:
        """The middle of the stage gets this colour."""
        deadline = time.monotonic() + SECONDS
        while not close(found := self.pixel(0.5, 0.5), expected):
            assert time.monotonic() < deadline, f"{found} is on screen, not {expected}"

    def screenshot(self) -> Image.Image:
        self.page.mouse.move(0, 0)
        self.page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        return Image.open(io.BytesIO(self.stage.screenshot())).convert("RGB")

    def corner(self) -> str:
        """The corner of the fitted image in which its white block is on screen."""
        shot = self.screenshot()
        centre, (width, height) = pixel(shot, 0.5, 0.5), shot.size
        middle = [shot.getpixel((x, height // 2)) for x in range(width)]
        left, right = (edges := [x for x, found in enumerate(middle) if close(found, centre)])[0], edges[-1]
        column = [shot.getpixel((width // 2, y)) for y in range(height)]
        top, bottom = (edges := [y for y, found in enumerate(column) if close(found, centre)])[0], edges[-1]
        found = [
            name
            for name, (x, y) in CORNERS.items()
            if close(
                shot.getpixel(
                    (round(left + (right - left) * (0.1 + 0.8 * x)), round(top + (bottom - top) * (0.1 + 0.8 * y)))
                ),
                WHITE,
            )
        ]
        assert len(found) == 1
        return found[0]

    def knows(self) -> tuple[int, int]:
        """Image number and count of selected images that Python knows of."""
        current, selected, _ = self.python()
        return current, selected

    def python(self) -> tuple[int, int, int]:
        text = self.page.get_by_text(re.compile("^Python: image")).inner_text()
        current, selected, run = re.findall(r"\d+", text)
        return int(current), int(selected), int(run)

    def told(self, current: int, selected: int) -> None:
        expect(self.page.get_by_text(f"Python: image {current}, {selected} selected")).to_be_visible()

    def cell(self, number: int) -> Locator:
        return self.page.locator(f".cell[data-index='{number - 1}']")

    def selects(self, *numbers: int) -> None:
        """Of the cells in the page, those of ``numbers`` and no others are ticked."""
        ticked = self.page.locator(".cell:has(input:checked)")
        expect(ticked).to_have_count(len(numbers))
        assert sorted(int(cell.get_attribute("data-index") or -1) + 1 for cell in ticked.all()) == list(numbers)


def pixel(shot: Image.Image, x: float, y: float) -> tuple[int, ...]:
    return shot.getpixel((round(x * (shot.width - 1)), round(y * (shot.height - 1))))  # type: ignore[return-value]


def close(found: Any, expected: Any) -> bool:
    return all(abs(a - b) <= 3 for a, b in zip(found, expected, strict=True))


def touch(page: Page, target: Locator, steps: list[list[tuple[float, float]]]) -> None:
    """Put fingers down at the first of ``steps`` (fractions of the target), move them along, and lift them."""
    target.tap(trial=True)  # in view, and no longer moving
    box = target.bounding_box()
    assert box
    session = page.context.new_cdp_session(page)
    for order, fingers in enumerate(steps):
        points = [
            {"x": box["x"] + x * box["width"], "y": box["y"] + y * box["height"], "id": i}
            for i, (x, y) in enumerate(fingers)
        ]
        session.send(
            "Input.dispatchTouchEvent", {"type": "touchMove" if order else "touchStart", "touchPoints": points}
        )
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
