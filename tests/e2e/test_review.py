"""The Review page in a real browser: stepping by keys, saying who is right, and why INT8 errs; in both themes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from core.models.card import WEIGHTS_NAME, file_checksum, write_card
from core.models.head import read_head
from core.models.model import Model
from core.models.new_head import write_with_head
from tests.e2e.server import ARTIFACTS, ROOT, folders, streamlit_server
from tests.e2e.test_accessibility import is_accessible
from tests.e2e.viewer import PHONE
from tests.helpers import SECONDS

pytestmark = [pytest.mark.browser, pytest.mark.torch]


@pytest.fixture(scope="module")
def two_minds(starter: Model, model_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server whose model calls every class by the name of the next one, in FP32 alone: their last layers differ."""
    folder = tmp_path_factory.mktemp("two-minds")
    made = folder / "data" / "models" / "shifted"
    made.mkdir(parents=True)
    head = read_head(starter)
    weight, bias = (np.roll(numbers, 1, axis=0) for numbers in (head.weight, head.bias))
    write_with_head(starter.weights, made / WEIGHTS_NAME, weight, bias)
    for file in (starter.int8_path, starter.int8_path.with_suffix(".bin")):
        (made / file.name).write_bytes(file.read_bytes())
    checksums = {file.name: file_checksum(file) for file in made.iterdir()}
    card = starter.card.model_copy(update={"name": "shifted", "checksums": checksums, "known": None})
    write_card(card, made)
    environment = folders(folder, model_cache) | {"AISR_MODEL": "shifted"}
    with streamlit_server(ROOT / "app.py", environment=environment) as address:
        yield address


def open_review(page: Page, address: str, *, phone: bool = False) -> None:
    """Three images of the sample stack, which the engines name differently."""
    page.goto(address)
    page.get_by_role("button", name="Try a sample stack").click()
    expect(page.locator("[data-ref=canvas]")).to_have_attribute("data-painted", "sharp")
    first = page.locator("img[src*='/stacks/']").first  # of the gallery, or of the filmstrip
    expect(first).to_be_attached()
    source = first.get_attribute("src") or ""
    stack = re.findall(r"stacks/([^/]+)/", source)[0]
    for engine in ("openvino-int8", "pytorch-fp32"):
        answer = page.request.post(
            f"{address}/api/v1/stacks/{stack}/predictions",
            data={"images": [0, 1, 2], "engine": engine},
            timeout=SECONDS * 1000,
        )
        assert answer.ok, answer.text()
    if phone:
        page.get_by_test_id("stExpandSidebarButton").click()
    page.get_by_role("link", name="Review").click()
    if phone:
        page.get_by_test_id("stSidebarCollapseButton").click()
    expect(page.get_by_text("3 of 3 images are named differently")).to_be_visible()
    for picture in ("What the model saw", "Where OpenVINO INT8 looked", "Where PyTorch FP32 looked"):
        expect(page.get_by_alt_text(picture)).to_have_js_property("naturalWidth", 224)


def test_disagreements_are_stepped_through_and_judged_by_keys(page: Page, two_minds: str) -> None:
    open_review(page, two_minds)
    is_accessible(page, "review")
    page.keyboard.press("1")
    expect(page.get_by_text("Of 1 judged: OpenVINO INT8 right 1")).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_text("2 of 3", exact=True)).to_be_visible()
    page.keyboard.press("3")
    tally = page.get_by_text("Of 2 judged: OpenVINO INT8 right 1, PyTorch FP32 right 0, neither 1")
    expect(tally).to_be_visible()
    expect(page.get_by_text("50% of them (95% interval 9% to 91%)")).to_be_visible()
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_text("1 of 3", exact=True)).to_be_visible()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("1")
    expect(page.get_by_text("Of 1 judged: OpenVINO INT8 right 0")).to_be_visible()
    expect(page.get_by_text("1 of 3", exact=True)).to_be_visible()


def test_the_layer_in_which_they_differ_is_the_worst(page: Page, two_minds: str) -> None:
    open_review(page, two_minds)
    page.get_by_role("button", name="Compare layer by layer").click()
    table = page.get_by_role("table").filter(has_text="Signal to noise").first
    expect(table.get_by_role("row").nth(1)).to_contain_text("last layer")
    expect(table.get_by_role("row")).to_have_count(6)
    is_accessible(page, "review with layers")
    page.get_by_text("All 21 layers").click()
    expect(page.get_by_role("table").filter(has_text="Signal to noise").last.get_by_role("row")).to_have_count(22)
    ARTIFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTIFACTS / "review-layers.png", full_page=True)


@pytest.mark.parametrize("context_options", [PHONE], indirect=True, ids=["phone"])
def test_it_fits_a_phone(page: Page, two_minds: str) -> None:
    open_review(page, two_minds, phone=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.get_by_role("button", name="PyTorch FP32 is right").tap()
    expect(page.get_by_text("Of 1 judged: OpenVINO INT8 right 0, PyTorch FP32 right 1")).to_be_visible()
