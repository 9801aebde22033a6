"""Teaching in a real browser: label by keys, by selection and by touch, see it learn, make the model, use it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, WebSocketRoute, expect
from streamlit.proto.BackMsg_pb2 import BackMsg

from tests.e2e.teach import EACH, FILES, Teach, begun, choose, chosen
from tests.e2e.test_accessibility import is_accessible
from tests.e2e.viewer import PHONE

pytestmark = pytest.mark.browser
WIDE = {"viewport": {"width": 1440, "height": 1000}}


def test_by_keys_alone_label_see_suggestions_accept_correct_and_undo(teach: Teach) -> None:
    teach.choose(1)
    teach.press("1")
    teach.current(2)
    teach.label(1, "lying")
    expect(teach.suggestion(5)).to_have_count(0)
    teach.press("1")
    teach.choose(13)
    teach.press("2", "2")
    teach.counts(lying=2, upright=2)
    teach.current(15)
    expect(teach.suggestion(15)).to_have_text("upright")
    expect(teach.cell(15).locator(".confidence")).to_have_text(re.compile(r"^\d+%$"))
    expect(teach.page.get_by_role("button", name="Accept upright")).to_be_enabled()
    teach.shoot("suggestions")
    teach.press("Enter")
    teach.label(15, "upright")
    teach.current(16)
    teach.press("1")
    teach.label(16, "lying")  # a number says otherwise
    teach.press("Control+z")
    teach.label(16, None)
    teach.current(16)
    teach.press("Control+Shift+z")
    teach.label(16, "lying")
    teach.choose(16)
    teach.press("Backspace")
    teach.label(16, None)
    teach.counts(lying=2, upright=3)
    teach.press("9")
    teach.counts(lying=2, upright=3)
    main = teach.page.get_by_test_id("stMain").inner_text()
    assert "onfidence" not in main, "a share is no confidence"


def test_a_press_counts_that_comes_together_with_a_report_of_the_gallery(page: Page, app_server: str) -> None:
    """The report begins a run of its own, and holds nothing of the press."""
    reports = 0

    def join(browser: WebSocketRoute) -> None:
        app = browser.connect_to_server()

        def forward(sent: str | bytes) -> None:
            nonlocal reports
            app.send(sent)
            message = BackMsg.FromString(sent) if isinstance(sent, bytes) else BackMsg()
            widgets = message.rerun_script.widget_states.widgets
            others = [one for one in widgets if not one.trigger_value]
            if len(others) < len(widgets):
                del widgets[:]
                widgets.extend(others)
                for _ in range(3):
                    reports += 1
                    app.send(message.SerializeToString())

        browser.on_message(forward)

    page.route_web_socket(re.compile("_stcore/stream"), join)
    page.goto(app_server)
    teach = Teach(page)
    teach.open(FILES)
    teach.go("Teach")
    names = [f"class {number}" for number in range(5)]
    teach.add(*names)
    assert reports >= 3 * len(names)
    assert page.locator(".chip:not(.take) .name").all_inner_texts() == names


def test_the_review_brings_one_after_another(teach: Teach) -> None:
    begun(teach)
    teach.page.get_by_role("button", name="Review", exact=True).click()
    seen = set()
    for _ in range(4):
        expect(teach.page.get_by_role("button", name=re.compile("^Accept (lying|upright)"))).to_be_enabled()
        shown = teach.page.locator("[data-ref=position]").inner_text()
        number = int(shown.split(" / ")[0])
        assert number not in seen
        seen.add(number)
        teach.page.locator("[data-ref=stage]").focus()
        teach.press("1" if number <= EACH else "2")
        expect(teach.page.locator("[data-ref=position]")).not_to_have_text(shown)
    assert not seen & {1, 2, 13, 14}
    lying = sum(number <= EACH for number in seen)
    teach.counts(lying=2 + lying, upright=2 + 4 - lying)


def test_one_key_and_one_chip_label_a_selection(teach: Teach) -> None:
    page = teach.page
    teach.select(1, 6)
    teach.press("1")
    teach.counts(lying=6, upright=0)
    expect(page.locator("[data-ref=count]")).to_have_text("0 of 24 selected")
    page.get_by_role("button", name="All", exact=True).click()
    teach.chip("upright").click()
    teach.counts(lying=0, upright=24)
    page.get_by_role("button", name="Undo").click()
    teach.counts(lying=6, upright=0)
    teach.choose(9)
    page.get_by_label("Give a class").select_option("upright")
    teach.counts(lying=6, upright=1)


def test_labels_outlive_pages_and_what_is_saved_a_reload(teach: Teach, app_server: str) -> None:
    page = teach.page
    begun(teach)
    teach.go("Inference")
    expect(page.get_by_text("Nothing is recognised yet")).to_be_visible()
    page.get_by_test_id("stMain").get_by_role("button", name="All (24)").click()
    expect(page.get_by_role("button", name="Download CSV")).to_be_visible()
    choose(page, "Engine", "OpenVINO INT8", "PyTorch FP32")
    teach.go("Teach")
    teach.counts(lying=2, upright=2)

    asked: list[str] = []
    page.on("dialog", lambda dialog: asked.append(dialog.type))
    page.get_by_role("button", name="Session").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Save session").click()
    saved = download.value.path().read_bytes()
    page.keyboard.press("Escape")
    teach.choose(20)
    teach.press("2")
    teach.counts(lying=2, upright=3)
    page.reload()
    assert asked == ["beforeunload"]
    teach.counts(lying=2, upright=3)
    page.context.clear_cookies()  # another browser
    page.goto(app_server)
    expect(page.get_by_role("button", name="Try a sample stack")).to_be_visible()

    teach.open(FILES, "renamed.zip")
    teach.go("Teach")
    page.get_by_role("button", name="Session").click()
    field = page.get_by_test_id("stFileUploader").locator("input[type=file]")
    field.set_input_files({"name": "s.json", "mimeType": "application/json", "buffer": b"{}"})
    expect(page.get_by_text("This is no session saved on the Teach page")).to_be_visible()
    if not field.count():
        page.get_by_role("button", name="Session").click()
    expect(chosen(page, "OpenVINO INT8")).to_be_visible()
    field.set_input_files({"name": "s.json", "mimeType": "application/json", "buffer": saved})
    teach.counts(lying=2, upright=2)
    expect(chosen(page, "PyTorch FP32")).to_be_visible()
    teach.go("Inference")
    expect(page.get_by_role("button", name="Download CSV")).to_be_visible()
    expect(page.get_by_text("Nothing is recognised yet")).to_have_count(0)


def test_a_csv_gives_labels_and_a_hostile_one_a_sentence(teach: Teach, tmp_path: Path) -> None:
    page = teach.page
    labels = tmp_path / "labels.csv"

    def send(text: str) -> None:
        field = page.locator("input[type=file][aria-label='Labels as CSV']")
        if not field.count():
            page.get_by_role("button", name="Labels from").click()
        labels.write_text(text)
        field.set_input_files(labels)

    send("lying/00.png,lying\nlying/01.png,lying\nupright/00.png,upright\nnobody.png,upright\n")
    expect(page.get_by_text("3 images have one now. 1 of its lines are about files that are not")).to_be_visible()
    teach.counts(lying=2, upright=1)
    for text, sentence in {
        "lying/00.png,lying\nlying/00.png,upright\n": "two classes",
        "lying/00.png,=cmd|calc\n": "formula",
        "lying/00.png,lying\n" * 200_000: "100,000 lines",
        "lying/00.png,<b>x</b>\n" * 1_000_000: "larger than",
        "no,body\n": "names no image of this stack",
        "lying/02.png,lying\nlying/03.png,a\x00b\n": "cannot be shown",
        "\x00\xff" * 9: "names no image of this stack",
    }.items():
        send(text)
        alert = page.get_by_role("alert").filter(has_text=sentence)
        expect(alert).to_be_visible()
        expect(alert.locator("p")).to_have_count(1)
        teach.counts(lying=2, upright=1)

    # Markup is a name like any other, and stays text.
    send("lying/02.png,<img src=x onerror=alert(1)>**bold**\n")
    chip = page.locator(".chip .name").nth(2)
    expect(chip).to_have_text("<img src=x onerror=alert(1)>**bold**")
    expect(page.locator("img[src='x']")).to_have_count(0)
    teach.counts(lying=2, upright=1)
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".chip .name")).to_have_text(["lying", "upright", "No label"])


@pytest.mark.parametrize("context_options", [PHONE], indirect=True, ids=["phone"])
def test_by_touch(teach: Teach) -> None:
    page = teach.page
    for button in (teach.chip("lying"), page.get_by_role("button", name="No label")):
        box = button.bounding_box()
        assert box
        assert box["height"] >= 44
    teach.cell(1).get_by_role("button").tap()
    teach.chip("lying").tap()
    teach.label(1, "lying")
    teach.chip("lying").tap()
    teach.counts(lying=2, upright=0)
    teach.cell(1).get_by_role("button").tap()
    page.get_by_role("button", name="No label").tap()
    teach.label(1, None)
    page.get_by_role("button", name="Undo").tap()
    teach.label(1, "lying")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    teach.shoot("phone")


def test_a_number_of_the_confusion_matrix_opens_its_images(teach: Teach) -> None:
    page = teach.page
    teach.select(1, 8)
    teach.press("1")
    teach.select(13, 20)
    teach.press("2")
    teach.choose(12)
    teach.press("2")  # is lying, and looks like it
    teach.counts(lying=8, upright=9)
    page.get_by_role("tab", name="How good it is").click()
    expect(page.get_by_test_id("stMetricValue")).to_have_text("94.1%")
    matrix = page.get_by_test_id("stDataFrame").nth(1)
    matrix.scroll_into_view_if_needed()
    box = matrix.bounding_box()
    assert box

    def click(row: int, column: int) -> None:
        """A number: two columns beside that of the names, which is narrow; 35 pixels a row, the header's included."""
        matrix.click(position={"x": box["width"] * (column + 1.5) / 3, "y": 35 * (row + 1.5)})

    click(1, 0)  # called upright, looks lying
    teach.current(12)
    expect(page.locator("[data-ref=count]")).to_have_text("1 of 24 selected")
    click(1, 1)
    teach.current(13)
    expect(page.locator("[data-ref=count]")).to_have_text("8 of 24 selected")
    click(0, 1)  # nothing is there
    expect(page.locator("[data-ref=count]")).to_have_text("8 of 24 selected")
    teach.counts(lying=8, upright=9)


@pytest.mark.parametrize("context_options", [WIDE], indirect=True, ids=["wide"])
def test_nothing_serious_before_and_after_labels(teach: Teach) -> None:
    is_accessible(teach.page, "two classes")
    for first, key in ((1, "1"), (13, "2")):
        teach.select(first, first + 3)
        teach.press(key)
    expect(teach.suggestion(17)).to_be_visible()
    is_accessible(teach.page, "suggestions")
    teach.page.get_by_role("tab", name="How good it is").click()
    expect(teach.page.get_by_text("Right on examples it had not seen")).to_be_visible()
    is_accessible(teach.page, "quality")
    teach.page.get_by_role("tab", name="Make the model").click()
    is_accessible(teach.page, "model")
