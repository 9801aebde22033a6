"""An image stack: every image decoded once, broken ones kept apart, and nothing left when it is deleted."""

from __future__ import annotations

import gc
import io
import re
import struct
import threading
import weakref
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.base.errors import ImageError, ImageNotFound, StackNotFound
from core.base.settings import MIB, Settings
from core.base.workers import Priority
from core.images import pixels
from core.images.formats import decode
from core.images.preprocessing import STANDARD
from core.stacks.stack import ImageStack
from core.stacks.store import StackStore
from tests.builders import BROKEN_PNGS, photo_png, png_bytes, zip_bytes
from tests.conftest import MakeStack
from tests.helpers import SECONDS, grey_png, open_files, wait_until, watch_decoding

BROKEN = BROKEN_PNGS["wrong checksum of IDAT"]


class Decoding:
    """Watches images being decoded, and holds that up while closed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.order: list[bytes] = []
        self._opened = threading.Event()
        self._opened.set()
        self._lock = threading.Lock()
        watch_decoding(monkeypatch, self._decode)

    def _decode(self, data: bytes) -> None:
        with self._lock:
            self.order.append(data)
        assert self._opened.wait(SECONDS)

    def close(self) -> None:
        self._opened.clear()

    def open(self) -> None:
        self._opened.set()


@pytest.fixture
def decoding(monkeypatch: pytest.MonkeyPatch) -> Iterator[Decoding]:
    watched = Decoding(monkeypatch)
    yield watched
    watched.open()


@pytest.fixture
def one_worker(tmp_path: Path) -> Iterator[StackStore]:
    store = StackStore(Settings(work_dir=tmp_path / "one", workers=1))
    yield store
    store.close()


def prepared(stack: ImageStack) -> ImageStack:
    for index in range(len(stack)):
        stack.prepare(index, Priority.RECOGNIZE).result(SECONDS)
    return stack


def model_input(stack: ImageStack, index: int) -> np.ndarray:
    inputs = stack.inputs(STANDARD)
    out = np.zeros(inputs.shape, np.uint8)
    inputs.read(index, out)
    return out


def test_every_image_is_decoded_once_however_many_ask(make_stack: MakeStack, decoding: Decoding) -> None:
    files = {f"{number}.png": photo_png(seed=number) for number in range(12)} | {"broken.png": BROKEN}
    stack = make_stack(files)

    def look_at_all(viewer: int) -> None:
        for step in range(len(stack)):
            index = (step + viewer) % len(stack)
            if stack.entries[index].name == "broken.png":
                with pytest.raises(ImageError):
                    stack.thumbnail(index)
            else:
                stack.thumbnail(index)
                stack.prepare(index, Priority.RECOGNIZE).result(SECONDS)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(look_at_all, range(8)))
    assert Counter(decoding.order) == Counter(files.values())
    assert (stack.progress.done, stack.progress.total) == (13, 13)


def test_images_come_in_natural_order_and_each_keeps_its_own_pixels(make_stack: MakeStack) -> None:
    shades = {"b/10.png": 100, "b/2.png": 50, "a/1.png": 200}
    stack = prepared(make_stack({name: grey_png(shade) for name, shade in shades.items()}))
    assert [entry.name for entry in stack.entries] == ["a/1.png", "b/2.png", "b/10.png"]
    for index, shade in enumerate((200, 50, 100)):
        assert set(model_input(stack, index).ravel().tolist()) == {shade}
        thumbnail = np.asarray(Image.open(io.BytesIO(stack.thumbnail(index))))
        assert np.abs(thumbnail.astype(int) - shade).max() <= 1  # JPEG


def test_originals_are_the_bytes_that_were_uploaded(make_stack: MakeStack) -> None:
    files = {f"{number}.png": photo_png(seed=number) for number in range(5)}
    stack = prepared(make_stack(files))
    assert {entry.name: stack.original(index) for index, entry in enumerate(stack.entries)} == files
    assert [stack.picture(index).content for index in range(5)] == list(files.values()), (
        "8-bit images are not re-encoded"
    )


def test_16_bit_images_are_rendered_by_their_value_range_and_shown_as_the_model_sees_them(
    make_stack: MakeStack,
) -> None:
    samples = np.linspace(1000, 3000, 64 * 64).astype(np.uint16).reshape(64, 64, 1)
    original = png_bytes(samples, 16)
    stack = prepared(make_stack({"deep.png": original}))
    assert stack.original(0) == original
    shown = Image.open(io.BytesIO(stack.picture(0).content))
    assert (shown.mode, shown.size) == ("L", (64, 64)), "grey stays grey on its way to the browser"
    values = np.asarray(shown.convert("RGB"))
    assert (values.min(), values.max(), len(np.unique(values))) == (0, 255, 256), "neither clipped nor cut to 8 bits"
    assert (pixels.to_model_input(values, STANDARD) == model_input(stack, 0)).all()


@pytest.mark.parametrize("kind", ["wrong checksum of IDAT", "data stops early", "no end", "too few rows"])
def test_a_broken_image_says_why_and_harms_no_other(make_stack: MakeStack, kind: str) -> None:
    files = {"1.png": grey_png(10), "2.png": BROKEN_PNGS[kind], "3.png": grey_png(30)}
    stack = prepared(make_stack(files))
    for ask in (stack.thumbnail, stack.picture):
        with pytest.raises(ImageError, match="copy or export it again"):
            ask(1)
    assert stack.original(1) == files["2.png"]
    with pytest.raises(ValueError, match="never written"):
        model_input(stack, 1)
    assert [stack.error(index) is None for index in range(3)] == [True, False, True]
    with pytest.raises(ImageError, match=re.escape(str(stack.error(1)))):
        stack.thumbnail(1)
    assert [int(model_input(stack, index)[0, 0, 0]) for index in (0, 2)] == [10, 30]
    assert stack.thumbnail(0) != stack.thumbnail(2)


def test_a_broken_image_does_not_stay_in_memory_however_often_it_is_asked_for(make_stack: MakeStack) -> None:
    stack = prepared(make_stack({"1.png": BROKEN}))
    errors = []
    for _ in range(20):
        for ask in (stack.thumbnail, stack.picture):
            with pytest.raises(ImageError) as caught:
                ask(0)
            errors.append(caught.value)
    assert len({id(error) for error in errors}) == len(errors), "an error raised again collects its tracebacks"
    raised = [weakref.ref(error) for error in errors]
    del errors, caught
    gc.collect()
    assert not [one for one in raised if one() is not None], "the frames of its traceback hold the image's bytes"


@pytest.mark.parametrize("index", [-1, 2, 10**9])
def test_positions_outside_the_stack_are_refused(make_stack: MakeStack, index: int) -> None:
    stack = make_stack({"1.png": grey_png(1), "2.png": grey_png(2)})
    asks: list[Callable[[int], object]] = [
        stack.original,
        stack.picture,
        stack.thumbnail,
        lambda index: stack.prepare(index, Priority.VISIBLE),
    ]
    for ask in asks:
        with pytest.raises(ImageNotFound, match="images 0 to 1"):
            ask(index)


@pytest.mark.parametrize(
    ("filename", "expected"),
    [
        ("left/only.png", 0),
        ("only.png", 0),
        ("left/same.png", 1),
        ("right/same.png", 2),
        ("top.png", 3),
        ("same.png", None),
        ("ONLY.png", None),
        ("left/", None),
        ("/left/only.png", None),
        ("../left/only.png", None),
        ("right/only.png", None),
        ("", None),
    ],
)
def test_names_find_an_image_only_where_they_mean_one(
    make_stack: MakeStack, filename: str, expected: int | None
) -> None:
    names = ("left/only.png", "left/same.png", "right/same.png", "top.png")
    stack = make_stack({name: grey_png(number) for number, name in enumerate(names)})
    if expected is None:
        with pytest.raises(ImageNotFound, match="File not found"):
            stack.find(filename)
    else:
        assert stack.find(filename) == expected


def test_the_full_path_wins_over_a_base_name(make_stack: MakeStack) -> None:
    stack = make_stack({"a/x.png": grey_png(1), "x.png": grey_png(2)})
    assert stack.entries[stack.find("x.png")].name == "x.png"


def test_what_somebody_looks_at_overtakes_the_ingest(one_worker: StackStore, decoding: Decoding) -> None:
    files = {f"{number}.png": grey_png(number) for number in range(40)}
    decoding.close()
    stack = one_worker.create(io.BytesIO(zip_bytes(files)), "a.zip")
    wait_until(lambda: len(decoding.order) == 1, "the ingest has begun")
    job = stack.prepare(35, Priority.VISIBLE)
    decoding.open()
    job.result(SECONDS)
    assert decoding.order.index(files["35.png"]) == 1


def test_stacks_take_turns(one_worker: StackStore, decoding: Decoding) -> None:
    first = {f"{number}.png": grey_png(number) for number in range(30)}
    second = {f"{number}.png": grey_png(100 + number) for number in range(30)}
    decoding.close()
    stacks = [one_worker.create(io.BytesIO(zip_bytes(files)), "a.zip") for files in (first, second)]
    decoding.open()
    wait_until(lambda: all(stack.progress.done == 30 for stack in stacks), "both stacks are decoded")
    owners = ["first" if data in first.values() else "second" for data in decoding.order]
    for end in range(10, 60, 10):
        share = owners[:end].count("second") / end
        assert 0.3 <= share <= 0.7, f"one stack waited for the other: {owners}"


def test_a_deleted_stack_decodes_no_more_and_its_files_vanish(
    one_worker: StackStore, decoding: Decoding, tmp_path: Path
) -> None:
    files = {f"{number}.png": grey_png(number) for number in range(60)}
    decoding.close()
    stack = one_worker.create(io.BytesIO(zip_bytes(files)), "a.zip")
    assert len(list(tmp_path.rglob("stack.zip"))) == 1
    wait_until(lambda: len(decoding.order) == 1, "the ingest has begun")
    one_worker.delete(stack.id)
    assert list(tmp_path.rglob("stack.zip")) == []
    decoding.open()
    other = one_worker.create(io.BytesIO(zip_bytes({"x.png": grey_png(99)})), "b.zip")
    wait_until(lambda: other.progress.done == 1, "the next stack is decoded")
    assert stack.progress.done <= 4, "at most what was queued is still decoded"
    with pytest.raises(StackNotFound, match="Upload it again"):
        stack.prepare(59, Priority.VISIBLE)
    assert stack.original(59) == files["59.png"], "whoever still works with a deleted stack can finish"


@pytest.mark.parametrize("extra", [{}, {"broken.png": BROKEN}], ids=["sound", "with a broken image"])
def test_a_deleted_stack_gives_back_its_files_at_once(store: StackStore, extra: dict[str, bytes]) -> None:
    """Without waiting for the garbage collector: until it runs, deleted archives would fill the disk."""
    files = {f"{number}.png": photo_png(seed=number) for number in range(10)} | extra
    before = open_files(store.folder)
    gc.disable()
    try:
        stack = prepared(store.create(io.BytesIO(zip_bytes(files)), "a.zip"))
        stack.picture(0)
        if extra:
            with pytest.raises(ImageError):
                stack.thumbnail(stack.find("broken.png"))
        assert open_files(store.folder) > before
        reference = weakref.ref(stack)
        store.delete(stack.id)
        del stack
        wait_until(lambda: reference() is None, "the last worker has let go")
        assert open_files(store.folder) == before
    finally:
        gc.enable()


def test_equal_images_make_an_equal_fingerprint_and_nothing_of_the_id_is_in_it(make_stack: MakeStack) -> None:
    files = {"a.png": photo_png(seed=1), "b/ä.png": photo_png(seed=2)}
    first, second = make_stack(files), make_stack(files)
    assert re.fullmatch("[0-9a-f]{12}", first.fingerprint)
    assert first.fingerprint == second.fingerprint
    assert first.id != second.id
    assert first.fingerprint not in first.id
    assert first.id not in first.fingerprint
    for other in ({"a.png": files["a.png"]}, {"a.png": files["a.png"], "c/ä.png": files["b/ä.png"]}):
        assert make_stack(other).fingerprint != first.fingerprint


def test_what_a_browser_would_show_otherwise_than_the_model_sees_is_left_out(make_stack: MakeStack) -> None:
    plain = photo_png(30, 20, seed=1)
    gamma = struct.pack(">I", 4) + b"gAMA" + struct.pack(">I", 10_000)
    darkened = plain[:33] + gamma + struct.pack(">I", zlib.crc32(gamma[4:])) + plain[33:]
    stack = make_stack({"a.png": darkened})
    assert stack.original(0) == darkened
    assert b"gAMA" not in stack.picture(0).content
    shown = decode(stack.picture(0).content, max_pixels=1000)
    assert np.array_equal(shown, decode(plain, max_pixels=1000))


def test_huge_images_are_decoded_one_at_a_time_and_keep_no_thread_from_small_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = StackStore(Settings(work_dir=tmp_path / "few", workers=2, image_memory_bytes=64 * MIB))
    huge = png_bytes(np.zeros((1600, 1600, 3), np.uint8), compression=1)
    lock, at_once, most = threading.Lock(), 0, 0
    go_on = threading.Event()

    def decode_one(data: bytes) -> None:
        nonlocal at_once, most
        if data != huge:
            return
        with lock:
            at_once += 1
            most = max(most, at_once)
        assert go_on.wait(SECONDS)
        with lock:
            at_once -= 1

    watch_decoding(monkeypatch, decode_one)
    try:
        stack = store.create(io.BytesIO(zip_bytes({f"{number}.png": huge for number in range(5)})), "huge.zip")
        wait_until(lambda: at_once == 1, "the first is at work")
        other = store.create(io.BytesIO(zip_bytes({"small.png": photo_png()})), "small.zip")
        other.prepare(0, Priority.VISIBLE).result(SECONDS)
        go_on.set()
        prepared(stack)
    finally:
        go_on.set()
        store.close()
    assert most == 1


def test_what_waits_for_memory_ends_with_its_stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = StackStore(Settings(work_dir=tmp_path / "few", workers=2, image_memory_bytes=64 * MIB))
    huge = png_bytes(np.zeros((1600, 1600, 3), np.uint8), compression=1)
    decoded: list[bytes] = []
    go_on = threading.Event()
    watch_decoding(monkeypatch, lambda data: decoded.append(data) or go_on.wait(SECONDS))
    try:
        stack = store.create(io.BytesIO(zip_bytes({f"{number}.png": huge for number in range(5)})), "huge.zip")
        wait_until(lambda: len(decoded) == 1, "the first is at work")
        first, *waiting = [stack.prepare(index, Priority.VISIBLE) for index in range(5)]
        store.delete(stack.id)
        for job in waiting:
            with pytest.raises(StackNotFound):
                job.result(SECONDS)
        assert not first.done()
        go_on.set()
        wait_until(lambda: store.memory.used == 0, "everything is given back")
    finally:
        go_on.set()
        store.close()
    assert len(decoded) == 1
