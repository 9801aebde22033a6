"""The gallery's filters, sorting and selecting gestures in a real browser."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.viewer import PHONE, Viewer

pytestmark = pytest.mark.browser

ANSWERED = range(1, 41, 2)  # the numbers of the images with answers, the surest first


@pytest.fixture
def answered(viewer: Viewer) -> Viewer:
    """Viewer and gallery of a stack of which every other image is recognised, by two engines."""
    viewer.page.get_by_text("Results").click()
    expect(viewer.cell(1)).to_contain_text("cat98.3%")
    return viewer


def in_order(viewer: Viewer) -> list[int]:
    """The numbers of the images on show, from the top left."""
    cells = viewer.page.locator(".cell").all()
    found = [(cell.get_attribute("aria-posinset"), cell.get_attribute("data-index")) for cell in cells]
    return [int(index or 0) + 1 for _, index in sorted(found, key=lambda pair: int(pair[0] or 0))]


def shows(viewer: Viewer, count: int, first: Sequence[int]) -> None:
    """The gallery shows ``count`` images, and it begins with ``first``."""
    suffix = f", {count} shown" if count < 40 else ""
    expect(viewer.count).to_have_text(re.compile(f"of 40 selected{suffix}$"))
    expect(viewer.page.locator(f".cell[data-index='{first[0] - 1}']")).to_have_attribute("aria-posinset", "1")
    assert in_order(viewer)[: len(first)] == list(first)


def test_filters_narrow_each_other_down_and_are_cleared(answered: Viewer) -> None:
    page = answered.page
    page.get_by_label("Class", exact=True).select_option("dog (7)")
    shows(answered, 7, [3, 9, 15])
    page.get_by_label("Least confidence in percent").fill("80")
    shows(answered, 3, [3, 9, 15])
    page.get_by_label("Most confidence in percent").fill("95")
    shows(answered, 2, [9, 15])
    page.get_by_label("Filter by name").fill("15")
    shows(answered, 1, [15])
    page.get_by_role("button", name="All matching").click()
    expect(answered.count).to_have_text("1 of 40 selected, 1 shown")
    page.get_by_role("button", name="Clear filters").click()
    shows(answered, 40, [1, 2, 3])
    answered.selects(15)
    expect(page.get_by_role("button", name="Clear filters")).to_be_hidden()


def test_images_that_show_none_of_the_classes_are_called_that_and_found(answered: Viewer) -> None:
    page = answered.page
    expect(answered.cell(7)).to_contain_text("None of these")
    expect(answered.cell(7)).to_contain_text("nearest: cat")
    expect(answered.cell(7)).not_to_contain_text("%")  # of the nearest class, which says nothing about this image
    expect(answered.cell(1)).not_to_contain_text("None of these")
    page.get_by_label("Known", exact=True).select_option("None of these")
    shows(answered, 1, [7])
    page.get_by_label("Known", exact=True).select_option("Known")
    shows(answered, 19, [1, 3, 5, 9])
    page.get_by_role("button", name="Clear filters").click()
    shows(answered, 40, [1, 2, 3])
    answered.cell(7).locator(".open").click()
    first = page.locator("[data-ref=answers] .answer").first
    expect(first).to_contain_text("None of thesenearest: cat")
    expect(first).not_to_contain_text("%")
    expect(page.locator("[data-ref=answers]")).to_contain_text("not calibrated")


def test_only_images_on_which_the_engines_differ(answered: Viewer) -> None:
    answered.page.get_by_label("Engines differ").check()
    shows(answered, 1, [5])
    answered.page.get_by_role("button", name="Invert").click()
    expect(answered.count).to_have_text("1 of 40 selected, 1 shown")
    answered.page.get_by_label("Most confidence in percent").fill("10")
    expect(answered.page.get_by_text("No image matches the filters.")).to_be_visible()


@pytest.mark.parametrize(
    ("key", "first", "other_way"),
    [
        ("By confidence", [1, 3, 5], [39, 37, 35]),
        ("By class", [1, 7, 13], [5, 11, 17]),
        ("By difference", [5, 39, 37], [9, 7, 11]),
        ("By name", [4, 1, 2], [40, 39, 38]),
        ("By position", [1, 2, 3], [40, 39, 38]),
    ],
)
def test_sorting(answered: Viewer, key: str, first: list[int], other_way: list[int]) -> None:
    answered.page.get_by_label("Sort by").select_option(key)
    shows(answered, 40, first)
    answered.page.get_by_role("button", name="Descending").click()
    shows(answered, 40, other_way)
    unanswered = in_order(answered)[-1]
    assert key in ("By name", "By position") or unanswered not in ANSWERED, "what has no answer comes last"


def test_without_answers_nothing_asks_for_them(viewer: Viewer) -> None:
    expect(viewer.page.get_by_label("Class", exact=True)).to_be_hidden()
    expect(viewer.page.get_by_label("Sort by").locator("option:not([hidden])")).to_have_text(["By position", "By name"])


def test_filters_end_with_the_results_they_are_about(answered: Viewer) -> None:
    answered.page.get_by_label("Engines differ").check()
    answered.page.get_by_label("Sort by").select_option("By confidence")
    shows(answered, 1, [5])
    answered.page.get_by_text("Results").click()
    shows(answered, 40, [1, 2, 3])


def test_captions_say_who_said_what_and_how_sure(answered: Viewer) -> None:
    expect(answered.cell(1).locator(".engine")).to_have_text("OpenVINO INT8")
    expect(answered.cell(1).get_by_role("button")).to_have_accessible_name(
        "Image 1: series é/frame_00001.png; cat 98.3%, OpenVINO INT8, model starter; "
        "cat 91.0%, PyTorch FP32, model starter, not calibrated"
    )
    colours = {
        number: answered.cell(number).locator(".confidence").evaluate("(e) => getComputedStyle(e).backgroundColor")
        for number in (1, 3, 21)
    }
    assert colours[1] == colours[3] == "rgb(0, 114, 178)"
    assert colours[21] == "rgb(230, 159, 0)"
    expect(answered.cell(2).locator(".confidence")).to_have_count(0)


def drag(page: Page, viewer: Viewer, first: int, last: int, *modifiers: str) -> None:
    """Draw a rectangle from the middle of one image to the middle of another."""
    start, end = viewer.cell(first).bounding_box(), viewer.cell(last).bounding_box()
    assert start and end
    for modifier in modifiers:
        page.keyboard.down(modifier)
    page.mouse.move(start["x"] + start["width"] / 2, start["y"] + start["height"] / 2)
    page.mouse.down()
    page.mouse.move(end["x"] + end["width"] / 2, end["y"] + end["height"] / 2, steps=5)
    page.mouse.up()
    for modifier in modifiers:
        page.keyboard.up(modifier)


def test_a_drawn_rectangle_selects(viewer: Viewer) -> None:
    page = viewer.page
    viewer.page.locator("[data-ref=scroller]").scroll_into_view_if_needed()
    columns = len({round(cell.bounding_box()["x"]) for cell in page.locator(".cell").all()})  # type: ignore[index]
    drag(page, viewer, 1, columns + 2)
    viewer.selects(1, 2, columns + 1, columns + 2)
    viewer.shows(1)
    expect(page.locator("[data-ref=marquee]")).to_be_hidden()
    drag(page, viewer, columns + 4, 4, "Control")
    viewer.selects(1, 2, 4, columns + 1, columns + 2, columns + 4)
    drag(page, viewer, 2, 3)
    viewer.selects(2, 3)
    viewer.told(1, 2)
    viewer.cell(5).get_by_role("button").click()
    viewer.shows(5)  # a click is still a click
    viewer.selects(2, 3)


def test_a_rectangle_drawn_beyond_the_edge_scrolls_along(viewer: Viewer) -> None:
    page = viewer.page
    scroller = page.locator("[data-ref=scroller]")
    scroller.scroll_into_view_if_needed()
    start, box = viewer.cell(2).bounding_box(), scroller.bounding_box()
    assert start and box
    page.mouse.move(start["x"] + 20, start["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 40, box["y"] + box["height"] - 4, steps=5)
    expect(viewer.cell(40)).to_be_in_viewport()
    page.mouse.up()
    columns = len({round(cell.bounding_box()["x"]) for cell in page.locator(".cell").all()})  # type: ignore[index]
    outside = len(range(1, 41, columns))  # the first column
    expect(viewer.count).to_have_text(f"{40 - outside} of 40 selected")


@pytest.mark.parametrize("context_options", [PHONE], indirect=True)
def test_on_a_phone_filters_unfold_and_a_long_press_selects(viewer: Viewer) -> None:
    page = viewer.page
    expect(page.get_by_label("Sort by")).to_be_hidden()
    fold = page.get_by_role("button", name="Filter and sort")
    fold.tap()
    expect(fold).to_have_attribute("aria-expanded", "true")
    expect(page.get_by_label("Sort by")).to_be_visible()
    page.get_by_text("Results").tap()
    expect(page.get_by_label("Class", exact=True)).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    fold.tap()
    expect(page.get_by_label("Class", exact=True)).to_be_hidden()

    cell = viewer.cell(2)
    cell.get_by_role("button").tap(trial=True)
    box = cell.bounding_box()
    assert box
    session = page.context.new_cdp_session(page)
    point = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
    session.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [point]})
    expect(cell.get_by_role("checkbox")).to_be_checked()
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    viewer.told(1, 1)
    expect(viewer.position).to_have_text("1 / 40")  # it was not opened as well
