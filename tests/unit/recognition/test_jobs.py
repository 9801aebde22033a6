"""Recognition in the background: phases in order, progress that adds up, and an end for every job."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from core.base.errors import ModelError
from core.base.settings import Settings
from core.engines.engine import EngineName
from core.recognition.fair_queue import FairQueue
from core.recognition.jobs import JobState, RecognitionJob
from core.recognition.service import Order, RecognitionService
from core.stacks.stack import ImageStack
from tests.builders import BROKEN_PNGS
from tests.conftest import MakeStack
from tests.helpers import SECONDS, FakeEngine, FakeModel, grey_png, wait_until, watch_decoding

COUNT = 12
BOTH: tuple[EngineName, ...] = ("openvino-int8", "pytorch-fp32")


@pytest.fixture
def stack(make_stack: MakeStack) -> ImageStack:
    files = {f"{number}.png": grey_png(number) for number in range(COUNT)}
    return make_stack(files | {"5.png": BROKEN_PNGS["no end"]})


class Gate:
    """Holds up every call of an engine until it is opened."""

    def __init__(self) -> None:
        self.reached, self._opened = threading.Event(), threading.Event()

    def __call__(self, batch: np.ndarray) -> None:
        self.reached.set()
        assert self._opened.wait(SECONDS)

    def open(self) -> None:
        self._opened.set()


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.open()


@pytest.fixture
def service(settings: Settings) -> RecognitionService:
    return RecognitionService(settings)


def ended(job: RecognitionJob) -> JobState:
    job.wait(SECONDS)
    assert job.state.finished
    return job.state


def test_one_engine_answers_every_image(stack: ImageStack, tmp_path: Path, service: RecognitionService) -> None:
    model = FakeModel(tmp_path / "greys", FakeEngine())
    job = RecognitionJob(Order(stack, [3, 5, 3, 1], model, ("openvino-int8",)), service)
    state = ended(job)
    assert (state.phase, state.message, state.total) == ("done", "", 4)
    predictions = job.recognitions["openvino-int8"].predictions
    assert [prediction.label for prediction in predictions] == ["3", "error", "3", "1"]
    assert sorted(service.results(stack).of("openvino-int8")) == [1, 3, 5]
    assert service.results(stack).of("pytorch-fp32") == {}


def test_several_engines_are_compared_on_images_that_are_all_decoded(
    stack: ImageStack, tmp_path: Path, service: RecognitionService
) -> None:
    decoded: dict[EngineName, int] = {}
    engines = [
        FakeEngine(name, before=lambda batch, name=name: decoded.setdefault(name, stack.progress.done) and None)
        for name in BOTH
    ]
    job = RecognitionJob(Order(stack, range(COUNT), FakeModel(tmp_path / "greys", *engines), BOTH), service)
    assert ended(job).phase == "done"
    assert decoded == dict.fromkeys(BOTH, COUNT), "the first engine must not pay for the decoding of both"
    assert list(job.recognitions) == list(BOTH)
    labels = [[p.label for p in job.recognitions[name].predictions] for name in BOTH]
    assert labels[0] == labels[1]
    assert service.results(stack).engines == BOTH


def test_progress_counts_what_was_reported_and_never_runs_backwards(
    stack: ImageStack, tmp_path: Path, service: RecognitionService, gate: Gate
) -> None:
    model = FakeModel(tmp_path / "greys", FakeEngine(before=gate))
    job = RecognitionJob(Order(stack, range(COUNT), model, ("openvino-int8",), batch_size=2), service)
    assert gate.reached.wait(SECONDS)
    state = job.state
    assert (state.phase, state.engine, state.total, state.finished) == ("recognizing", "openvino-int8", COUNT, False)
    assert state.done <= 1, "only the broken image can be done while the engine waits"
    gate.open()
    seen: list[int] = []
    while not (state := job.state).finished:
        if state.phase == "recognizing":
            seen.append(state.done)
    assert seen == sorted(seen)
    assert max(seen, default=0) <= COUNT
    assert len(service.results(stack).of("openvino-int8")) == COUNT


def test_cancelling_keeps_what_was_recognised_and_skips_the_next_engine(
    stack: ImageStack, tmp_path: Path, service: RecognitionService, gate: Gate
) -> None:
    calls: list[int] = []

    def second_call_waits(batch: np.ndarray) -> None:
        calls.append(len(batch))
        if len(calls) == 2:
            gate(batch)

    first, second = FakeEngine(BOTH[0], parallelism=1, before=second_call_waits), FakeEngine(BOTH[1])
    job = RecognitionJob(
        Order(stack, range(COUNT), FakeModel(tmp_path / "greys", first, second), BOTH, batch_size=2), service
    )
    assert gate.reached.wait(SECONDS)
    wait_until(lambda: len(service.results(stack).of(BOTH[0])) >= 2, "the first batch is reported")
    job.cancel()
    gate.open()
    state = ended(job)
    assert state.phase == "cancelled"
    assert state.message.startswith("Cancelled.")
    kept = service.results(stack).of(BOTH[0])
    assert 2 <= len(kept) < COUNT
    assert all(prediction.label == ("error" if index == 5 else str(index)) for index, prediction in kept.items())
    assert job.recognitions == {}
    assert second.batch_sizes == []


def test_cancelling_while_decoding_recognises_nothing(
    make_stack: MakeStack, tmp_path: Path, service: RecognitionService, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = threading.Event()
    watch_decoding(monkeypatch, lambda data: opened.wait(SECONDS))
    stack = make_stack({f"{number}.png": grey_png(number) for number in range(COUNT)})
    engines = [FakeEngine(name) for name in BOTH]
    job = RecognitionJob(Order(stack, range(COUNT), FakeModel(tmp_path / "greys", *engines), BOTH), service)
    wait_until(lambda: job.state.phase == "decoding", "decoding has begun")
    assert (job.state.done, job.state.seconds_left) == (0, None)
    job.cancel()
    opened.set()
    assert ended(job).phase == "cancelled"
    assert [engine.batch_sizes for engine in engines] == [[], []]


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ModelError("The engine broke. Reinstall it."), "The engine broke. Reinstall it."),
        (ZeroDivisionError("secret detail"), "Something unexpected went wrong (ZeroDivisionError). Try again."),
    ],
)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # logged on purpose
def test_a_failed_job_ends_and_says_why(
    stack: ImageStack, tmp_path: Path, service: RecognitionService, error: Exception, message: str
) -> None:
    def fail(batch: np.ndarray) -> None:
        raise error

    model = FakeModel(tmp_path / "greys", FakeEngine(before=fail))
    job = RecognitionJob(Order(stack, range(COUNT), model, ("openvino-int8",)), service)
    state = ended(job)
    assert (state.phase, state.message) == ("failed", message)
    assert "secret" not in state.message
    assert job.recognitions == {}


@pytest.mark.parametrize("batch_size", [-1, 10_000])
def test_a_batch_size_out_of_range_fails_the_job_with_a_sentence(
    stack: ImageStack, tmp_path: Path, service: RecognitionService, batch_size: int
) -> None:
    model = FakeModel(tmp_path / "greys", FakeEngine())
    state = ended(RecognitionJob(Order(stack, [0], model, ("openvino-int8",), batch_size=batch_size), service))
    assert (state.phase, "batch size must be between" in state.message) == ("failed", True)


@pytest.mark.parametrize(
    ("done", "seconds", "rate", "left"),
    [(0, 5.0, 0.0, None), (5, 2.0, 2.5, 2.0), (10, 4.0, 2.5, 0.0), (3, 0.0, 0.0, None)],
)
def test_rate_and_time_left(done: int, seconds: float, rate: float, left: float | None) -> None:
    state = JobState("recognizing", "openvino-int8", done, 10, seconds)
    assert (state.images_per_second, state.seconds_left) == (rate, left)


def test_a_job_waits_for_its_turn_and_can_be_cancelled_there(
    stack: ImageStack, tmp_path: Path, settings: Settings
) -> None:
    queue = FairQueue(settings.model_copy(update={"max_running": 1}))
    engine = FakeEngine()
    model = FakeModel(tmp_path / "greys", engine)
    with queue.turn("somebody else", "their stack"):
        order = Order(stack, [0], model, ("openvino-int8",), client="me")
        service = RecognitionService(settings, queue)
        waiting, cancelled = (RecognitionJob(order, service) for _ in range(2))
        wait_until(lambda: queue.waiting == 2, "both jobs are in the queue")
        assert (waiting.state.phase, waiting.state.done) == ("waiting", 0)
        cancelled.cancel()
        assert ended(cancelled).phase == "cancelled"
        assert engine.batch_sizes == [], "nothing may run before its turn"
    assert ended(waiting).phase == "done"
    assert (queue.running, queue.waiting) == (0, 0)


def test_a_job_that_finds_the_queue_full_says_so(stack: ImageStack, tmp_path: Path, settings: Settings) -> None:
    queue = FairQueue(settings.model_copy(update={"max_running": 1, "max_waiting": 0}))
    with queue.turn("somebody else", "their stack"):
        order = Order(stack, [0], FakeModel(tmp_path / "greys", FakeEngine()), ("openvino-int8",))
        job = RecognitionJob(order, RecognitionService(settings, queue))
        assert (ended(job).phase, job.message) == ("failed", "The server is busy. Try again in a few seconds.")
