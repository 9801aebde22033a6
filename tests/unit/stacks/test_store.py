"""The stack store: private folders, unguessable ids, limits, expiry, and clean-up of what others left behind."""

from __future__ import annotations

import gc
import io
import os
import stat
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from core.base.errors import AppError, ArchiveEmpty, ImageError, LimitExceeded, NotAZip, StackNotFound, TooManyStacks
from core.base.settings import PROJECT_ROOT, Settings
from core.base.workers import Priority
from core.stacks import store as store_module
from core.stacks.store import StackStore
from tests.builders import zip_bytes
from tests.helpers import SECONDS, grey_png, wait_until

ZIP = zip_bytes({"1.png": grey_png(1)})

MakeStore = Callable[..., StackStore]


@pytest.fixture
def make_store(tmp_path: Path) -> Iterator[MakeStore]:
    made: list[StackStore] = []

    def make(clock: Callable[[], float] = time.monotonic, sweep_seconds: float = 30.0, **limits: int) -> StackStore:
        settings = Settings(work_dir=tmp_path / "work", workers=1, **limits)
        made.append(StackStore(settings, clock=clock, sweep_seconds=sweep_seconds))
        return made[-1]

    yield make
    for store in made:
        store.close()


def files_below(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file() and path.name != "lock")


class Source(io.BytesIO):
    """An upload that stops before its first piece until it is let go on."""

    def __init__(self, data: bytes, started: threading.Semaphore, go_on: threading.Event) -> None:
        super().__init__(data)
        self._started, self._go_on = started, go_on

    def read(self, size: int | None = -1, /) -> bytes:
        self._started.release()
        assert self._go_on.wait(SECONDS)
        return super().read(size)


