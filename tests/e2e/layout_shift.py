"""What moves by itself on a page, as Chromium measures it."""

from __future__ import annotations

from playwright.sync_api import Page

MOST_SHIFT = 0.02  # the sum of Chromium's layout shift scores, those after a person's own input included
WATCH = """
  window.shifts = [];
  new PerformanceObserver((list) => window.shifts.push(...list.getEntries().map(({ value }) => value)))
    .observe({ type: "layout-shift" });
"""

# No shift for so many frames; those before are not what is asked about.
STILL = """async () => {
  for (let frames = 0; frames < 20; frames = window.shifts.splice(0).length ? 0 : frames + 1)
    await new Promise(requestAnimationFrame);
}"""


def shifts(page: Page) -> float:
    """The layout shift since this was last asked."""
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    found = page.evaluate("window.shifts.splice(0).reduce((sum, value) => sum + value, 0)")
    return float(found)
