"""The browser that screenshots, benchmarks and browser tests drive."""

from __future__ import annotations

import os
import shutil


def find_chromium() -> str | None:
    """``$CHROMIUM``, or the first Chromium or Chrome on the path."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
