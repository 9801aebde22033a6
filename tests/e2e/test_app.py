"""The whole app in a real browser: a ZIP goes in, named images come out."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, FilePayload, Locator, Page, expect

from tests.builders import BROKEN_PNGS, encrypted, png_bytes, zip_bytes
from tests.e2e.contexts import new_context
from tests.e2e.server import ARTIFACTS, ROOT, folders, streamlit_server
from tests.helpers import wait_until

pytestmark = pytest.mark.browser

COUNT = 24
SIZE = (500, 375)


def photo(seed: int) -> bytes:
    """A PNG of a photo's size and weight: smooth shapes with sensor noise on top."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (6, 8, 3), np.uint8))
    smooth = np.asarray(coarse.resize(SIZE, Image.Resampling.BICUBIC), np.int16)
    noisy = np.clip(smooth + rng.normal(0, 6, smooth.shape), 0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noisy).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def photos() -> bytes:
    """``COUNT`` photos, natural order tested by their numbers, with things beside them that are not images."""
    files = {f"series/photo {number}.png": photo(number) for number in range(1, COUNT + 1)}
    return zip_bytes({**files, "series/notes.txt": b"text", "__MACOSX/._photo 1.png": b"x"})


@pytest.fixture
def app(page: Page, app_server: str) -> App:
    return App(page, app_server)


class App:
    """The app as a person uses it."""

    def __init__(self, page: Page, address: str) -> None:
        self.page = page
        page.goto(address)
        expect(page.get_by_role("button", name="Try a sample stack")).to_be_visible()

    def upload(self, data: bytes, name: str = "photos.zip") -> None:
        file: FilePayload = {"name": name, "mimeType": "application/zip", "buffer": data}
        field = self.page.locator("input[type=file]")
        expect(field).to_have_count(1)
        field.set_input_files(file)

    def open(self, data: bytes, name: str = "photos.zip") -> None:
        self.upload(data, name)
        expect(self.page.get_by_text(name, exact=True)).to_be_visible()
        expect(self.page.locator("[data-ref=canvas]")).to_have_attribute("data-painted", "sharp")

    def run(self, label: str) -> None:
        self.page.get_by_test_id("stMain").get_by_role("button", name=label, exact=True).click()
        expect(self.page.get_by_text(re.compile(r"images? in [\d.]+ s")).first).to_be_visible()

    @property
    def answer(self) -> Locator:
        """Class and confidence beside the image on show."""
        return self.page.locator("[data-ref=answers]").first

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def shoot(self, name: str) -> None:
        ARTIFACTS.mkdir(exist_ok=True)
        self.page.screenshot(path=ARTIFACTS / f"{name}.png")


def test_from_a_zip_to_named_images(app: App, photos: bytes) -> None:
    page = app.page
    app.open(photos)
    expect(page.get_by_text(f"{COUNT} images")).to_be_visible()
    page.get_by_role("button", name="2 skipped").click()
    expect(page.get_by_text("not part of the stack")).to_be_visible()
    page.keyboard.press("Escape")

    page.locator("[data-ref=stage]").click()
    app.press("ArrowRight", "ArrowRight", "x", "ArrowRight", "x")
    expect(page.locator("[data-ref=position]")).to_have_text(f"4 / {COUNT}")
    expect(page.get_by_text("photo 4.png", exact=True).first).to_be_visible()
    expect(app.answer).not_to_contain_text("OpenVINO INT8")

    expect(page.get_by_role("button", name="Selected (2)")).to_be_enabled()
    app.run("Selected (2)")
    expect(app.answer).to_contain_text("OpenVINO INT8")
    app.press("Home")
    expect(app.answer).not_to_contain_text("OpenVINO INT8")  # image 1 was not selected
    app.shoot("recognised-selected")


