"""Orders from pages and API: the same turns, the same order of things, and answers that live as long as their stack."""

from __future__ import annotations

import gc
import io
import threading
import weakref
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.base.errors import Cancelled, InvalidRequest
from core.base.settings import Settings
from core.engines.engine import Engine, EngineName
from core.recognition.results import Prediction, Recognition
from core.recognition.service import Activity, Door, Order, RecognitionService, Watcher
from core.stacks.stack import ImageStack
from core.stacks.store import StackStore
from tests.builders import png_bytes, zip_bytes
from tests.conftest import MakeStack
from tests.helpers import SECONDS, FakeEngine, FakeModel, grey_png, wait_until, watch_decoding

GREYS = {f"{value}.png": grey_png(value) for value in range(4)}


class Diary(Watcher):
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def entered(self, activity: Activity, engine: EngineName) -> None:
        self.lines.append(f"{activity} {engine}")

    def decoded(self) -> None:
        self.lines.append("decoded")

    def recognized(self, predictions: Sequence[Prediction]) -> None:
        self.lines.append(" ".join(one.label for one in predictions))

    def finished(self, recognition: Recognition) -> None:
        self.lines.append(f"finished {recognition.engine}")


@pytest.mark.parametrize("door", ["page", "api"])
def test_one_engine_loads_and_recognises(make_stack: MakeStack, settings: Settings, tmp_path: Path, door: Door) -> None:
    diary, service, stack = Diary(), RecognitionService(settings), make_stack(GREYS)
    order = Order(stack, [2, 0], FakeModel(tmp_path / "greys", FakeEngine()), ("openvino-int8",), batch_size=2)
    done = service.run(order, door, diary, threading.Event())
    assert diary.lines == [
        "loading openvino-int8",
        "waiting openvino-int8",
        "loading openvino-int8",
        "recognizing openvino-int8",
        "2 0",
        "finished openvino-int8",
    ]
    assert [one.label for one in done["openvino-int8"].predictions] == ["2", "0"]
    assert sorted(service.results(stack).of("openvino-int8")) == [0, 2]
    assert service.queue.running == 0


def test_an_engine_whose_files_must_be_made_is_loaded_in_a_heavy_turn(
    make_stack: MakeStack, settings: Settings, tmp_path: Path
) -> None:
    """Four visitors with models of their own would take four times a gigabyte, and all turns meanwhile."""
    diary, service, stack = Diary(), RecognitionService(settings), make_stack(GREYS)
    model = FakeModel(tmp_path / "greys", FakeEngine("openvino-fp32"))
    order = Order(stack, [0], model, ("openvino-fp32",), batch_size=1)
    cancelled = threading.Event()
    with service.queue.turn("somebody", "theirs", lane="heavy"):
        waits = threading.Thread(target=service.run, args=(order, "page", diary, cancelled), daemon=True)
        waits.start()
        wait_until(lambda: service.queue.waiting == 1, "it waits")
        assert model.loads == []
        assert service.queue.running == 1, "no turn of recognition is held"
    waits.join(SECONDS)
    assert diary.lines == [
        "loading openvino-fp32",
        "waiting openvino-fp32",
        "loading openvino-fp32",
        "recognizing openvino-fp32",
        "0",
        "finished openvino-fp32",
    ]
    with service.queue.turn("somebody", "theirs", lane="heavy"):
        service.run(order, "page", diary, cancelled)
    assert model.loads == ["openvino-fp32"], "once loaded it needs no heavy turn"


