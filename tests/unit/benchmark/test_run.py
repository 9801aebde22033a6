"""A benchmark from plan to report, on engines that are made for it."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Event

import numpy as np
import pytest

from core.base.errors import Cancelled, EngineUnavailable, InvalidRequest
from core.base.settings import Settings
from core.benchmark.baselines import make_baseline
from core.benchmark.job import BenchmarkJob
from core.benchmark.limits import StageCosts, roofline, stage_costs
from core.benchmark.plan import MAX_REPEATS, BenchmarkPlan, Effort
from core.benchmark.report import Report
from core.benchmark.run import run_benchmark
from core.benchmark.subjects import EngineAlone, Workshop
from core.benchmark.sweep import measure_sweep, stream_counts, turns
from core.images.formats.format import FileReader
from core.images.preprocessing import STANDARD
from core.models.model import Model
from core.recognition.fair_queue import FairQueue
from core.stacks.stack import ImageStack
from tests.builders import photo_png
from tests.conftest import MakeStack
from tests.helpers import SECONDS, FakeEngine, FakeModel, grey_png, wait_until

IMAGES = 6
QUICK = Effort(inference_seconds=0.01, latency_images=2, sweep_seconds=0.005)


@pytest.fixture
def stack(make_stack: MakeStack) -> ImageStack:
    return make_stack({f"{value}.png": grey_png(value) for value in range(IMAGES)})


@pytest.fixture
def engines() -> dict[str, FakeEngine]:
    return {name: FakeEngine(name) for name in ("openvino-int8", "openvino-fp32", "pytorch-fp32")}


@pytest.fixture
def model(tmp_path: Path, engines: dict[str, FakeEngine]) -> Model:
    return FakeModel(tmp_path / "grey", *engines.values())


def measure(
    plan: BenchmarkPlan,
    stack: ImageStack,
    model: Model,
    settings: Settings,
    tmp_path: Path,
    cancelled: Event | None = None,
    effort: Effort = QUICK,
) -> tuple[Report, list[str]]:
    steps: list[str] = []
    report = run_benchmark(
        plan,
        stack,
        model,
        settings,
        tmp_path,
        effort=effort,
        on_step=lambda done, total, text: steps.append(f"{done}/{total} {text}"),
        cancelled=cancelled,
    )
    return report, steps


def test_every_engine_in_every_mode_on_every_count(
    stack: ImageStack, model: Model, settings: Settings, tmp_path: Path
) -> None:
    plan = BenchmarkPlan(counts=(3, 6), repeats=2, modes=("inference-only", "end-to-end", "ingested"))
    report, steps = measure(plan, stack, model, settings, tmp_path)
    assert [(run.mode, run.images, run.engine) for run in report.runs] == [
        (mode, images, engine) for mode in plan.modes for images in plan.counts for engine in plan.engines
    ]
    for run in report.runs:
        assert run.repeats == 2
        assert run.batch_size == settings.batch_size
        assert run.precision == "FAKE"
        assert run.agreement_with_pytorch_fp32 == 1.0
        assert 0 < run.seconds_min <= run.seconds_median <= run.seconds_max
        assert run.images_per_second == pytest.approx(run.images / run.seconds_median)
        assert (run.roofline_images_per_second is not None) is (run.mode == "end-to-end")
        assert ("decode" in run.stages_ms) is (run.mode == "end-to-end")
        assert (run.latency_n, run.latency_ms_p90, run.latency_ms_p99) == (4, None, None)
        if run.engine == "pytorch-fp32":
            assert run.speedup_vs_pytorch_fp32 == 1.0
    total = (3 + 6) * 9 * 2
    assert steps[-1].startswith(f"{total - 6}/{total} ")
    assert not list(tmp_path.glob("benchmark*")), "nothing is left behind"


def test_engines_take_turns_within_each_repeat(
    stack: ImageStack, model: Model, settings: Settings, tmp_path: Path
) -> None:
    plan = BenchmarkPlan(engines=("openvino-int8", "pytorch-fp32"), modes=("end-to-end",), counts=(4,), repeats=2)
    _, steps = measure(plan, stack, model, settings, tmp_path)
    passes = [step.split(" ", 1)[1] for step in steps if "pass" in step]
    assert [text.split(",")[0] for text in passes] == ["OpenVINO INT8", "PyTorch FP32"] * 2


def test_a_smaller_stack_is_repeated_and_decoded_anew_each_time(
    stack: ImageStack, model: Model, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[int] = []
    file = ImageStack.file

    def read(self: ImageStack, index: int) -> FileReader:
        if self is stack:
            reads.append(index)
        return file(self, index)

    monkeypatch.setattr(ImageStack, "file", read)
    count = 2 * IMAGES + 1
    plan = BenchmarkPlan(engines=("openvino-int8",), modes=("end-to-end",), counts=(count,), repeats=3)
    report, _ = measure(plan, stack, model, settings, tmp_path)
    (run,) = report.runs
    assert (run.images, run.distinct_images) == (count, IMAGES)
    assert reads.count(0) >= 3 * 3, "three times in each of three passes: nothing of a pass is kept for the next"
    assert set(reads) == set(range(IMAGES))
    assert run.agreement_with_pytorch_fp32 is None, "PyTorch did not run"
    assert run.speedup_vs_pytorch_fp32 is None


def test_what_is_kept_in_memory_is_bounded_and_the_rest_of_a_large_stack_still_counts(
    stack: ImageStack, model: Model, settings: Settings, tmp_path: Path
) -> None:
    plan = BenchmarkPlan(engines=("openvino-int8",), counts=(IMAGES,), repeats=1)
    report, _ = measure(plan, stack, model, settings, tmp_path, effort=replace(QUICK, ready_inputs=2))
    assert {run.mode: run.distinct_images for run in report.runs} == {"inference-only": 2, "end-to-end": IMAGES}


def test_disagreement_is_counted(
    stack: ImageStack, model: Model, engines: dict[str, FakeEngine], settings: Settings, tmp_path: Path
) -> None:
    def lie(batch: np.ndarray) -> None:
        batch[batch == 1] = 2

    engines["openvino-int8"].before = lie
    plan = BenchmarkPlan(engines=("openvino-int8", "pytorch-fp32"), modes=("end-to-end",), counts=(IMAGES,), repeats=1)
    report, _ = measure(plan, stack, model, settings, tmp_path)
    int8, fp32 = report.runs
    assert int8.agreement_with_pytorch_fp32 == pytest.approx((IMAGES - 1) / IMAGES)
    assert int8.agreement_images == IMAGES
    assert fp32.agreement_with_pytorch_fp32 == 1.0


def test_warm_up_runs_every_batch_shape_before_the_first_pass(
    stack: ImageStack, model: Model, engines: dict[str, FakeEngine], settings: Settings, tmp_path: Path
) -> None:
    plan = BenchmarkPlan(engines=("openvino-int8",), modes=("end-to-end",), counts=(6,), repeats=1, batch_size=4)
    seen: list[set[int]] = []

    def on_step(done: int, total: int, text: str) -> None:
        if "pass 1" in text:
            seen.append(set(engines["openvino-int8"].batch_sizes))

    run_benchmark(plan, stack, model, settings, tmp_path, effort=QUICK, on_step=on_step)
    assert seen == [{4, 2, 1}]


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"engines": ()}, "engine"),
        ({"modes": ()}, "mode"),
        ({"counts": ()}, "number of images"),
        ({"counts": (0,)}, "between 1 and"),
        ({"counts": (10**9,)}, "between 1 and"),
        ({"counts": (5, 5)}, "once"),
        ({"batch_size": -1}, "batch size"),
        ({"batch_size": 10**6}, "batch size"),
        ({"repeats": 0}, "repeats"),
        ({"repeats": MAX_REPEATS + 1}, "repeats"),
        ({"engines": ("baseline-pytorch",), "modes": ("inference-only",)}, "end to end"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused_before_anything_runs(
    changed: dict[str, object], sentence: str, stack: ImageStack, model: Model, settings: Settings, tmp_path: Path
) -> None:
    with pytest.raises(InvalidRequest, match=sentence):
        run_benchmark(BenchmarkPlan.model_validate(changed), stack, model, settings, tmp_path)
    assert isinstance(model, FakeModel)
    assert model.loads == []


def test_baselines_know_the_end_to_end_mode_only() -> None:
    plan = BenchmarkPlan(engines=("openvino-int8", "baseline-pytorch"), modes=("inference-only", "end-to-end"))
    assert plan.pairs == (
        ("openvino-int8", "inference-only"),
        ("openvino-int8", "end-to-end"),
        ("baseline-pytorch", "end-to-end"),
    )


def test_cancelling_stops_in_the_middle_of_a_pass(
    stack: ImageStack, model: Model, engines: dict[str, FakeEngine], settings: Settings, tmp_path: Path
) -> None:
    cancelled = Event()

    def cancel(batch: np.ndarray) -> None:
        cancelled.set()

    engines["openvino-int8"].before = cancel
    plan = BenchmarkPlan(engines=("openvino-int8",), modes=("end-to-end",), counts=(6,))
    threads = threading.active_count()
    with pytest.raises(Cancelled):
        measure(plan, stack, model, settings, tmp_path, cancelled)
    wait_until(lambda: threading.active_count() <= threads, "the benchmark's threads to end")


def test_a_job_reports_and_a_second_one_waits_for_it(
    stack: ImageStack, model: Model, engines: dict[str, FakeEngine], settings: Settings, tmp_path: Path
) -> None:
    gate = Event()

    def wait_for_gate(batch: np.ndarray) -> None:
        gate.wait(SECONDS)

    engines["openvino-int8"].before = wait_for_gate
    plan = BenchmarkPlan(engines=("openvino-int8",), modes=("end-to-end",), counts=(2,), repeats=1)
    queue = FairQueue(settings)

    def start(name: str) -> BenchmarkJob:
        turn = partial(queue.turn, "somebody", name, lane="heavy")
        return BenchmarkJob(plan, stack, model, settings, tmp_path, turn)

    first = start("first")
    wait_until(lambda: "Waiting" not in first.state.text, "the first to begin")
    second, third = start("second"), start("third")
    third.cancel()
    third.wait(SECONDS)
    assert third.status == "cancelled"
    assert (second.status, second.waiting, first.waiting) == ("running", True, False)
    assert second.report is None
    gate.set()
    for job in (first, second):
        job.wait(SECONDS)
        assert job.status == "done", job.message
        assert job.report is not None
        assert len(job.report.runs) == 1
    assert first.state.seconds_left is not None or first.state.done == 0


def test_a_failed_job_says_why_and_lets_the_next_one_run(
    stack: ImageStack, model: Model, settings: Settings, tmp_path: Path
) -> None:
    bad = BenchmarkJob(BenchmarkPlan(counts=()), stack, model, settings, tmp_path)
    bad.wait(SECONDS)
    assert (bad.status, bad.report) == ("failed", None)
    assert "number of images" in bad.message
    plan = BenchmarkPlan(engines=("openvino-int8",), modes=("inference-only",), counts=(2,), repeats=1)
    good = BenchmarkJob(plan, stack, model, settings, tmp_path)
    good.wait(SECONDS)
    assert good.status == "done"


def test_an_engine_alone_repeats_its_inputs_and_keeps_the_order() -> None:
    inputs = np.zeros((3, 224, 224, 3), np.uint8)
    inputs[:, 0, 0, 0] = (5, 6, 7)
    subject = EngineAlone(FakeEngine(), 2, tuple(map(str, range(256))), inputs)
    with subject.ready(7) as recognizer:
        assert recognizer(range(7), 2, Event()) == ["5", "6", "7", "5", "6", "7", "5"]


def test_a_fresh_stack_shares_nothing_with_the_one_it_came_from(
    stack: ImageStack, settings: Settings, tmp_path: Path
) -> None:
    workshop = Workshop(tmp_path, settings)
    try:
        fresh = workshop.fresh_stack(stack, 2 * IMAGES)
        assert len(fresh) == 2 * IMAGES
        assert fresh.progress.done == 0
        assert fresh.original(IMAGES + 1) == stack.original(1)
        assert fresh is not stack, "what the benchmark recognises is nobody's answer"
    finally:
        workshop.close()


@pytest.mark.parametrize(
    ("cores", "infer", "expected"), [(2.0, 0.004, 250.0), (1.0, 0.004, 125.0), (2.0, 0.0, 500.0), (0.5, 0.001, 100.0)]
)
def test_the_roofline_is_cores_over_unavoidable_core_seconds(cores: float, infer: float, expected: float) -> None:
    stages = StageCosts(read=9.0, decode=0.003, preprocess=0.001)
    found = roofline("openvino-int8", cores, stages, infer)
    assert found.roofline_images_per_second == pytest.approx(expected), "reading is not part of it"
    assert found.decode_preprocess_core_seconds_per_image == pytest.approx(0.004)


def test_stage_costs_leave_broken_images_out(make_stack: MakeStack, settings: Settings) -> None:
    good = make_stack({"a.png": photo_png(400, 300)})
    costs = stage_costs(good, STANDARD, settings, Event())
    assert costs.decode > 0
    assert costs.preprocess > 0
    damaged = bytearray(photo_png(400, 300))
    damaged[len(damaged) // 2] ^= 0xFF
    assert stage_costs(make_stack({"b.png": bytes(damaged)}), STANDARD, settings, Event()) == StageCosts(0.0, 0.0, 0.0)


def test_the_sweep_measures_every_setting_and_prefers_the_smallest_good_one() -> None:
    compiled: list[int] = []

    def compile_for(streams: int) -> FakeEngine:
        compiled.append(streams)
        return FakeEngine(parallelism=streams)

    counted: list[int] = []
    found = measure_sweep(
        FakeEngine(parallelism=3), compile_for, 2, QUICK.sweep_seconds, lambda: counted.append(1), Event()
    )
    assert tuple(compiled) == stream_counts()
    assert len(counted) == turns(2)
    assert len(found.cells) == turns(1)
    fastest = max(cell.images_per_second for cell in found.cells)
    assert found.best.images_per_second >= 0.97 * fastest
    smaller = [cell for cell in found.cells if cell.batch_size < found.best.batch_size]
    assert all(cell.images_per_second < 0.97 * fastest for cell in smaller)
    assert found.product_streams == 3


def test_a_cancelled_sweep_stops() -> None:
    cancelled = Event()
    with pytest.raises(Cancelled):
        measure_sweep(FakeEngine(), lambda streams: FakeEngine(), 100, QUICK.sweep_seconds, cancelled.set, cancelled)


def test_a_baseline_of_a_model_without_int8_says_what_to_do(model: Model) -> None:
    with pytest.raises(EngineUnavailable, match="Optimize"):
        make_baseline("baseline-openvino", model, lambda index: b"")


@pytest.mark.torch
def test_real_engines_and_baselines_agree(
    starter: Model, make_stack: MakeStack, settings: Settings, tmp_path: Path
) -> None:
    stack = make_stack({f"{seed}.png": photo_png(300, 260, seed) for seed in range(4)})
    names: Sequence[str] = ("openvino-int8", "pytorch-fp32", "baseline-pytorch", "baseline-openvino")
    plan = BenchmarkPlan.model_validate({"engines": names, "modes": ("end-to-end",), "counts": (4,), "repeats": 1})
    report, _ = measure(plan, stack, starter, settings, tmp_path)
    runs = {run.engine: run for run in report.runs}
    assert runs["baseline-pytorch"].agreement_with_pytorch_fp32 == 1.0
    assert runs["openvino-int8"].precision == runs["baseline-openvino"].precision == "INT8"
    assert runs["baseline-pytorch"].batch_size == runs["baseline-openvino"].batch_size == 8
    assert runs["baseline-pytorch"].speedup_vs_baseline_pytorch == 1.0
    assert runs["openvino-int8"].speedup_vs_baseline_openvino is not None
    assert set(runs["baseline-pytorch"].stages_ms) == {"read", "decode", "preprocess", "infer", "rest"}
    assert report.limits is not None
    assert report.limits.engine == "openvino-int8"
