"""Browser contexts as all tests want them."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Browser, BrowserContext

from tests.helpers import SECONDS


def new_context(browser: Browser, **options: Any) -> BrowserContext:
    """A context of its own, in which everything may take as long as on a busy machine, and nothing moves for show."""
    context = browser.new_context(reduced_motion="reduce", **options)
    context.set_default_timeout(SECONDS * 1000)
    return context
