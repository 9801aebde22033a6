"""Strangers' text in a real browser: Streamlit looks for icons and addresses after Markdown has dropped backslashes."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.e2e.server import streamlit_server
from tests.strangers_text import STRANGERS_TEXTS

pytestmark = pytest.mark.browser

TEXTS = """
([kind, count]) => Array.from({length: count}, (_, place) =>
  Array.from(document.querySelectorAll(`.st-key-${kind}-${place} [data-testid=stMarkdownContainer]`), (box) => ({
    text: box.textContent.replaceAll("\\u2060", "").trim(),
    markup: box.querySelectorAll("a, img, code, h1, li, b, table, .katex, [role=img], p > span").length,
    bold: box.querySelector("strong")?.textContent.replaceAll("\\u2060", "") ?? null,
  })))
"""


def test_it_is_shown_as_it_is_and_means_nothing(page: Page) -> None:
    with streamlit_server(Path(__file__).with_name("strangers_text_app.py")) as address:
        page.goto(address)
        page.locator("#all-drawn").wait_for(state="attached")
        page.wait_for_function(
            f"document.querySelectorAll('.st-key-bold-{len(STRANGERS_TEXTS) - 1} strong').length == 1"
        )
        boxes, bold = (page.evaluate(TEXTS, [kind, len(STRANGERS_TEXTS)]) for kind in ("text", "bold"))
    for text, found, (emphasised,) in zip(STRANGERS_TEXTS, boxes, bold, strict=True):
        shown = " ".join(text.split())
        assert [box["text"] for box in found] == [shown] * len(found), text
        assert [box["markup"] for box in found] == [0] * len(found), text
        assert len(found) >= 7, "every kind of element was drawn"
        assert emphasised["bold"] == shown, "the program's own marks around it still count"