class Clock:
    """Time that passes only when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_ids_are_distinct_long_and_safe_in_urls(store: StackStore) -> None:
    ids = [store.create(io.BytesIO(ZIP), "a.zip").id for _ in range(50)]
    assert len(set(ids)) == 50
    assert min(map(len, ids)) >= 22, "22 characters of base64 are 128 bits"
    assert all(
        set(stack_id) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") for stack_id in ids
    )
    common_prefixes = [a for a, b in zip(sorted(ids), sorted(ids)[1:], strict=False) if a[:8] == b[:8]]
    assert common_prefixes == []


def test_folders_are_closed_to_other_users(settings: Settings, store: StackStore) -> None:
    store.create(io.BytesIO(ZIP), "a.zip")
    folders = [settings.work_dir, *(path for path in settings.work_dir.rglob("*") if path.is_dir())]
    assert len(folders) == 3
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in folders} == {0o700}


def test_a_work_folder_of_somebody_else_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "theirs"
    target.mkdir(mode=0o755)
    (tmp_path / "link").symlink_to(target)
    monkeypatch.setattr(os, "getuid", lambda: target.stat().st_uid + 1)
    for folder in (tmp_path / "link",) if target.stat().st_uid == 0 else (tmp_path / "link", target):
        with pytest.raises(PermissionError, match="AISR_WORK_DIR"):
            StackStore(Settings(work_dir=folder))
        assert list(target.iterdir()) == []


def test_a_work_folder_that_others_may_look_into_is_closed_to_them(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir(mode=0o777)
    StackStore(Settings(work_dir=tmp_path / "work", workers=1)).close()
    assert stat.S_IMODE((tmp_path / "work").stat().st_mode) == 0o700


@pytest.mark.parametrize("name", ["../../escape.zip", "/etc/passwd.zip", "a/b.zip", "", "x" * 5000, "\0.zip"])
def test_the_name_is_shown_and_never_used_as_a_path(settings: Settings, store: StackStore, name: str) -> None:
    stack = store.create(io.BytesIO(ZIP), name)
    assert stack.name == name
    assert files_below(settings.work_dir.parent) == ["stack.zip"]


def test_a_stack_is_found_by_its_own_id_only(store: StackStore) -> None:
    first, second = (store.create(io.BytesIO(ZIP), "a.zip") for _ in range(2))
    assert store.get(first.id) is first
    assert store.get(second.id) is second
    for wrong in ("", "..", ".", first.id[:-1], first.id + "x", first.id.swapcase(), f"../{first.id}"):
        with pytest.raises(StackNotFound, match="does not exist or has expired"):
            store.get(wrong)


@pytest.mark.parametrize(
    ("content", "limits", "expected"),
    [
        (b"no archive", {}, NotAZip),
        (zip_bytes({}), {}, ArchiveEmpty),
        (zip_bytes({"readme.txt": b"x"}), {}, ArchiveEmpty),
        (ZIP, {"max_upload_bytes": len(ZIP) - 1}, LimitExceeded),
        (zip_bytes({"1.png": grey_png(1), "2.png": grey_png(2)}), {"max_entries": 1}, LimitExceeded),
        (b"", {}, NotAZip),
    ],
)
def test_a_failed_upload_leaves_nothing_behind(
    make_store: MakeStore, tmp_path: Path, content: bytes, limits: dict[str, int], expected: type[AppError]
) -> None:
    store = make_store(**limits)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(expected):
        store.create(io.BytesIO(content), "a.zip")
    assert sorted(tmp_path.rglob("*")) == before
    assert len(store) == 0


def test_an_upload_that_breaks_off_leaves_nothing_behind_and_takes_no_place(
    make_store: MakeStore, tmp_path: Path
) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise ConnectionResetError("gone")

    store = make_store(max_stacks=1)
    for _ in range(3):
        with pytest.raises(ConnectionResetError):
            store.create(Broken(), "a.zip")
    assert files_below(tmp_path) == []
    assert store.get(store.create(io.BytesIO(ZIP), "a.zip").id)


def test_the_upload_limit_is_the_last_size_accepted_and_reading_stops_there(make_store: MakeStore) -> None:
    assert len(make_store(max_upload_bytes=len(ZIP)).create(io.BytesIO(ZIP), "a.zip")) == 1

    class Endless(io.BytesIO):
        given = 0

        def read(self, size: int | None = -1, /) -> bytes:
            assert size is not None
            assert 0 < size <= store_module.COPY_BYTES
            self.given += size
            return bytes(size)

    endless = Endless()
    with pytest.raises(LimitExceeded, match="larger than the 1 MB"):
        make_store(max_upload_bytes=2**20).create(endless, "a.zip")
    assert endless.given <= 2**20 + store_module.COPY_BYTES


def test_a_full_store_refuses_until_a_stack_goes(make_store: MakeStore) -> None:
    store = make_store(max_stacks=2)
    first, second = (store.create(io.BytesIO(ZIP), "a.zip") for _ in range(2))
    with pytest.raises(TooManyStacks, match="Try again in a few minutes"):
        store.create(io.BytesIO(ZIP), "a.zip")
    assert store.get(first.id) is first
    store.delete(second.id)
    assert store.get(store.create(io.BytesIO(ZIP), "a.zip").id)
    assert len(store) == 2


def test_however_many_places_one_client_takes_another_gets_its_own(make_store: MakeStore) -> None:
    store = make_store(max_stacks=4)
    first, *others = (store.create(io.BytesIO(ZIP), "a.zip", "greedy") for _ in range(4))
    store.get(first.id)  # the longest open, and just looked at
    mine = store.create(io.BytesIO(ZIP), "mine.zip", "newcomer")
    assert store.get(mine.id) is mine
    assert store.get(first.id) is first
    with pytest.raises(StackNotFound):
        store.get(others[0].id)
    for _ in range(3):
        with suppress(TooManyStacks):
            store.create(io.BytesIO(ZIP), "a.zip", "greedy")
    assert store.get(mine.id) is mine, "and keeps it"
    assert len(store) == store.usage.stacks == 4


@pytest.mark.parametrize("kind", ["stacks", "files", "both"])
def test_tiny_uploads_from_some_addresses_never_fill_all_places(make_store: MakeStore, kind: str) -> None:
    """256 uploads of less than 300 bytes each, as many as there are places, from four addresses."""
    store = make_store()
    mine = store.create(io.BytesIO(ZIP), "mine.zip", "honest")
    refused = 0
    for number in range(257):
        try:
            if kind == "stacks" or (kind == "both" and number % 2):
                store.create(io.BytesIO(ZIP), "a.zip", f"greedy {number % 5}")
            else:
                with store.files.receive(f"greedy {number % 5}", 1000) as upload:
                    upload.write(b"tiny")
                    upload.finish("a.pth")
        except TooManyStacks:
            refused += 1
    assert (store.usage.stacks, refused) == (256, 2)
    for number in range(3):
        assert store.create(io.BytesIO(ZIP), "a.zip", f"newcomer {number}").id in store.ids
    assert store.get(mine.id) is mine
    assert store.usage.stacks == 256, "others have made room"
    assert len(store.ids) + len(store.files.places()) == 256


def test_a_deleted_stack_that_an_error_holds_in_a_circle_gives_its_disk_back(make_store: MakeStore) -> None:
    """An error has the frames of those it went through, and they have the error."""
    store = make_store()
    stack = store.create(io.BytesIO(ZIP), "a.zip")
    stack.prepare(0, Priority.VISIBLE).result(SECONDS)
    gone = weakref.ref(stack)
    gc.disable()
    try:
        circle: list[object] = [stack]
        circle.append(circle)
        store.delete(stack.id)
        del stack, circle
        assert gone() is not None
        store.sweep()
        assert gone() is None
    finally:
        gc.enable()


def test_uploads_side_by_side_do_not_pass_the_limit_together(make_store: MakeStore) -> None:
    store = make_store(max_stacks=3)
    started, go_on = threading.Semaphore(0), threading.Event()

    def upload(_: int) -> str:
        try:
            store.create(Source(ZIP, started, go_on), "a.zip")
        except TooManyStacks:
            return "full"
        return "open"

    with ThreadPoolExecutor(8) as pool:
        outcomes = pool.map(upload, range(8))
        assert all(started.acquire(timeout=SECONDS) for _ in range(3))
        go_on.set()
        assert sorted(outcomes) == ["full"] * 5 + ["open"] * 3
    assert len(store) == 3


def test_an_unused_stack_expires_and_a_used_one_does_not(make_store: MakeStore, tmp_path: Path) -> None:
    clock = Clock()
    store = make_store(clock, stack_ttl_seconds=60)
    used, unused = (store.create(io.BytesIO(ZIP), "a.zip") for _ in range(2))
    clock.now += 40
    store.sweep()
    assert store.get(used.id) is used
    clock.now += 40
    store.sweep()
    assert store.get(used.id) is used
    with pytest.raises(StackNotFound):
        store.get(unused.id)
    assert files_below(tmp_path) == ["stack.zip"]
    clock.now += 61
    store.sweep()
    assert len(store) == 0
    assert files_below(tmp_path) == []


def test_expired_stacks_go_without_anybody_asking(make_store: MakeStore) -> None:
    clock = Clock()
    store = make_store(clock, sweep_seconds=0.02, stack_ttl_seconds=60)
    store.create(io.BytesIO(ZIP), "a.zip")
    time.sleep(0.1)
    assert len(store) == 1
    clock.now += 61
    wait_until(lambda: len(store) == 0, "the stack has expired")


def test_deleting_twice_or_something_unknown_is_no_error(store: StackStore) -> None:
    kept, gone = (store.create(io.BytesIO(ZIP), "a.zip") for _ in range(2))
    for stack_id in (gone.id, gone.id, "unknown", "..", ""):
        store.delete(stack_id)
    assert store.get(kept.id) is kept
    assert kept.original(0) == grey_png(1)


def test_closing_removes_everything(settings: Settings) -> None:
    before = set(threading.enumerate())
    store = StackStore(settings)
    threads = set(threading.enumerate()) - before
    for _ in range(3):
        store.create(io.BytesIO(ZIP), "a.zip")
    store.close()
    assert list(settings.work_dir.iterdir()) == []
    assert len(store) == 0
    assert not [thread for thread in threads if thread.name.startswith("decode-") and thread.is_alive()]


# Opens a stack, says so, and then waits to be ended.
OTHER_PROCESS = """
import io, sys
from pathlib import Path
from core.base.settings import Settings
from core.stacks.store import StackStore
store = StackStore(Settings(work_dir=Path(sys.argv[1]), workers=1))
store.create(io.BytesIO(Path(sys.argv[2]).read_bytes()), "a.zip")
print("open", flush=True)
sys.stdin.read()
"""


def test_what_a_dead_process_left_goes_and_what_a_living_one_has_stays(make_store: MakeStore, tmp_path: Path) -> None:
    archive = tmp_path / "a.zip"
    archive.write_bytes(ZIP)
    work = tmp_path / "work"
    other = subprocess.Popen(
        [sys.executable, "-c", OTHER_PROCESS, str(work), str(archive)],
        cwd=PROJECT_ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == "open\n"
        (theirs,) = work.iterdir()
        mine = make_store()
        assert files_below(theirs) == ["stack.zip"]
        own = next(folder for folder in work.iterdir() if folder != theirs)
        mine.create(io.BytesIO(ZIP), "a.zip")
    finally:
        other.kill()
        other.communicate()
    assert files_below(theirs) == ["stack.zip"], "it had no chance to clean up"
    make_store()
    assert not theirs.exists()
    assert files_below(own) == ["stack.zip"], "a living process's stacks are never touched"


@pytest.mark.parametrize("name", ["run-0123", "new-0123"])
def test_what_a_process_left_that_died_while_it_began_goes(make_store: MakeStore, tmp_path: Path, name: str) -> None:
    """It had made its folder, and had no lock on it yet."""
    left = tmp_path / "work" / name / "half"
    left.mkdir(parents=True)
    (left / "stack.zip").write_bytes(ZIP)
    make_store()
    assert files_below(tmp_path) == []
    assert len(list((tmp_path / "work").iterdir())) == 1


def test_stores_that_begin_at_the_same_time_leave_each_other_their_folders(
    make_store: MakeStore, tmp_path: Path
) -> None:
    with ThreadPoolExecutor(8) as pool:
        stores = list(pool.map(lambda _: make_store(), range(24)))
    assert sorted((tmp_path / "work").iterdir()) == sorted(store.folder for store in stores)


def test_what_is_not_a_run_folder_is_left_alone(make_store: MakeStore, tmp_path: Path) -> None:
    work = tmp_path / "work"
    (work / "somebody's").mkdir(parents=True)
    (work / "somebody's" / "file").write_text("kept")
    (work / "run-notes").write_text("kept")
    make_store()
    assert files_below(work) == ["file", "run-notes"]


def test_a_broken_image_does_not_keep_a_stack_from_opening(store: StackStore) -> None:
    damaged = grey_png(1)[:-20]
    stack = store.create(io.BytesIO(zip_bytes({"1.png": damaged, "2.png": grey_png(2)})), "a.zip")
    assert len(stack) == 2
    with pytest.raises(ImageError):
        stack.thumbnail(0)
    assert stack.thumbnail(1)
