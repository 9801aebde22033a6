"""The Teach page and Label mode, as a person sees them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from playwright.sync_api import Locator, Page, expect

from tests.builders import zip_bytes
from tests.e2e.server import ARTIFACTS
from tests.unit.teach.stripes import stripes_files

EACH = 12  # lying ones at 1 to 12, upright ones at 13 to 24
FILES = stripes_files(EACH)


class Teach:
    """The Teach page as a person sees it; images by their number, from 1."""

    def __init__(self, page: Page, *, phone: bool = False) -> None:
        self.page = page
        self.phone = phone

    def go(self, name: str) -> None:
        if self.phone:
            self.page.get_by_test_id("stExpandSidebarButton").click()
        self.page.get_by_role("link", name=name, exact=True).first.click()
        if self.phone:
            self.page.get_by_test_id("stSidebarCollapseButton").click()

    def open(self, files: Mapping[str, bytes], name: str = "stripes.zip") -> None:
        """Open a ZIP on the viewer page."""
        sent = {"name": name, "mimeType": "application/zip", "buffer": zip_bytes(files)}
        self.page.locator("input[type=file][multiple]").set_input_files(sent)
        expect(self.page.get_by_text(f"{len(files)} images").first).to_be_visible()
        expect(self.page.locator("[data-ref=canvas]")).to_have_attribute("data-painted", "sharp")

    def add(self, *names: str) -> None:
        for name in names:
            self.page.get_by_label("New class").fill(name)
            self.page.get_by_role("button", name="Add", exact=True).click()
            expect(self.chip(name)).to_be_visible()

    def chip(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=re.compile(f"^Label {name}:"))

    def counts(self, **counts: int) -> None:
        for name, count in counts.items():
            expect(self.chip(name)).to_have_accessible_name(f"Label {name}: {count} so far")

    def cell(self, number: int) -> Locator:
        return self.page.locator(f".cell[data-index='{number - 1}']")

    def label(self, number: int, text: str | None) -> None:
        """Image ``number`` has this label, which is none of the app's suggestions; or none."""
        kind = self.page.locator(f".cell[data-index='{number - 1}'][data-kind='label']")
        if text is None:
            expect(kind).to_have_count(0)
        else:
            expect(kind.locator(".class")).to_have_text(text)

    def suggestion(self, number: int) -> Locator:
        return self.page.locator(f".cell[data-index='{number - 1}'][data-kind='suggestion'] .class")

    def current(self, number: int) -> None:
        expect(self.page.locator("[data-ref=position]")).to_have_text(f"{number} / {len(FILES)}")

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def choose(self, number: int) -> None:
        """Open an image in the gallery, which then has the keys; only cells in view are in the page."""
        self.page.get_by_role("slider", name="Position in the stack").fill(str(number))
        self.current(number)
        self.cell(number).get_by_role("button").click()
        self.current(number)

    def select(self, first: int, last: int) -> None:
        """Select a range in the gallery by keys."""
        self.choose(first)
        self.press(*["Shift+ArrowRight"] * (last - first))
        expect(self.page.locator("output[data-ref=target]")).to_have_text(f"{last - first + 1} selected images")

    def switch(self) -> None:
        """Turn Label mode of the viewer page on or off."""
        self.page.get_by_test_id("stMain").get_by_text("Label", exact=True).click()

    def shoot(self, name: str) -> None:
        ARTIFACTS.mkdir(exist_ok=True)
        self.page.screenshot(path=ARTIFACTS / f"teach-{name}.png")


def chosen(page: Page, name: str) -> Locator:
    """The button that says which model and engine are in use, where it names this one."""
    return page.get_by_role("button", name=re.compile(f"^{name} · |· {name}$"))


def choose(page: Page, field: str, before: str, name: str) -> None:
    """Choose another model or engine."""
    chosen(page, before).click()
    page.get_by_role("combobox", name=field, exact=True).click()
    page.get_by_role("option", name=name).click()
    expect(chosen(page, name)).to_be_visible()
    page.keyboard.press("Escape")


def begun(teach: Teach) -> None:
    """Two of each have labels, and the others suggestions."""
    teach.choose(1)
    teach.press("1", "1")
    teach.choose(13)
    teach.press("2", "2")
    teach.counts(lying=2, upright=2)
    expect(teach.suggestion(15)).to_be_visible()
