"""Making the INT8 model in a real browser: calibrate on the open stack, watch, keep, go back, cancel."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from scripts.dev._app_server import AppServer
from tests.e2e.server import ARTIFACTS, ROOT, folders, held_worker, streamlit_process
from tests.e2e.test_accessibility import is_accessible

pytestmark = [pytest.mark.browser, pytest.mark.torch]

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Iterator[AppServer]:
    """A server that can reach no other."""
    folder = tmp_path_factory.mktemp("app")
    environment = folders(folder, model_cache) | {
        "AISR_IMAGENET_URL": "http://127.0.0.1:9/resnet18-f37072fd.pth",
        "TORCH_HOME": str(folder / "no-torch-cache"),
    }
    with streamlit_process(ROOT / "app.py", environment=environment) as server:
        yield server


@pytest.fixture
def optimize(page: Page, server: AppServer, context_options: dict[str, Any]) -> Page:
    """The Optimize page with the sample stack open."""
    page.goto(server.address)
    page.get_by_role("button", name="Try a sample stack").click()
    expect(page.locator("[data-ref=canvas]")).to_have_attribute("data-painted", "sharp")
    if "is_mobile" in context_options:
        page.get_by_test_id("stExpandSidebarButton").click()
    page.get_by_role("link", name="Optimize").click()
    if "is_mobile" in context_options:
        page.get_by_test_id("stSidebarCollapseButton").click()
    expect(page.get_by_role("button", name="Calibrate on this stack")).to_be_visible()
    return page


def shoot(page: Page, name: str) -> None:
    ARTIFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTIFACTS / f"optimize-{name}.png")


def in_use(page: Page) -> str:
    """What the page says of the model in use."""
    return page.get_by_text("is in use:").first.inner_text()


def test_cancelling_changes_nothing_and_calibrating_again_runs_to_its_judgement(
    optimize: Page, server: AppServer
) -> None:
    page = optimize
    before = in_use(page)
    page.get_by_role("button", name="Calibrate on this stack").click()
    with held_worker(server):
        expect(page.get_by_text(re.compile(r"Step \d+ of 10"))).to_be_visible()
        expect(page.get_by_role("table")).to_contain_text("Judge INT8 against FP32")
        expect(page.get_by_role("button", name="Calibrate on this stack")).to_have_count(0)
        shoot(page, "running")
        page.get_by_role("button", name="Cancel").click()
        expect(page.get_by_text("Cancelled. The model in use is unchanged.")).to_be_visible()
    assert in_use(page) == before
    expect(page.get_by_role("button", name="Use this model")).to_have_count(0)

    page.get_by_role("button", name="Calibrate on this stack").click()
    expect(page.get_by_text("names the same class as FP32").first).to_be_visible()
    assert in_use(page) == before, "nothing is put to use by itself"
    shoot(page, "judged")
    main = page.get_by_test_id("stMain").inner_text().lower()
    assert "accuracy of both models" not in main, "agreement is not accuracy"
    page.get_by_role("button", name="All figures").click()
    expect(page.get_by_text("Mean KL divergence (nats)")).to_be_visible()
    expect(page.get_by_text("Top-1 accuracy, INT8")).to_have_count(0)
    page.keyboard.press("Escape")

    page.get_by_role("button", name="Use this model").click()
    expect(page.get_by_text("Calibrated on sample-stack.zip", exact=False).first).to_be_visible()
    assert in_use(page) != before
    expect(page.get_by_role("button", name="Go back to the model before")).to_be_visible()
    page.get_by_role("link", name="Viewer").click()
    page.get_by_test_id("stMain").get_by_role("button", name="Image 1", exact=True).click()
    expect(page.get_by_text(re.compile(r"images? in [\d.]+ s")).first).to_be_visible()
    page.get_by_role("link", name="Optimize").click()
    page.get_by_role("button", name="Go back to the model before").click()
    expect(page.get_by_role("button", name="Use this model")).to_be_visible()
    assert in_use(page) == before

    with page.expect_download() as download:
        page.get_by_role("button", name="Download this model").click()
    assert download.value.suggested_filename == "starter-calibrated.zip"
    assert download.value.path().stat().st_size > 10_000_000


def test_the_images_that_calibrate_are_seen(optimize: Page) -> None:
    optimize.get_by_text("Which images: 35 calibrate, 36 others judge").click()
    pictures = optimize.get_by_role("group", name="Images that calibrate").locator("img")
    expect(pictures).to_have_count(35)
    expect(pictures.first).to_be_visible()
    optimize.wait_for_function("image => image.complete && image.naturalWidth > 0", arg=pictures.first.element_handle())


def test_imagenet_offline_says_what_to_put_where_and_the_starter_goes_on(optimize: Page) -> None:
    optimize.get_by_role("button", name="Get ImageNet").click()
    told = optimize.get_by_role("alert").filter(has_text="put a copy of resnet18-f37072fd.pth into")
    expect(told).to_be_visible()
    expect(optimize.get_by_role("button", name="Get ImageNet")).to_be_enabled()
    expect(optimize.get_by_role("button", name="Calibrate on this stack")).to_be_enabled()


@pytest.mark.parametrize("context_options", [PHONE], indirect=True, ids=["phone"])
def test_on_a_phone_nothing_sticks_out(optimize: Page, server: AppServer) -> None:
    optimize.get_by_role("button", name="Calibrate on this stack").click()
    with held_worker(server):
        expect(optimize.get_by_text(re.compile(r"Step \d+ of 10"))).to_be_visible()
        assert optimize.evaluate("document.documentElement.scrollWidth") <= 390
        shoot(optimize, "phone")
        optimize.get_by_role("button", name="Cancel").click()
        expect(optimize.get_by_text("Cancelled.")).to_be_visible()


def test_nothing_serious_with_images_and_a_cancelled_attempt(optimize: Page, server: AppServer) -> None:
    optimize.get_by_text("Which images:").click()
    expect(optimize.get_by_role("group", name="Images that calibrate").locator("img").first).to_be_visible()
    is_accessible(optimize, "form")
    optimize.get_by_role("button", name="Calibrate on this stack").click()
    with held_worker(server):
        expect(optimize.get_by_text(re.compile(r"Step \d+ of 10"))).to_be_visible()
        is_accessible(optimize, "running")
        optimize.get_by_role("button", name="Cancel").click()
        expect(optimize.get_by_text("Cancelled.")).to_be_visible()
    is_accessible(optimize, "cancelled")
