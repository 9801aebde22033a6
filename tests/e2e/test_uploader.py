"""The upload field: dialog, drag and drop, progress, cancel, and everything that may go wrong on the way."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.builders import photo_png, zip_bytes
from tests.e2e.server import ROOT, folders, streamlit_server
from tests.helpers import wait_until

LIMIT_MIB = 3
SMALL = zip_bytes({f"{number}.png": photo_png(64, 48, seed=number) for number in range(3)})
# Noise does not compress, so this takes its time over a slow connection and is below the limit.
LARGE = zip_bytes({"1.png": photo_png(64, 48, seed=1), "noise.bin": np.random.default_rng(1).bytes(2_000_000)})
SLOW_BYTES_PER_SECOND = 200_000


@pytest.fixture(scope="module")
def work_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("uploads") / "work"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of the server's machine that may be opened, and two images in one within it."""
    folder = tmp_path_factory.mktemp("root")
    (folder / "summer").mkdir()
    for number in range(2):
        (folder / "summer" / f"{number}.png").write_bytes(photo_png(64, 48, seed=number))
    return folder


@pytest.fixture(scope="module")
def server(work_dir: Path, model_cache: Path, root: Path) -> Iterator[str]:
    environment = folders(work_dir.parent, model_cache) | {
        "AISR_MAX_UPLOAD_BYTES": str(LIMIT_MIB * 2**20),
        "AISR_STACK_ROOTS": str(root),
    }
    with streamlit_server(ROOT / "app.py", environment=environment) as address:
        yield address


@pytest.fixture
def empty(page: Page, server: str) -> Page:
    """The home page without a stack."""
    page.goto(server)
    expect(page.get_by_role("button", name="Browse files")).to_be_visible()
    return page


def choose(page: Page, name: str, data: bytes) -> None:
    page.locator("input[type=file]").set_input_files({"name": name, "mimeType": "application/zip", "buffer": data})


def drop(page: Page, *files: tuple[str, bytes]) -> None:
    """What the browser tells the page when files are dragged over it and let go."""
    packed = [[name, base64.b64encode(data).decode()] for name, data in files]
    page.evaluate(
        """async (files) => {
            const transfer = new DataTransfer();
            for (const [name, data] of files) {
                const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
                transfer.items.add(new File([bytes], name, { type: "application/zip" }));
            }
            const tell = (type) => document.querySelector("h1, [data-testid=stMain]").dispatchEvent(
                new DragEvent(type, { dataTransfer: transfer, bubbles: true, cancelable: true }));
            tell("dragenter");
            tell("dragover");
            await new Promise((done) => requestAnimationFrame(done));
            window.wasInvited = [...document.querySelectorAll("*")].some((element) =>
                element.shadowRoot?.querySelector("[data-ref=target]")?.checkVisibility());
            tell("drop");
        }""",
        packed,
    )


def slow_down(page: Page) -> None:
    conditions = {
        "offline": False,
        "latency": 0,
        "downloadThroughput": -1,
        "uploadThroughput": SLOW_BYTES_PER_SECOND,
    }
    page.context.new_cdp_session(page).send("Network.emulateNetworkConditions", conditions)


