"""Download buttons on pages that are drawn anew while somebody presses them."""

from __future__ import annotations

import pytest
from streamlit.runtime.media_file_manager import MediaFileManager
from streamlit.runtime.media_file_storage import MediaFileStorageError
from streamlit.runtime.memory_media_file_storage import MemoryMediaFileStorage

from pages._ui.compat import keep_downloads

KEPT = 60.0
PLACE = "0.(1).2"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Page:
    """The runs of one page, as Streamlit makes them."""

    def __init__(self, manager: MediaFileManager) -> None:
        self.manager = manager

    def run(self, text: str | None = None, button: str = "save") -> str:
        """Draw the page, with a button that gives ``text``; its id."""
        self.manager.clear_session_refs()
        made = "" if text is None else self.manager.add_deferred(lambda: text, "text/csv", PLACE, element_id=button)
        self.manager.remove_orphaned_files()
        return made

    def press(self, button: str) -> str:
        return self.manager.execute_deferred(button)


@pytest.fixture
def storage() -> MemoryMediaFileStorage:
    return MemoryMediaFileStorage("/media")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def page(storage: MemoryMediaFileStorage, clock: Clock) -> Page:
    manager = MediaFileManager(storage)
    keep_downloads(manager, KEPT, clock)
    return Page(manager)


def read(storage: MemoryMediaFileStorage, url: str) -> bytes:
    return storage.get_file(url.rsplit("/", 1)[-1]).content


def test_a_button_of_the_run_before_gives_what_there_is_now(page: Page, storage: MemoryMediaFileStorage) -> None:
    pressed = page.run("one label")
    page.run("two labels")
    assert read(storage, page.press(pressed)) == b"two labels"


def test_a_file_outlives_the_runs_until_the_browser_has_it(
    page: Page, storage: MemoryMediaFileStorage, clock: Clock
) -> None:
    url = page.press(page.run("labels"))
    for _ in range(5):
        page.run("labels and more")
    clock.now += KEPT - 1
    page.run("labels and more")
    assert read(storage, url) == b"labels"


def test_a_file_does_not_stay_for_good(page: Page, storage: MemoryMediaFileStorage, clock: Clock) -> None:
    url = page.press(page.run("labels"))
    page.run()
    clock.now += KEPT
    for _ in range(2):  # marked, and deleted
        page.run()
    with pytest.raises(MediaFileStorageError):
        read(storage, url)


def test_a_button_that_is_gone_gives_nothing(page: Page) -> None:
    pressed = page.run("labels")
    page.run()
    with pytest.raises(MediaFileStorageError):
        page.press(pressed)


def test_a_button_that_was_disabled_gives_nothing(page: Page) -> None:
    pressed = page.run("labels")
    page.manager.remove_deferred(PLACE, element_id="save")
    with pytest.raises(MediaFileStorageError):
        page.press(pressed)


def test_two_buttons_are_not_taken_for_each_other(page: Page, storage: MemoryMediaFileStorage) -> None:
    first = page.run("labels")
    second = page.manager.add_deferred(lambda: "answers", "text/csv", "0.(1).3", element_id="answers")
    assert first != second
    assert read(storage, page.press(first)) == b"labels"
    assert read(storage, page.press(second)) == b"answers"
