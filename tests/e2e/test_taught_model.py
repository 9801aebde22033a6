"""A taught model in a real browser: made, used at once, and there after a restart."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.e2e.layout_shift import MOST_SHIFT, STILL, WATCH, shifts
from tests.e2e.server import ROOT, folders, streamlit_server
from tests.e2e.teach import Teach, choose, chosen
from tests.unit.teach.stripes import stripes

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> dict[str, str]:
    """Of a server that keeps taught models."""
    return folders(tmp_path_factory.mktemp("app"), model_cache) | {"AISR_KEEP_MODELS": "yes"}


@pytest.fixture(scope="module")
def app_server(environment: dict[str, str]) -> Iterator[str]:
    """Its address: no other test meets the model."""
    with streamlit_server(ROOT / "app.py", environment=environment) as address:
        yield address


def recognises(teach: Teach) -> None:
    """The model in use names the images of another ZIP, from the viewer page on."""
    page = teach.page
    others = {f"{seed} {kind}.png": stripes(kind, seed) for kind in ("lying", "upright") for seed in range(50, 54)}
    teach.open(others, "others.zip")
    page.get_by_test_id("stMain").get_by_role("button", name="All (8)").click()
    expect(page.get_by_text(re.compile(r"8 images in [\d.]+ s")).first).to_be_visible()
    for index, name in enumerate(sorted(others)):
        kind = name.split()[1].removesuffix(".png")
        expect(page.locator(f".cell[data-index='{index}'] .class")).to_have_text(kind)


@pytest.mark.torch
def test_the_model_is_made_used_at_once_and_there_after_a_restart(
    teach: Teach, environment: dict[str, str], tmp_path: Path
) -> None:
    page = teach.page
    for first, key in ((1, "1"), (13, "2")):
        teach.select(first, first + 7)
        teach.press(key)
    teach.counts(lying=8, upright=8)
    page.get_by_role("tab", name="How good it is").click()
    expect(page.get_by_text("Right on examples it had not seen")).to_be_visible()
    teach.shoot("quality")

    page.get_by_role("tab", name="Make the model").click()
    page.get_by_label("Name of the model").fill("Stripes")
    page.get_by_role("button", name="Make the model").click()
    expect(page.get_by_text(re.compile(r"Step \d+ of \d+"))).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("Cancelled. Nothing was made")).to_be_visible()
    teach.counts(lying=8, upright=8)
    expect(chosen(page, "Starter")).to_be_visible()

    page.get_by_role("button", name="Make the model").click()
    expect(page.get_by_text("is the model of this session now")).to_be_visible()
    expect(chosen(page, "Stripes")).to_be_visible()
    teach.shoot("made")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the model").click()
    assert download.value.path().stat().st_size > 10_000_000

    page.get_by_role("link", name="Recognise with it in the viewer").click()
    recognises(teach)
    teach.shoot("another-zip")

    page.add_init_script(WATCH)
    with streamlit_server(ROOT / "app.py", environment=environment | {"AISR_WORK_DIR": str(tmp_path)}) as restarted:
        page.goto(restarted)
        choose(page, "Model", "Starter", "Stripes")
        recognises(teach)
        page.evaluate(STILL)
        choose(page, "Model", "Stripes", "Starter")
        assert shifts(page) <= MOST_SHIFT, "another model"
