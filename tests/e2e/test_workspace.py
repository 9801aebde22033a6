"""The workspace on every kind of screen: what is seen without scrolling, and that nothing jumps."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, FloatRect, Locator, Page, expect

from tests.builders import photo_png, zip_bytes
from tests.e2e.contexts import new_context
from tests.e2e.layout_shift import MOST_SHIFT, STILL, WATCH, shifts
from tests.e2e.viewer import PHONE

pytestmark = pytest.mark.browser

COUNT = 30
STACK = zip_bytes({f"series/photo {number}.png": photo_png(120, 90, seed=number) for number in range(1, COUNT + 1)})
FINGER = 44  # CSS pixels


def open_stack(context: BrowserContext, address: str) -> Page:
    context.add_init_script(WATCH)
    page = context.new_page()
    page.goto(address)
    field = page.locator("input[type=file]")
    expect(field).to_be_attached()
    expect(page.get_by_role("button", name="Try a sample stack")).to_be_visible()
    expect(page.get_by_test_id("stMainBlockContainer")).to_have_css("padding-top", "72px")  # has its own style
    page.evaluate(STILL)
    field.set_input_files({"name": "photos.zip", "mimeType": "application/zip", "buffer": STACK})
    expect(page.locator("[data-ref=canvas]")).to_have_attribute("data-painted", "sharp")
    expect(run_button(page)).to_be_visible()
    assert shifts(page) <= MOST_SHIFT, "opening a stack"
    return page


@pytest.fixture(scope="module")
def wide(browser: Browser, app_server: str) -> Iterator[Page]:
    """The workspace by mouse; its window is resized."""
    context = new_context(browser, viewport={"width": 1440, "height": 900})
    yield open_stack(context, app_server)
    context.close()


@pytest.fixture(scope="module")
def phone(browser: Browser, app_server: str) -> Iterator[Page]:
    """The workspace by touch."""
    context = new_context(browser, **PHONE)
    yield open_stack(context, app_server)
    context.close()


def run_button(page: Page) -> Locator:
    return page.get_by_role("button", name=f"All ({COUNT})", exact=True)


def box(locator: Locator) -> FloatRect:
    found = locator.bounding_box()
    assert found, locator
    return found


def resize(page: Page, width: int, height: int) -> None:
    """Give the window a size, and wait until everything stands where it belongs at that size."""
    page.set_viewport_size({"width": width, "height": height})
    page.evaluate(STILL)


def is_on_screen(page: Page, *parts: Locator) -> None:
    """Each part is in the window as a whole, without scrolling."""
    size = page.viewport_size
    assert size
    for part in parts:
        found = box(part)
        assert found["x"] >= 0 and found["x"] + found["width"] <= size["width"], (part, found)
        assert found["y"] >= 0 and found["y"] + found["height"] <= size["height"], (part, found)


def nothing_sticks_out(page: Page) -> None:
    size = page.viewport_size
    assert size
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    assert page.evaluate("document.querySelector('.stMain').scrollWidth") <= size["width"]


def part(page: Page, name: str) -> Locator:
    return page.locator(f"[data-ref={name}]")


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (1920, 1080), (1100, 768)])
def test_wide_everything_is_on_one_screen(wide: Page, width: int, height: int) -> None:
    resize(wide, width, height)
    names = ("stage", "answers", "verdict", "scroller", "filter", "slider", "position", "percent", "windowing")
    is_on_screen(wide, *(part(wide, name) for name in (*names, "fullScreen", "keep")), run_button(wide))
    is_on_screen(wide, wide.get_by_role("button", name=re.compile("Starter · ")), wide.get_by_text("Label").first)
    assert box(part(wide, "stage"))["height"] >= 0.6 * height
    main = wide.get_by_test_id("stMain")
    assert main.evaluate("(main) => main.scrollHeight - main.clientHeight") == 0, "the page scrolls"
    nothing_sticks_out(wide)
    expect(part(wide, "film")).to_be_hidden()  # the gallery is there instead
    expect(wide.get_by_test_id("stSidebar")).to_be_hidden()
    expect(wide.get_by_role("link", name="Inference")).to_be_visible()


def test_the_gallery_is_resized_and_collapses_down_to_a_filmstrip(wide: Page) -> None:
    resize(wide, 1440, 900)
    gallery, splitter = part(wide, "gallerySide"), part(wide, "splitter")
    before = box(gallery)["width"]
    place = box(splitter)
    wide.mouse.move(place["x"] + 4, 400)
    wide.mouse.down()
    wide.mouse.move(place["x"] + 104, 400, steps=4)
    wide.mouse.up()
    assert abs(box(gallery)["width"] - before - 100) <= 1
    splitter.press("ArrowLeft")
    width = box(gallery)["width"]
    assert abs(width - before - 76) <= 1
    expect(part(wide, "position")).to_have_text(f"1 / {COUNT}")  # the arrow moved nothing else

    wide.get_by_role("button", name="Gallery", exact=True).click()
    expect(gallery).to_be_hidden()
    film = part(wide, "film")
    is_on_screen(wide, film)
    assert box(part(wide, "stage"))["height"] >= 0.6 * 900
    film.get_by_role("button", name="Show image 3", exact=True).click()
    expect(part(wide, "position")).to_have_text(f"3 / {COUNT}")
    expect(film.locator("[aria-current]")).to_have_accessible_name("Show image 3")

    wide.reload()  # both are remembered
    expect(part(wide, "canvas")).to_have_attribute("data-painted", "sharp")
    expect(gallery).to_be_hidden()
    part(wide, "stage").focus()
    wide.keyboard.press("g")
    expect(gallery).to_be_visible()
    assert abs(box(gallery)["width"] - width) <= 1
    splitter.dblclick()
    assert abs(box(gallery)["width"] - before) <= 1


def test_full_screen_keeps_filmstrip_and_answer(wide: Page) -> None:
    resize(wide, 1440, 900)
    part(wide, "stage").focus()
    wide.keyboard.press("f")
    expect(part(wide, "fullScreen")).to_have_attribute("aria-pressed", "true")
    expect(part(wide, "film")).to_be_visible()
    expect(part(wide, "verdict")).to_be_visible()
    expect(part(wide, "gallerySide")).to_be_hidden()
    wide.keyboard.press("f")
    expect(part(wide, "gallerySide")).to_be_visible()


@pytest.mark.parametrize(("width", "height"), [(1024, 768), (390, 844), (320, 568), (844, 390)])
def test_narrow_the_image_comes_first_and_all_is_in_reach_of_a_thumb(phone: Page, width: int, height: int) -> None:
    resize(phone, width, height)
    phone.get_by_test_id("stMain").evaluate("(main) => main.scrollTo(0, 0)")
    stage, film, run = part(phone, "stage"), part(phone, "film"), run_button(phone)
    is_on_screen(phone, stage, part(phone, "summary"), film, part(phone, "position"), run)
    nothing_sticks_out(phone)
    assert box(stage)["height"] >= 0.4 * height
    assert box(run)["y"] >= height - 64, "the actions stay at the lower edge"
    for name in ("galleryToggle", "previous", "next", "toolsToggle", "summary"):
        found = box(part(phone, name))
        assert min(found["width"], found["height"]) >= FINGER, name
    assert box(run)["height"] >= FINGER
    for toggle, side in (("galleryToggle", "gallerySide"), ("summary", "answerSide"), ("toolsToggle", "toolsSide")):
        expect(part(phone, side)).to_be_hidden()
        part(phone, toggle).tap()
        expect(part(phone, side)).to_be_visible()
        is_on_screen(phone, part(phone, side))
        nothing_sticks_out(phone)
        for control in part(phone, side).locator("button:visible, select:visible").all():
            assert box(control)["x"] + box(control)["width"] <= width, control
        part(phone, side).get_by_role("button", name=re.compile("^Close")).tap()
        expect(part(phone, side)).to_be_hidden()


def test_an_image_of_the_gallerys_sheet_opens_and_the_sheet_goes(phone: Page) -> None:
    resize(phone, 390, 844)
    part(phone, "galleryToggle").tap()
    phone.locator(".cell[data-index='1'] .pick").tap()
    expect(part(phone, "gallerySide")).to_be_visible()  # selecting goes on
    phone.locator(".cell[data-index='1']").get_by_role("button").tap()
    expect(part(phone, "gallerySide")).to_be_hidden()
    expect(part(phone, "position")).to_have_text(f"2 / {COUNT}")
    expect(phone.get_by_role("button", name="Selected (1)")).to_be_enabled()


def test_nothing_jumps_while_something_runs_or_another_model_is_chosen(wide: Page) -> None:
    resize(wide, 1440, 900)
    expect(part(wide, "gallerySide")).to_be_visible()
    shifts(wide)
    stands = box(part(wide, "stage"))
    run_button(wide).click()
    expect(wide.get_by_text(re.compile(r"images in [\d.]+ s"))).to_be_visible()
    expect(part(wide, "best").locator("li")).to_have_count(5)
    expect(wide.locator(".cell .class").first).to_be_visible()
    assert shifts(wide) <= MOST_SHIFT, "a run"
    assert box(part(wide, "stage")) == stands

    wide.get_by_role("button", name=re.compile("Starter · ")).click()
    engine = wide.get_by_role("combobox", name="Engine")
    engine.click()
    wide.get_by_role("option", name="OpenVINO FP32").click()
    expect(wide.get_by_role("button", name=re.compile("Starter · OpenVINO FP32"))).to_be_visible()
    wide.keyboard.press("Escape")
    expect(engine).to_be_hidden()
    assert shifts(wide) <= MOST_SHIFT, "another engine"
    assert box(part(wide, "stage")) == stands

    wide.get_by_role("link", name="Inference").click()
    expect(wide.get_by_role("button", name="Download CSV")).to_be_visible()
    expect(wide.get_by_test_id("stDataFrame").first).to_be_visible()
    assert shifts(wide) <= MOST_SHIFT, "another page"
    wide.get_by_test_id("stTopNav").get_by_role("link", name="Viewer").click()
    expect(part(wide, "canvas")).to_have_attribute("data-painted", "sharp")
    expect(run_button(wide)).to_be_visible()
    assert shifts(wide) <= MOST_SHIFT, "back from another page"
    assert box(part(wide, "stage")) == stands


def test_filter_order_view_and_selection_are_found_again(browser: Browser, app_server: str) -> None:
    context = new_context(browser, viewport={"width": 1440, "height": 900})
    page = open_stack(context, app_server)
    hints = part(page, "hints")
    expect(hints.get_by_role("listitem")).to_have_count(3)
    hints.get_by_role("button", name="Got it").click()
    run_button(page).click()
    expect(page.locator(".cell .class").first).to_be_visible()
    part(page, "filter").fill("photo 1")
    page.get_by_role("button", name="Filter and sort").click()
    page.get_by_label("Sort by").select_option("By confidence")
    page.get_by_role("button", name="All matching").click()
    part(page, "stage").focus()
    page.keyboard.press("b")
    for key in ("ArrowRight", "ArrowRight", "r", "1", "w"):
        page.keyboard.press(key)
    page.get_by_role("button", name="Invert brightness").click()
    expect(page).to_have_url(re.compile(r"image=3&name=photo\+1&sort=-confidence$"))
    expect(page.get_by_role("button", name="Selected (11)")).to_be_enabled()
    first = page.locator(".cell[aria-posinset='1']")
    index = first.get_attribute("data-index")
    assert index

    def is_as_before() -> None:
        expect(part(page, "position")).to_have_text(f"3 / {COUNT}")
        expect(part(page, "filter")).to_have_value("photo 1")
        expect(part(page, "sort")).to_have_value("confidence")
        expect(part(page, "count")).to_have_text(f"11 of {COUNT} selected, 11 shown")
        expect(part(page, "percent")).to_have_value("100%")
        expect(part(page, "reset")).to_be_enabled()
        expect(part(page, "windowing")).to_have_attribute("aria-pressed", "true")
        expect(part(page, "besideName")).to_contain_text("1: series/photo 1.png")
        expect(first).to_have_attribute("data-index", index)
        expect(hints).to_be_hidden()  # for good

    page.reload()
    is_as_before()
    page.get_by_role("link", name="Inference").click()
    expect(page.get_by_role("button", name="Download CSV")).to_be_visible()
    page.go_back()
    is_as_before()
    page.go_forward()
    expect(page.get_by_role("button", name="Download CSV")).to_be_visible()
    page.go_back()
    is_as_before()
    page.get_by_role("button", name="Clear filters").click()
    expect(page).to_have_url(re.compile(r"image=3&sort=-confidence$"))
    context.close()