def test_who_waits_for_an_engine_to_be_loaded_holds_no_turn(
    make_stack: MakeStack, settings: Settings, tmp_path: Path
) -> None:
    """PyTorch takes seconds: four who asked for it first kept everybody else waiting."""
    service, stack = RecognitionService(settings.model_copy(update={"max_running": 1})), make_stack(GREYS)
    begun, go_on = threading.Event(), threading.Event()

    class Slow(FakeModel):
        def _load(self, name: EngineName) -> Engine:
            if name == "pytorch-fp32":
                begun.set()
                assert go_on.wait(SECONDS)
            return super()._load(name)

    model = Slow(tmp_path / "greys", FakeEngine("openvino-int8"), FakeEngine("pytorch-fp32"))
    model.engine("openvino-int8")
    done: list[str] = []

    def ask(engine: EngineName) -> None:
        order = Order(stack, [3], model, (engine,), batch_size=1)
        (one,) = service.run(order, "api", Watcher(), threading.Event())[engine].predictions
        done.append(f"{engine} {one.label}")

    waiting = [threading.Thread(target=ask, args=("pytorch-fp32",), daemon=True) for _ in range(4)]
    for thread in waiting:
        thread.start()
    assert begun.wait(SECONDS)
    wait_until(lambda: service.queue.waiting == 3, "the others wait for it")
    ask("openvino-int8")
    assert done == ["openvino-int8 3"]
    go_on.set()
    for thread in waiting:
        thread.join(SECONDS)
    assert sorted(done) == ["openvino-int8 3"] + ["pytorch-fp32 3"] * 4
    assert model.loads == ["openvino-int8", "pytorch-fp32"]


def test_a_wrong_batch_size_costs_no_turn_and_no_answer(
    make_stack: MakeStack, settings: Settings, tmp_path: Path
) -> None:
    service, stack, engine = RecognitionService(settings), make_stack(GREYS), FakeEngine()
    order = Order(stack, [0], FakeModel(tmp_path / "greys", engine), ("openvino-int8",), batch_size=-1)
    with pytest.raises(InvalidRequest):
        service.run(order, "api", Watcher(), threading.Event())
    assert engine.batch_sizes == []
    assert (service.queue.running, service.results(stack).engines) == (0, ())


