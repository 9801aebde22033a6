"""The browser that screenshots, benchmarks and browser tests drive."""

from __future__ import annotations

import os
import shutil


def find_chromium() -> str | None:
    """``$CHROMIUM``, or the first Chromium or Chrome on the path: one that people use before the headless shell."""
    names = ("chromium", "chromium-browser", "google-chrome", "chromium-headless-shell")
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