@pytest.mark.torch
def test_both_engines_side_by_side_and_in_files(app: App, photos: bytes) -> None:
    page = app.page
    app.open(photos)
    page.get_by_text("Compare with PyTorch").click()
    app.run(f"All ({COUNT})")
    expect(app.answer).to_contain_text("OpenVINO INT8")
    expect(page.locator("[data-ref=answers]")).to_contain_text("PyTorch FP32")

    page.get_by_role("link", name="Inference").click()
    expect(page.get_by_text("Speed-up")).to_be_visible()
    expect(page.get_by_text(re.compile(rf"^\d+ of {COUNT}$"))).to_be_visible()
    page.get_by_test_id("stDataFrame").first.hover()
    expect(page.get_by_role("button", name="Search").first).to_be_visible()
    expect(page.get_by_role("button", name="Download as CSV"), "it would hold formulas").to_have_count(0)
    with page.expect_download() as as_csv:
        page.get_by_role("button", name="Download CSV").click()
    rows = list(csv.DictReader(as_csv.value.path().read_text(encoding="utf-8").splitlines()))
    assert len(rows) == 2 * COUNT
    assert {row["engine"] for row in rows} == {"openvino-int8", "pytorch-fp32"}
    assert [row["filename"] for row in rows[::2]] == [f"series/photo {number}.png" for number in range(1, COUNT + 1)]
    with page.expect_download() as as_json:
        page.get_by_role("button", name="Download JSON").click()
    entries = json.loads(as_json.value.path().read_text(encoding="utf-8"))
    assert [entry["class"] for entry in entries] == [row["class"] for row in rows]
    assert all(len(entry["top5"]) == 5 for entry in entries)

    strip = page.frame_locator("iframe[title*=image_select]")
    expect(strip.get_by_text("1: ", exact=False).first).to_be_visible()
    assert "accura" not in page.get_by_test_id("stMain").inner_text().lower(), "agreement is not accuracy"
    app.shoot("compared")


def test_one_zip_after_another_is_opened_and_painted(app: App, photos: bytes) -> None:
    app.open(photos)
    stage = app.page.locator("[data-ref=stage]")
    for number in (1, 2):
        shade = 60 * number
        app.upload(zip_bytes({"grey.png": png_bytes(np.full((300, 400, 3), shade))}), f"grey {number}.zip")
        expect(app.page.get_by_role("strong").filter(has_text=f"grey {number}.zip")).to_be_visible()
        expect(app.page.locator("[data-ref=canvas]")).to_have_attribute("data-painted", "sharp")
        expect(app.page.get_by_label("Zoom in percent")).not_to_have_value("0%")
        wait_until(lambda shade=shade: shown(stage)[:3] == (shade, shade, shade), "the new image")  # type: ignore[misc]
        expect(app.page.get_by_role("button", name="Open another stack")).to_be_visible()