def test_a_run_that_waits_for_images_gives_its_turn_to_others(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though it has not had it for long: nothing else could use the cores meanwhile."""
    only_one = settings.model_copy(update={"max_running": 1, "turn_seconds": 3600.0, "workers": 2})
    service = RecognitionService(only_one)
    reached, opened = threading.Event(), threading.Event()

    def wait(data: bytes) -> None:
        if data == GREYS["0.png"]:
            reached.set()
            assert opened.wait(SECONDS)

    watch_decoding(monkeypatch, wait)
    store = StackStore(only_one)
    slow, quick = (store.create(io.BytesIO(zip_bytes({"a.png": GREYS[name]})), "a.zip") for name in ("0.png", "1.png"))

    def order(stack: ImageStack, client: str) -> Order:
        return Order(stack, [0], FakeModel(tmp_path / client, FakeEngine()), ("openvino-int8",), client, 1)

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(service.run, order(slow, "slow"), "api", Watcher(), threading.Event())
        try:
            assert reached.wait(SECONDS)
            wait_until(lambda: service.queue.running == 1, "it has the only turn")
            done = service.run(order(quick, "quick"), "api", Watcher(), threading.Event())
            assert done["openvino-int8"].predictions[0].label == "1"
            assert not waiting.done()
        finally:
            opened.set()
        assert waiting.result(SECONDS)["openvino-int8"].predictions[0].label == "0"
    store.close()
    assert service.queue.running == 0


def test_an_order_that_waits_for_an_image_can_be_cancelled(
    store: StackStore, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = RecognitionService(settings)
    reached, opened, cancelled = threading.Event(), threading.Event(), threading.Event()

    def wait(data: bytes) -> None:
        reached.set()
        assert opened.wait(SECONDS)

    watch_decoding(monkeypatch, wait)
    stack = store.create(io.BytesIO(zip_bytes(GREYS)), "a.zip")
    order = Order(stack, [0], FakeModel(tmp_path / "greys", FakeEngine()), ("openvino-int8",), batch_size=1)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(service.run, order, "api", Watcher(), cancelled)
        try:
            assert reached.wait(SECONDS)
            assert not running.done()
            cancelled.set()
            assert isinstance(running.exception(SECONDS), Cancelled)
        finally:
            opened.set()
    assert service.queue.running == 0


def test_a_cancelled_order_does_nothing(make_stack: MakeStack, settings: Settings, tmp_path: Path) -> None:
    service, engine, cancelled = RecognitionService(settings), FakeEngine(), threading.Event()
    cancelled.set()
    order = Order(make_stack(GREYS), [0], FakeModel(tmp_path / "greys", engine), ("openvino-int8",))
    with pytest.raises(Cancelled):
        service.run(order, "page", Watcher(), cancelled)
    assert engine.batch_sizes == []
    assert service.queue.running == 0


def test_answers_go_with_their_stack(settings: Settings, tmp_path: Path) -> None:
    service, store = RecognitionService(settings), StackStore(settings)
    try:
        path = tmp_path / "greys.zip"
        path.write_bytes(zip_bytes(GREYS))
        with path.open("rb") as file:
            stack = store.create(file, "greys.zip")
        order = Order(stack, [0], FakeModel(tmp_path / "greys", FakeEngine()), ("openvino-int8",))
        service.run(order, "api", Watcher(), threading.Event())
        answers = weakref.ref(service.results(stack))
        assert answers() is not None
        store.delete(stack.id)
        del stack, order
        gc.collect()
        assert answers() is None, "what nobody can ask for any more must not stay in memory"
    finally:
        store.close()


def deep_png(left: int) -> bytes:
    """16 bits, dark on the right: the fake engine names what the left half became."""
    return png_bytes(np.repeat(np.array([left, 1000]), 8)[None, :, None].repeat(16, axis=0), 16)


DEEP = {"a.png": deep_png(2000), "b.png": deep_png(5000), "c.png": grey_png(7)}


def test_answers_by_the_range_of_the_stack_are_kept_beside_those_by_the_image(
    make_stack: MakeStack, settings: Settings, tmp_path: Path
) -> None:
    service, stack = RecognitionService(settings), make_stack(DEEP)
    order = Order(stack, [0, 1, 2], FakeModel(tmp_path / "greys", FakeEngine(features=960)), ("openvino-int8",))
    for range_of, labels in (("image", ["255", "255", "7"]), ("stack", ["64", "255", "7"])):
        diary = Diary()
        done = service.run(replace(order, range_of=range_of), "api", diary, threading.Event())
        found = done["openvino-int8"].predictions
        assert [one.label for one in found] == labels
        assert [one.value_range for one in found] == [range_of, range_of, None]
    assert service.results(stack).at(0)[0].label == "255", "of the choice that the stack is shown by"
    assert service.results(stack, "stack").at(0)[0].label == "64"
    stack.choose_range("stack")
    assert service.results(stack).at(0)[0].label == "64"
    kept = service.features(stack)
    by_stack = kept.rows(stack, order.model, "openvino-int8").read([0])[0, 0]
    assert (by_stack, kept.rows(stack, order.model, "openvino-int8", range_of="image").read([0])[0, 0]) == (64, 255)


def test_the_range_of_the_stack_is_found_when_it_is_first_needed_and_can_be_cancelled(
    store: StackStore, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()
    watch_decoding(monkeypatch, lambda _: go_on.wait(SECONDS))
    stack = store.create(io.BytesIO(zip_bytes(DEEP)), "deep.zip")
    service, cancelled = RecognitionService(settings), threading.Event()
    order = Order(
        stack, [0], FakeModel(tmp_path / "greys", FakeEngine()), ("openvino-int8",), batch_size=1, range_of="stack"
    )

    class Leaves(Diary):
        def entered(self, activity: Activity, engine: EngineName) -> None:
            super().entered(activity, engine)
            if activity == "ranging":
                cancelled.set()

    diary = Leaves()
    with pytest.raises(Cancelled):
        service.run(order, "api", diary, cancelled)
    assert diary.lines[-1] == "ranging openvino-int8"
    assert service.results(stack, "stack").engines == ()
    assert service.queue.running == 0
    go_on.set()
    service.run(order, "api", diary := Diary(), threading.Event())
    assert "ranging openvino-int8" in diary.lines
    service.run(order, "api", again := Diary(), threading.Event())
    assert "ranging openvino-int8" not in again.lines, "it is kept"
