"""Teaching in a real browser: label by keys, by selection and by touch, see it learn, make the model, use it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, WebSocketRoute, expect
from streamlit.proto.BackMsg_pb2 import BackMsg

from tests.builders import zip_bytes
from tests.e2e.server import ARTIFACTS, ROOT, folders, streamlit_server
from tests.e2e.test_accessibility import is_accessible
from tests.e2e.viewer import PHONE
from tests.unit.teach.stripes import stripes, stripes_files

pytestmark = pytest.mark.browser

EACH = 12  # lying ones at 1 to 12, upright ones at 13 to 24
FILES = stripes_files(EACH)
LIGHT = {"viewport": {"width": 1440, "height": 1000}, "color_scheme": "light"}
DARK = {"viewport": {"width": 1440, "height": 1000}, "color_scheme": "dark"}


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> dict[str, str]:
    """Of a server that keeps taught models."""
    return folders(tmp_path_factory.mktemp("app"), model_cache) | {"AISR_KEEP_MODELS": "yes"}


@pytest.fixture(scope="module")
def server(environment: dict[str, str]) -> Iterator[str]:
    """Its address."""
    with streamlit_server(ROOT / "app.py", environment=environment) as address:
        yield address


class Teach:
    """The Teach page as a person sees it; images by their number, from 1."""

    def __init__(self, page: Page, *, phone: bool = False) -> None:
        self.page = page
        self.phone = phone

    def go(self, name: str) -> None:
        if self.phone:
            self.page.get_by_test_id("stExpandSidebarButton").click()
        self.page.get_by_role("link", name=name, exact=True).first.click()
        if self.phone:
            self.page.get_by_test_id("stSidebarCollapseButton").click()

    def open(self, files: Mapping[str, bytes], name: str = "stripes.zip") -> None:
        """Open a ZIP on the viewer page."""
        sent = {"name": name, "mimeType": "application/zip", "buffer": zip_bytes(files)}
        self.page.locator("input[type=file][multiple]").set_input_files(sent)
        expect(self.page.get_by_text(f"{len(files)} images").first).to_be_visible()
        expect(self.page.locator("[data-ref=canvas]")).to_have_attribute("data-painted", "sharp")

    def add(self, *names: str) -> None:
        for name in names:
            self.page.get_by_label("New class").fill(name)
            self.page.get_by_role("button", name="Add", exact=True).click()
            expect(self.chip(name)).to_be_visible()

    def chip(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=re.compile(f"^Label {name}:"))

    def counts(self, **counts: int) -> None:
        for name, count in counts.items():
            expect(self.chip(name)).to_have_accessible_name(f"Label {name}: {count} so far")

    def cell(self, number: int) -> Locator:
        return self.page.locator(f".cell[data-index='{number - 1}']")

    def label(self, number: int, text: str | None) -> None:
        """Image ``number`` has this label, which is none of the app's suggestions; or none."""
        kind = self.page.locator(f".cell[data-index='{number - 1}'][data-kind='label']")
        if text is None:
            expect(kind).to_have_count(0)
        else:
            expect(kind.locator(".class")).to_have_text(text)

    def suggestion(self, number: int) -> Locator:
        return self.page.locator(f".cell[data-index='{number - 1}'][data-kind='suggestion'] .class")

    def current(self, number: int) -> None:
        expect(self.page.locator("[data-ref=position]")).to_have_text(f"{number} / {len(FILES)}")

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def choose(self, number: int) -> None:
        """Open an image in the gallery, which then has the keys; only cells in view are in the page."""
        self.page.get_by_role("slider", name="Position in the stack").fill(str(number))
        self.current(number)
        self.cell(number).get_by_role("button").click()
        self.current(number)

    def select(self, first: int, last: int) -> None:
        """Select a range in the gallery by keys."""
        self.choose(first)
        self.press(*["Shift+ArrowRight"] * (last - first))
        expect(self.page.locator("output[data-ref=target]")).to_have_text(f"{last - first + 1} selected images")

    def switch(self) -> None:
        """Turn Label mode of the viewer page on or off."""
        self.page.get_by_test_id("stMain").get_by_text("Label", exact=True).click()

    def shoot(self, name: str) -> None:
        ARTIFACTS.mkdir(exist_ok=True)
        self.page.screenshot(path=ARTIFACTS / f"teach-{name}.png")


def chosen(page: Page, name: str) -> Locator:
    """The button that says which model and engine are in use, where it names this one."""
    return page.get_by_role("button", name=re.compile(f"^{name} · |· {name}$"))


def choose(page: Page, field: str, before: str, name: str) -> None:
    """Choose another model or engine."""
    chosen(page, before).click()
    page.get_by_role("combobox", name=field, exact=True).click()
    page.get_by_role("option", name=name).click()
    expect(chosen(page, name)).to_be_visible()
    page.keyboard.press("Escape")


@pytest.fixture
def teach(page: Page, server: str, context_options: dict[str, Any]) -> Teach:
    """The Teach page with stripes open and two classes named."""
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto(server)
    found = Teach(page, phone="is_mobile" in context_options)
    found.open(FILES)
    found.go("Teach")
    found.add("lying", "upright")
    return found


