"""Take the pictures of the documentation from a running app, so that they stay true.

    ./scripts/run.sh --server.port 8600 --server.headless true &
    python -m scripts.screenshots --url http://localhost:8600

Needs a system Chromium and the development requirements. Opens the sample stack, recognises it, and writes each page
wide, on a phone, and in the dark theme to docs/images, and an animation of opening, browsing and recognising.
"""

from __future__ import annotations

import argparse
import io
import re
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from core.base.settings import PROJECT_ROOT
from scripts.dev._chromium import find_chromium

LOOKS: dict[str, tuple[int, int, str]] = {
    "wide": (1280, 900, "light"),
    "phone": (390, 844, "light"),
    "dark": (1280, 900, "dark"),
}
TAUGHT = {"cat": 1, "bead": 11, "rocket": 41}  # and the position of the first image of each in the sample stack
TIMEOUT_MS = 120_000
DEMO = "demo"  # the animation
ANIMATION_SIZE = (1024, 720)  # pixels; scaled down from the wide look
_WEBP_QUALITY = 70  # of the animation: text stays readable
_STILL_QUALITY = 82


def main() -> int:
    """Command line; see the module's text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://localhost:8501")
    parser.add_argument("--out", type=Path, default=PROJECT_ROOT / "docs" / "images")
    parser.add_argument("--looks", nargs="+", choices=[*LOOKS, DEMO], default=[*LOOKS, DEMO])
    parser.add_argument("--wait", type=float, default=2.5, metavar="SECONDS", help="before each picture")
    options = parser.parse_args()
    chromium = find_chromium()
    if chromium is None:
        print("Chromium is missing: install it, or name it in the environment variable CHROMIUM.", file=sys.stderr)
        return 2
    options.out.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for look in options.looks:
            if look == DEMO:
                animate(browser, options.url, options.out / "demo.webp")
            else:
                take(browser, options.url, look, options.out, options.wait)
        browser.close()
    return 0


def take(browser: Browser, url: str, look: str, out: Path, wait: float) -> None:
    """The pictures of one look, in the order in which a person comes by; ``wait`` seconds before each."""
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
    shoot(page, out / f"home-{look}.webp", wait)
    page.get_by_role("button", name="Try a sample stack").click()
    page.get_by_role("button", name="All (").wait_for()
    page.get_by_role("button", name="Got it").click()
    page.get_by_text("Compare with PyTorch").click()
    page.wait_for_timeout(1000)
    page.get_by_role("button", name="All (").click()
    page.get_by_text(re.compile(r"PyTorch FP32: [\d,]+ images")).wait_for()
    shoot(page, out / f"viewer-{look}.webp", wait)
    gallery = page.get_by_role("button", name="Gallery", exact=True)
    if look == "phone":
        gallery.click()
    shoot(page, out / f"gallery-{look}.webp", wait)
    if look == "phone":
        page.get_by_role("button", name="Close the gallery").click()
    go(page, look, "Inference")
    page.get_by_role("button", name="Download CSV").wait_for()
    shoot(page, out / f"inference-{look}.webp", wait)
    go(page, look, "Teach")
    for name in TAUGHT:
        page.get_by_label("New class").fill(name)
        page.get_by_role("button", name="Add", exact=True).click()
        page.get_by_role("button", name=f"Label {name}:").wait_for()
    label(page, 0)
    page.keyboard.press("Home")
    shoot(page, out / f"teach-{look}.webp", wait)
    label(page, 2)
    page.get_by_role("tab", name="How good it is").click()
    page.get_by_text("Right on examples it had not seen").wait_for()
    page.get_by_test_id("stDataFrame").last.scroll_into_view_if_needed()
    shoot(page, out / f"quality-{look}.webp", wait)
    go(page, look, "Viewer")
    page.get_by_test_id("stMain").get_by_text("Label", exact=True).click()
    if look != "phone":
        page.locator(".cell[data-kind=suggestion]").first.wait_for()
    page.get_by_role("slider", name="Position in the stack").fill(str(TAUGHT["rocket"] + 4))
    page.get_by_role("button", name="Accept rocket").wait_for()
    shoot(page, out / f"label-{look}.webp", wait)
    context.close()


def go(page: Page, look: str, name: str) -> None:
    """Open another page of the app."""
    if look == "phone":
        page.get_by_test_id("stExpandSidebarButton").click()
    page.get_by_role("link", name=name, exact=True).first.click()
    if look == "phone":
        page.get_by_test_id("stSidebarCollapseButton").click()


def label(page: Page, besides: int) -> None:
    """Label two images of each class, after so many of the first ones."""
    for key, position in enumerate(TAUGHT.values(), 1):
        first = position + besides
        page.get_by_role("slider", name="Position in the stack").fill(str(first))
        page.locator(f".cell[data-index='{first - 1}'] .open").click()
        page.keyboard.press(str(key))
        page.keyboard.press(str(key))
    page.locator(".cell[data-kind=suggestion]").first.wait_for()


def animate(browser: Browser, url: str, path: Path) -> None:
    """A person opens the sample stack, looks through it, zooms, and has it recognised."""
    width, height, _ = LOOKS["wide"]
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme="light")
    page = context.new_page()
    page.set_default_timeout(TIMEOUT_MS)
    frames: list[Image.Image] = []
    durations: list[int] = []

    def frame(milliseconds: int) -> None:
        shot = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
        frames.append(shot.resize(ANIMATION_SIZE, Image.Resampling.LANCZOS))
        durations.append(milliseconds)

    def press(key: str, times: int, milliseconds: int) -> None:
        for _ in range(times):
            page.keyboard.press(key)
            page.wait_for_timeout(250)
            frame(milliseconds)

    page.goto(url)
    sample = page.get_by_role("button", name="Try a sample stack")
    sample.wait_for()
    page.wait_for_timeout(1500)
    frame(1500)
    sample.click()
    expect(page.locator("[data-ref=canvas]")).to_have_attribute("data-painted", "sharp")
    page.wait_for_timeout(1500)
    frame(1200)
    press("ArrowRight", 4, 400)
    press("+", 3, 300)
    press("0", 1, 600)
    everything = page.get_by_role("button", name="All (")
    everything.hover()
    frame(600)
    everything.click()
    for _ in range(3):
        page.wait_for_timeout(150)
        frame(250)
    page.get_by_text(re.compile(r"OpenVINO INT8: [\d,]+ images")).wait_for()
    page.wait_for_timeout(1000)
    frame(1500)
    press("ArrowRight", 6, 700)
    page.get_by_label("Filter by name").scroll_into_view_if_needed()
    page.mouse.move(5, height / 2)
    page.mouse.wheel(0, 2000)
    page.wait_for_timeout(1500)
    frame(2500)
    frames[0].save(
        path, save_all=True, append_images=frames[1:], duration=durations, loop=0, quality=_WEBP_QUALITY, method=6
    )
    print(path)
    context.close()


def shoot(page: Page, path: Path, wait: float) -> None:
    """Save what is on screen once pictures and fonts have had time to arrive."""
    page.wait_for_timeout(1000 * wait)
    Image.open(io.BytesIO(page.screenshot())).convert("RGB").save(path, quality=_STILL_QUALITY, method=6)
    print(path)


if __name__ == "__main__":
    sys.exit(main())
