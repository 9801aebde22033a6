"""Take the pictures of the documentation from a running app, so that they stay true.

    ./scripts/run.sh --server.port 8600 --server.headless true &
    python -m scripts.screenshots --url http://localhost:8600

Needs a system Chromium and the development requirements. Opens the sample stack, recognises it, and writes each page
wide, on a phone, and in the dark theme to docs/images.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from core.settings import PROJECT_ROOT
from scripts._chromium import find_chromium

LOOKS: dict[str, tuple[int, int, str]] = {
    "wide": (1280, 900, "light"),
    "phone": (390, 844, "light"),
    "dark": (1280, 900, "dark"),
}
TIMEOUT_MS = 120_000


def main() -> int:
    """Command line; see the module's text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://localhost:8501")
    parser.add_argument("--out", type=Path, default=PROJECT_ROOT / "docs" / "images")
    parser.add_argument("--looks", nargs="+", choices=list(LOOKS), default=list(LOOKS))
    options = parser.parse_args()
    chromium = find_chromium()
    if chromium is None:
        print("Chromium is missing: install it, or name it in the environment variable CHROMIUM.", file=sys.stderr)
        return 2
    options.out.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for look in options.looks:
            take(browser, options.url, look, options.out)
        browser.close()
    return 0


def take(browser: Browser, url: str, look: str, out: Path) -> None:
    """The pictures of one look: home, viewer, gallery, inference."""
    width, height, scheme = LOOKS[look]
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if scheme == "dark" else "light",
        has_touch=look == "phone",
    )
    page = context.new_page()
    page.set_default_timeout(TIMEOUT_MS)
    page.goto(url)
    page.get_by_role("button", name="Try a sample stack").wait_for()
    shoot(page, out / f"home-{look}.png")
    page.get_by_role("button", name="Try a sample stack").click()
    page.get_by_role("button", name="All (").wait_for()
    page.get_by_text("Compare with PyTorch").click()
    page.wait_for_timeout(1000)
    page.get_by_role("button", name="All (").click()
    page.get_by_text(re.compile(r"PyTorch FP32: [\d,]+ images")).wait_for()
    shoot(page, out / f"viewer-{look}.png")
    page.get_by_label("Filter by name").scroll_into_view_if_needed()
    page.mouse.move(5, height / 2)
    page.mouse.wheel(0, 2000)
    shoot(page, out / f"gallery-{look}.png")
    if look == "phone":
        page.get_by_test_id("stExpandSidebarButton").click()
    page.get_by_role("link", name="Inference").click()
    page.get_by_role("button", name="Download CSV").wait_for()
    if look == "phone":
        page.get_by_test_id("stSidebarCollapseButton").click()
    shoot(page, out / f"inference-{look}.png")
    context.close()


def shoot(page: Page, path: Path) -> None:
    """Save what is on screen once pictures and fonts have had time to arrive."""
    page.wait_for_timeout(2500)
    page.screenshot(path=path)
    print(path)


if __name__ == "__main__":
    sys.exit(main())
