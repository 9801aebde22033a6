"""The benchmark page in a real browser: a small run, its chart, and the files it gives."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.contexts import new_context

pytestmark = pytest.mark.browser


@pytest.fixture
def benchmark(page: Page, app_server: str) -> Page:
    """The benchmark page of a session with the sample stack."""
    page.goto(app_server)
    page.get_by_role("button", name="Try a sample stack").click()
    page.get_by_role("button", name="All (").wait_for()
    page.get_by_role("link", name="Benchmark").click()
    page.get_by_role("button", name="Run benchmark").wait_for()
    return page


def remove(page: Page, *choices: str) -> None:
    """Take chosen values out of their fields."""
    for choice in choices:
        button = page.get_by_role("button", name=f"Remove {choice}", exact=True)
        button.click()
        expect(button).to_have_count(0)


def repeat(page: Page, times: int) -> None:
    field = page.get_by_role("main").get_by_label("Repeats", exact=True)
    field.fill(str(times))
    field.press("Enter")


def test_a_small_benchmark_draws_its_chart_and_gives_its_files(benchmark: Page) -> None:
    page = benchmark
    remove(page, "OpenVINO FP32", "PyTorch FP32", "100")
    repeat(page, 1)
    page.get_by_role("button", name="Run benchmark").click()
    expect(page.get_by_role("button", name="Cancel")).to_be_visible()
    expect(page.get_by_text("share the machine")).to_be_visible()
    chart = page.locator("[data-testid=stVegaLiteChart] :is(canvas, svg)").first
    expect(chart).to_be_visible()
    box = chart.bounding_box()
    assert box is not None
    assert box["width"] > 200
    assert box["height"] > 150
    with page.expect_download() as waiting:
        page.get_by_role("button", name="JSON", exact=True).click()
    report = json.loads(Path(waiting.value.path()).read_text())
    assert {(run["engine"], run["images"]) for run in report["runs"]} == {("openvino-int8", 50)}
    assert {run["repeats"] for run in report["runs"]} == {1}
    for name, begins in (("Charts as PNG", b"\x89PNG"), ("Charts as SVG", b"<svg")):
        with page.expect_download() as waiting:
            page.get_by_role("button", name=name).click()
        assert Path(waiting.value.path()).read_bytes().startswith(begins)
    expect(page.get_by_role("button", name="Cancel")).to_have_count(0)


def test_a_running_benchmark_is_cancelled_while_another_session_works(
    benchmark: Page, browser: Browser, app_server: str
) -> None:
    page = benchmark
    remove(page, "OpenVINO FP32", "PyTorch FP32")
    repeat(page, 10)  # so that it runs on while the other session begins
    page.get_by_role("button", name="Run benchmark").click()
    context = new_context(browser)
    other = context.new_page()
    other.goto(app_server)
    expect(other.get_by_role("button", name="Try a sample stack")).to_be_visible()
    expect(other.get_by_text("OpenVINO INT8, ")).to_have_count(0)
    context.close()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("Cancelled.")).to_be_visible()
    expect(page.get_by_role("button", name="Run benchmark")).to_be_visible()
    expect(page.locator("[data-testid=stVegaLiteChart]")).to_have_count(0)