def shown(stage: Locator) -> tuple[int, ...]:
    """The colour in the middle of what is on screen."""
    picture = Image.open(io.BytesIO(stage.screenshot())).convert("RGB")
    found = picture.getpixel((picture.width // 2, picture.height // 2))
    assert isinstance(found, tuple)
    return found


BAD_INPUT = {
    "not a zip": (b"plain text", "not a ZIP"),
    "truncated": (zip_bytes({"a.png": photo(0)})[:-40], "ends too early"),
    "encrypted": (zip_bytes({"a.png": photo(0)}, edit=encrypted), "password"),
    "empty": (zip_bytes({}), "empty"),
    "text named png": (zip_bytes({"a.png": b"text"}), "no usable image"),
}


def test_bad_input_gets_a_sentence_and_the_stack_stays(app: App, photos: bytes) -> None:
    app.open(photos)
    for name, (data, sentence) in BAD_INPUT.items():
        app.page.get_by_role("button", name="Open another stack").wait_for()
        app.upload(data, "bad.zip")
        alert = app.page.get_by_role("alert").filter(has_text=sentence)
        expect(alert, name).to_have_count(1)
        expect(alert).to_contain_text("still here")
        expect(app.page.locator("[data-ref=position]")).to_have_text(f"1 / {COUNT}")


def test_a_broken_image_has_a_reason_and_spares_the_others(app: App) -> None:
    app.open(
        zip_bytes({"1 good.png": photo(1), "2 broken.png": BROKEN_PNGS["data stops early"], "3 good.png": photo(3)})
    )
    app.page.locator("[data-ref=stage]").click()
    app.run("All (3)")
    app.press("ArrowRight")
    expect(app.page.locator("[data-ref=stage]")).to_contain_text("damaged")
    app.press("ArrowRight")
    expect(app.answer).to_contain_text("OpenVINO INT8")


def test_cancel_keeps_what_was_recognised(app: App) -> None:
    one = png_bytes(np.zeros((8, 8, 3), int))
    app.open(zip_bytes({f"{number}.png": one for number in range(3000)}))
    app.page.get_by_role("button", name="All (3,000)").click()
    app.page.get_by_role("button", name="Cancel").click()
    expect(app.page.get_by_text("What was recognised so far is kept")).to_be_visible()
    expect(app.page.get_by_role("button", name="All (3,000)")).to_be_enabled()


def test_two_people_never_meet(browser: Browser, app: App, photos: bytes) -> None:
    app.open(photos)
    context = new_context(browser)
    other = App(context.new_page(), app.page.url)
    expect(other.page.get_by_text("photos.zip")).to_have_count(0)
    other.open(zip_bytes({"theirs.png": photo(99)}), "other.zip")
    other.run("All (1)")
    app.page.wait_for_timeout(500)
    expect(app.page.get_by_text("theirs.png")).to_have_count(0)
    expect(app.answer).not_to_contain_text("OpenVINO INT8")
    context.close()


def test_a_reload_a_second_tab_and_a_way_back_find_everything_again(app: App, photos: bytes) -> None:
    app.open(photos)
    app.page.locator("[data-ref=stage]").click()
    app.press("ArrowRight", "x", "ArrowRight")
    expect(app.page.get_by_role("button", name="Selected (1)")).to_be_enabled()
    app.run(f"All ({COUNT})")
    expect(app.answer).to_contain_text("OpenVINO INT8")
    answer = app.answer.inner_text()

    def is_as_before(page: Page) -> None:
        expect(page.locator("[data-ref=position]")).to_have_text(f"3 / {COUNT}")
        expect(page.get_by_role("button", name="Selected (1)")).to_be_enabled()
        expect(page.locator("[data-ref=answers]").first).to_have_text(answer, use_inner_text=True)

    app.page.reload()
    is_as_before(app.page)
    app.page.goto("about:blank")
    app.page.go_back()
    is_as_before(app.page)
    second = app.page.context.new_page()
    second.goto(app.page.url.partition("?")[0])
    is_as_before(second)

    second.locator("input[type=file]").set_input_files(
        {"name": "other.zip", "mimeType": "application/zip", "buffer": zip_bytes({"b.png": photo(50)})}
    )
    expect(second.get_by_text("other.zip", exact=True)).to_be_visible()
    expect(app.page.get_by_text("other.zip", exact=True)).to_be_visible()  # the first tab is in step

    app.page.bring_to_front()
    app.page.get_by_role("button", name="2 open").click()
    app.page.get_by_role("button", name="Show", exact=True).click()
    is_as_before(app.page)
    expect(second.get_by_text("photos.zip", exact=True)).to_be_visible()
    expect(app.page.locator("[data-ref=canvas]")).to_have_attribute("data-painted", "sharp")
    app.shoot("open-stacks")
    app.page.get_by_role("button", name="Close", exact=True).first.click()
    expect(app.page.get_by_text("Open in this browser")).to_be_visible()
    expect(app.page.get_by_text("photos.zip", exact=True)).to_have_count(0)
    expect(second.get_by_text("photos.zip", exact=True)).to_have_count(0)


def test_another_browser_sees_nothing_of_it(app: App, browser: Browser, photos: bytes) -> None:
    app.open(photos)
    (mine,) = [one for one in app.page.context.cookies() if one["name"] == "aisr_browser"]
    assert mine["httpOnly"]
    assert mine["value"] not in app.page.content()
    assert "aisr_browser" not in app.page.evaluate("document.cookie")
    context = new_context(browser)
    other = context.new_page()
    other.goto(app.page.url)  # the address alone, with the tag of the stack in it
    expect(other.get_by_role("button", name="Try a sample stack")).to_be_visible()
    expect(other.get_by_text("photos.zip")).to_have_count(0)
    context.close()


@pytest.mark.parametrize(
    "context_options",
    [{"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}],
    indirect=True,
)
def test_the_sample_stack_on_a_phone(app: App) -> None:
    app.page.get_by_role("button", name="Try a sample stack").click()
    expect(app.page.locator("[data-ref=canvas]")).to_have_attribute("data-painted", "sharp")
    app.run("Image 1")
    expect(app.answer).to_contain_text("OpenVINO INT8")
    width = app.page.evaluate("document.documentElement.scrollWidth")
    assert width <= 390, "nothing may stick out to the right"
    app.shoot("phone")


def test_a_closed_page_leaves_nothing_in_the_work_folder_after_the_server_stops(
    tmp_path: Path, model_cache: Path, browser: Browser, photos: bytes
) -> None:
    with streamlit_server(ROOT / "app.py", environment=folders(tmp_path, model_cache)) as address:
        context = new_context(browser)
        App(context.new_page(), address).open(photos)
        assert list((tmp_path / "work").glob("run-*/*/stack.zip"))
        context.close()
    assert not list((tmp_path / "work").iterdir())