@pytest.fixture
def labelling(page: Page, server: str) -> Teach:
    """The viewer page with stripes open, two classes named, and Label mode on."""
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto(server)
    found = Teach(page)
    found.open(FILES)
    found.switch()
    found.add("lying", "upright")
    return found


def begun(teach: Teach) -> None:
    """Two of each have labels, and the others suggestions."""
    teach.choose(1)
    teach.press("1", "1")
    teach.choose(13)
    teach.press("2", "2")
    teach.counts(lying=2, upright=2)
    expect(teach.suggestion(15)).to_be_visible()


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


def test_in_the_viewer_every_key_press_is_a_label(labelling: Teach) -> None:
    """However slow the machine: 24 presses and nothing else label 24 images, so nobody waits for the page."""
    page = labelling.page
    labelling.choose(1)
    page.locator("[data-ref=stage]").focus()
    labelling.press(*["1"] * EACH, *["2"] * EACH)
    labelling.counts(lying=EACH, upright=EACH)
    for number, kind in ((1, "lying"), (EACH, "lying"), (EACH + 1, "upright"), (2 * EACH, "upright")):
        page.get_by_role("slider", name="Position in the stack").fill(str(number))
        labelling.label(number, kind)
        expect(page.locator("[data-ref=answers]")).to_contain_text("your label")
    page.locator("[data-ref=stage]").focus()
    labelling.press(*["Control+z"] * 3)
    labelling.counts(lying=EACH, upright=EACH - 3)
    labelling.press("Control+Shift+z")
    labelling.counts(lying=EACH, upright=EACH - 2)
    labelling.go("Teach")
    labelling.counts(lying=EACH, upright=EACH - 2)


def test_in_the_viewer_by_mouse_by_likeness_and_back_to_answers(labelling: Teach) -> None:
    page = labelling.page
    begun(labelling)
    labelling.choose(3)
    labelling.chip("lying").click()
    labelling.label(3, "lying")
    labelling.choose(16)
    page.get_by_label("Give a class").select_option("upright")
    labelling.counts(lying=3, upright=3)
    labelling.choose(5)
    page.get_by_role("button", name="Like this one").click()
    expect(page.locator("output[data-ref=target]")).to_have_text("13 selected images")
    expect(page.locator(".cell[data-index='2'] input")).not_to_be_checked()
    page.get_by_role("button", name="None", exact=True).click()
    labelling.press("s")
    expect(page.locator("output[data-ref=target]")).to_have_text("13 selected images")
    labelling.press("1")
    labelling.counts(lying=16, upright=3)
    labelling.switch()
    expect(page.get_by_role("button", name="All (24)")).to_be_visible()
    expect(page.locator(".cell[data-kind]")).to_have_count(0)
    page.locator("[data-ref=stage]").focus()
    labelling.press("1")  # actual size again, and no label
    expect(page.get_by_label("Zoom in percent")).to_have_value("100%")
    labelling.switch()
    labelling.counts(lying=16, upright=3)


def test_a_press_counts_that_comes_together_with_a_report_of_the_gallery(page: Page, server: str) -> None:
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
    page.goto(server)
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


def test_labels_outlive_pages_and_what_is_saved_a_reload(teach: Teach, server: str) -> None:
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
    page.goto(server)
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


@pytest.mark.parametrize(
    "context_options", [PHONE, PHONE | {"viewport": {"width": 320, "height": 568}}], indirect=True, ids=["390", "320"]
)
def test_on_a_phone_the_classes_stay_in_reach(labelling: Teach) -> None:
    """Wherever the page is scrolled to, their buttons are on screen, large enough for a finger, and uncovered."""
    page = labelling.page
    size = page.viewport_size
    assert size
    for scrolled in (0, 300, 100_000):
        page.get_by_test_id("stMain").evaluate("(main, top) => main.scrollTo(0, top)", scrolled)
        for button in (labelling.chip("lying"), labelling.chip("upright"), page.get_by_role("button", name="Undo")):
            box = button.bounding_box()
            assert box
            assert min(box["width"], box["height"]) >= 44
            assert box["y"] + box["height"] <= size["height"]
            button.tap(trial=True, position={"x": 10, "y": 10})
    expect(page.locator("p[data-ref=note]")).to_have_text("")  # all images were looked at
    last = page.get_by_text("How images are shown and recognised").bounding_box()
    bar = page.locator("[data-ref=labelling]").bounding_box()
    assert last
    assert bar
    assert last["y"] + last["height"] <= bar["y"], "the end of the page is above them"
    assert bar["height"] <= 120, "and they leave room for the images"
    page.get_by_test_id("stMain").evaluate("(main) => main.scrollTo(0, 300)")
    labelling.chip("lying").tap()
    labelling.counts(lying=1, upright=0)
    expect(page.locator("[data-ref=position]")).to_have_text("2 / 24")
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]


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

    with streamlit_server(ROOT / "app.py", environment=environment | {"AISR_WORK_DIR": str(tmp_path)}) as restarted:
        page.goto(restarted)
        choose(page, "Model", "Starter", "Stripes")
        recognises(teach)


@pytest.mark.parametrize("context_options", [LIGHT, DARK], indirect=True, ids=["light", "dark"])
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