def test_a_file_chosen_while_the_field_is_still_on_its_way_is_not_lost(page: Page, server: str) -> None:
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/components/*.js", hold)
    page.goto(server)
    choose(page, "early.zip", SMALL)
    expect(page.locator("[data-component]")).to_be_hidden()  # nobody sees what cannot answer yet
    expect(page.get_by_role("button", name="Browse files")).to_have_count(0)
    assert held
    for route in held:
        route.continue_()
    expect(page.locator("[data-ref=position]")).to_have_text("1 / 3")


def shown_position(page: Page) -> Locator:
    return page.locator("[data-ref=position]")


def test_the_dialog_opens_a_stack_and_another_one_later(empty: Page) -> None:
    with empty.expect_file_chooser() as chooser:
        empty.get_by_role("button", name="Browse files").click()
    chooser.value.set_files({"name": "first.zip", "mimeType": "application/zip", "buffer": SMALL})
    expect(shown_position(empty)).to_have_text("1 / 3")
    with empty.expect_file_chooser() as chooser:
        empty.get_by_role("button", name="Open another stack").click()
    more = zip_bytes({f"{number}.png": photo_png(seed=number) for number in range(5)})
    chooser.value.set_files({"name": "second.zip", "mimeType": "application/zip", "buffer": more})
    expect(shown_position(empty)).to_have_text("1 / 5")
    expect(empty.locator("strong", has_text="second.zip")).to_be_visible()
    expect(empty.locator("strong", has_text="first.zip")).to_have_count(0)


def test_a_zip_may_be_dropped_anywhere_on_the_page(empty: Page) -> None:
    drop(empty, ("dropped.zip", SMALL))
    assert empty.evaluate("wasInvited"), "while it is dragged, the page shows that it takes it"
    expect(shown_position(empty)).to_have_text("1 / 3")
    expect(empty.get_by_text("Drop to open")).to_be_hidden()
    drop(empty, ("again.zip", SMALL))
    expect(empty.locator("strong", has_text="again.zip")).to_be_visible()


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ([("photos.rar", SMALL)], "Only .zip files are allowed"),
        ([("a.zip", SMALL), ("b.zip", SMALL)], "Send one archive at a time"),
        ([("big.zip", bytes(LIMIT_MIB * 2**20 + 1))], f"larger than the {LIMIT_MIB} MB this server accepts"),
        ([("text.zip", b"no archive")], "not a ZIP archive"),
        ([("*bold* [x](http://example.org).rar", SMALL)], "Only .zip files are allowed"),
    ],
    ids=["another type", "two files", "too large", "not a zip", "a hostile name"],
)
def test_what_cannot_be_opened_is_refused_with_a_sentence(
    empty: Page, files: list[tuple[str, bytes]], sentence: str, work_dir: Path
) -> None:
    drop(empty, *files)
    alert = empty.get_by_role("alert")
    expect(alert).to_contain_text(sentence)
    expect(alert.get_by_role("link")).to_have_count(0)
    expect(empty.get_by_role("button", name="Browse files")).to_be_enabled()
    choose(empty, "good.zip", SMALL)
    expect(shown_position(empty)).to_have_text("1 / 3")
    expect(alert).to_have_count(0)


PHOTOS = {f"{number}.png": photo_png(64, 48, seed=number) for number in range(3)}


def test_several_images_and_what_lies_between_them(empty: Page) -> None:
    drop(empty, *PHOTOS.items(), ("notes.txt", b"not sent"), ("more.zip", SMALL))
    expect(shown_position(empty)).to_have_text("1 / 3")
    expect(empty.locator("strong", has_text="5 files")).to_be_visible()
    empty.get_by_role("button", name="2 skipped").click()
    expect(empty.get_by_text("These files are not part of the stack.")).to_be_visible()


def test_the_dialog_takes_several_images_and_one(empty: Page) -> None:
    field = empty.locator("input[type=file]")
    expect(field).to_have_attribute("accept", re.compile(r"\.zip,.*\.png.*image/png"))
    photos = [{"name": name, "mimeType": "image/png", "buffer": data} for name, data in PHOTOS.items()]
    field.set_input_files(photos[:2])  # type: ignore[arg-type]
    expect(shown_position(empty)).to_have_text("1 / 2")
    field.set_input_files(photos[2])  # type: ignore[arg-type]
    expect(shown_position(empty)).to_have_text("1 / 1")
    expect(empty.locator("strong", has_text="2.png")).to_be_visible()


def test_a_folder_is_dropped_with_all_that_lies_in_it(empty: Page, tmp_path: Path) -> None:
    """A real folder, by the browser's own protocol: pages cannot make one up."""
    for name, data in (PHOTOS | {"deep/4.png": photo_png(64, 48), ".hidden/5.png": b"x"}).items():
        (tmp_path / "summer" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "summer" / name).write_bytes(data)
    protocol = empty.context.new_cdp_session(empty)
    data = {"items": [], "files": [str(tmp_path / "summer")], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        protocol.send("Input.dispatchDragEvent", {"type": kind, "x": 400, "y": 300, "data": data})
    expect(shown_position(empty)).to_have_text("1 / 4")
    expect(empty.locator("strong", has_text="summer")).to_be_visible()
    expect(empty.get_by_role("button", name="1 skipped")).to_be_visible()


def test_a_pasted_image_is_a_stack_unless_it_is_text_that_is_written(empty: Page) -> None:
    paste = """async ([target, data]) => {
        const transfer = new DataTransfer();
        const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
        transfer.items.add(new File([bytes], "image.png", { type: "image/png" }));
        const options = { bubbles: true, composed: true, cancelable: true };
        const event = new ClipboardEvent("paste", { clipboardData: transfer, ...options });
        document.querySelector(target).dispatchEvent(event);
        return event.defaultPrevented;
    }"""
    image = base64.b64encode(PHOTOS["1.png"]).decode()
    expect(empty.get_by_role("textbox", name="Folder of this computer")).to_be_visible()
    expect(empty.locator("input[type=file]")).to_be_attached()  # pasting works from then on
    assert empty.evaluate(paste, ["input[type=text]", image]) is False
    assert empty.evaluate(paste, ["h1", image]) is True
    expect(shown_position(empty)).to_have_text("1 / 1")
    expect(empty.locator("strong", has_text="image.png")).to_be_visible()


def test_a_folder_of_this_computer_is_opened_where_it_is(empty: Page, root: Path) -> None:
    field = empty.get_by_role("textbox", name="Folder of this computer")
    expect(field).to_have_value(str(root))
    field.fill(str(root.parent))
    empty.get_by_role("button", name="Open", exact=True).click()
    expect(empty.get_by_role("alert")).to_contain_text("not in a folder that may be opened")
    field.fill(str(root / "summer"))
    empty.get_by_role("button", name="Open", exact=True).click()
    expect(shown_position(empty)).to_have_text("1 / 2")
    expect(empty.locator("strong", has_text="summer")).to_be_visible()


def test_and_over_the_api_of_the_whole_app(page: Page, server: str, root: Path) -> None:
    opened = page.request.post(f"{server}/api/v1/folders", data={"path": str(root)})
    assert opened.status == 201
    stack = page.request.get(server + opened.headers["location"])
    assert [image[0] for image in stack.json()["images"]] == ["summer/0.png", "summer/1.png"]


def test_a_slow_upload_shows_how_far_it_is_and_can_be_cancelled(empty: Page, work_dir: Path) -> None:
    def stored() -> set[Path]:
        return set(work_dir.glob("run-*/*/stack.zip"))

    before = stored()
    slow_down(empty)
    choose(empty, "large.zip", LARGE)
    bar = empty.get_by_role("progressbar", name="Upload")
    expect(bar).to_be_visible()
    expect(empty.get_by_text("large.zip", exact=True)).to_be_visible()
    expect(empty.get_by_text("of 2.0 MB")).to_be_visible()
    empty.wait_for_function(
        """() => [...document.querySelectorAll("*")].some((element) =>
            Number(element.shadowRoot?.querySelector("[role=progressbar]")?.getAttribute("aria-valuenow")) > 5)"""
    )
    empty.get_by_role("button", name="Cancel").click()
    expect(bar).to_be_hidden()
    expect(empty.get_by_role("button", name="Browse files")).to_be_visible()
    expect(empty.get_by_role("alert")).to_have_count(0)
    wait_until(lambda: stored() <= before, "the end of what a cancelled upload has left")


def test_a_page_left_in_the_middle_of_an_upload_leaves_nothing(empty: Page, work_dir: Path) -> None:
    before = set(work_dir.glob("run-*/*"))
    slow_down(empty)
    choose(empty, "large.zip", LARGE)
    expect(empty.get_by_role("progressbar", name="Upload")).to_be_visible()
    empty.get_by_role("link", name="Inference").click()
    expect(empty.get_by_text("There is no stack yet")).to_be_visible()
    wait_until(lambda: set(work_dir.glob("run-*/*")) <= before, "the end of what the upload has left")


def test_a_broken_connection_is_told_and_the_field_works_again(empty: Page) -> None:
    empty.route("**/api/v1/stacks?*", lambda route: route.abort("connectionreset"))
    choose(empty, "photos.zip", SMALL)
    expect(empty.get_by_role("alert")).to_contain_text("The server cannot be reached")
    empty.unroute("**/api/v1/stacks?*")
    choose(empty, "photos.zip", SMALL)
    expect(shown_position(empty)).to_have_text("1 / 3")
