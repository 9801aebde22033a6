"""Measuring a plan: everything interleaved, so that a machine that drifts treats all alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

import numpy as np
from numpy.typing import NDArray

from core.base.cpu import usable_cores
from core.base.settings import Settings
from core.benchmark.baselines import make_baseline
from core.benchmark.environment import read_environment
from core.benchmark.limits import engine_costs, stage_costs
from core.benchmark.measure import Meter, Sample
from core.benchmark.plan import BASELINE_NAMES, MODE_LABELS, SUBJECT_LABELS, BenchmarkPlan, Effort, Mode, SubjectName
from core.benchmark.report import Report, Sweep
from core.benchmark.subjects import (
    BenchmarkSubject,
    EngineAlone,
    Ingested,
    Pipeline,
    Workshop,
    ready_inputs,
    stop_if_cancelled,
    wait_until_decoded,
)
from core.benchmark.summary import Findings, summarize
from core.benchmark.sweep import sweep, turns
from core.engines.engine import Engine
from core.engines.registry import engine_names
from core.models.model import Model
from core.recognition.classifier import Classifier
from core.stacks.stack import ImageStack

WARM_UP_BATCHES = 4
DEFAULT_EFFORT = Effort()

OnStep = Callable[[int, int, str], None]
"""Told the work done, all the work (in passes of single images or turns of the sweep), and what comes next."""


class _Steps:
    """Counts the work done."""

    def __init__(self, total: int, on_step: OnStep) -> None:
        self._done, self._total, self._on_step = 0, total, on_step

    def begin(self, text: str) -> None:
        self._on_step(self._done, self._total, text)

    def end(self, work: int) -> None:
        self._done += work


@dataclass(frozen=True, slots=True)
class _Task:
    """What a benchmark works on and with."""

    plan: BenchmarkPlan
    effort: Effort
    stack: ImageStack
    model: Model
    settings: Settings
    workshop: Workshop
    steps: _Steps
    cancelled: Event


def run_benchmark(
    plan: BenchmarkPlan,
    stack: ImageStack,
    model: Model,
    settings: Settings,
    folder: Path,
    *,
    effort: Effort = DEFAULT_EFFORT,
    on_step: OnStep = lambda done, total, text: None,
    cancelled: Event | None = None,
) -> Report:
    """Measure ``plan`` on a stack.

    Args:
        stack: the images; the stack itself is only read.
        folder: a private folder for the passes' temporary files.
        effort: how long what the plan leaves open is measured.
        on_step: called before every pass.
        cancelled: set it from another thread to stop.

    Raises:
        InvalidRequest: the plan makes no sense, see ``BenchmarkPlan.check``.
        Cancelled: the event was set.
        ModelError, EngineUnavailable: an engine cannot be loaded.
    """
    plan.check(settings)
    created = datetime.now(UTC).isoformat(timespec="seconds")
    environment = read_environment()
    passes = sum(plan.counts) * len(plan.pairs) * plan.repeats
    steps = _Steps(passes + (turns(plan.repeats) if plan.sweep else 0), on_step)
    workshop = Workshop(folder, settings)
    task = _Task(plan, effort, stack, model, settings, workshop, steps, cancelled or Event())
    try:
        limits, runs = summarize(plan, _measure(task), usable_cores())
    finally:
        workshop.close()
    return Report(
        created=created,
        model=model.card.name,
        model_checksum=model.checksum,
        stack=stack.name,
        stack_images=len(stack),
        plan=plan,
        environment=environment,
        limits=limits,
        runs=runs,
        sweep=_sweep(task) if plan.sweep else None,
    )


def _measure(task: _Task) -> Findings:
    """All passes: for each count a warm-up, then the repeats, all subjects in turn within each."""
    plan, effort, model, settings, cancelled = task.plan, task.effort, task.model, task.settings, task.cancelled
    task.steps.begin("Decoding the stack")
    wait_until_decoded(task.stack, model.preprocessing, cancelled)
    inputs = ready_inputs(task.stack, model.preprocessing, min(max(plan.counts), effort.ready_inputs))
    engines: dict[SubjectName, Engine] = {}
    sizes: dict[SubjectName, int] = {}
    for name in engine_names():
        if name in plan.engines:
            stop_if_cancelled(cancelled)  # loading may take long: the FP32 form is made from the weights the first time
            task.steps.begin(f"Preparing {SUBJECT_LABELS[name]}")
            engines[name] = model.engine(name)
            sizes[name] = Classifier(model, name).batch_size(plan.batch_size, settings)
    subjects = [_subject(task, name, mode, inputs, sizes) for name, mode in plan.pairs]
    findings = Findings(len(task.stack), len(inputs))
    for count in plan.counts:
        for subject in subjects:
            task.steps.begin(f"Warming up {_title(subject)}")
            _warm_up(subject, count, cancelled)
        for repeat in range(plan.repeats):
            # The limits belong to the same minutes as what is compared with them.
            findings.stages.append(stage_costs(task.stack, model.preprocessing, settings, cancelled))
            for name, engine in engines.items():
                stop_if_cancelled(cancelled)
                costs = engine_costs(engine, inputs, sizes[name], model.card.classes, effort.inference_seconds)
                findings.engines.setdefault(name, []).append(costs)
            for subject in subjects:
                task.steps.begin(f"{_title(subject)}: {count:,} images, pass {repeat + 1} of {plan.repeats}")
                findings.add(subject, count, _pass(subject, count, min(count, effort.latency_images), cancelled))
                task.steps.end(count)
    return findings


def _subject(
    task: _Task, name: SubjectName, mode: Mode, inputs: NDArray[np.uint8], sizes: Mapping[SubjectName, int]
) -> BenchmarkSubject:
    stop_if_cancelled(task.cancelled)
    if name in BASELINE_NAMES:
        return make_baseline(name, task.model, lambda index: task.stack.as_file(index % len(task.stack))[1])
    if mode == "inference-only":
        return EngineAlone(task.model.engine(name), sizes[name], task.model.card.classes, inputs)
    make = Pipeline if mode == "end-to-end" else Ingested
    return make(task.model.engine(name), sizes[name], task.model, task.stack, task.workshop, task.settings)


def _warm_up(subject: BenchmarkSubject, count: int, cancelled: Event) -> None:
    """A short pass with the same batches, the smaller last one included: new shapes build their kernels now."""
    batches = min(count // subject.batch_size, WARM_UP_BATCHES)
    images = batches * subject.batch_size + count % subject.batch_size
    with subject.ready(images) as recognizer:
        recognizer(range(images), subject.batch_size, cancelled)
    with subject.ready(1) as recognizer:
        recognizer([0], 1, cancelled)


def _pass(subject: BenchmarkSubject, count: int, singles: int, cancelled: Event) -> Sample:
    with subject.ready(count) as recognizer, Meter() as meter:
        answers = recognizer(range(count), subject.batch_size, cancelled)
    latencies = []
    with subject.ready(singles) as recognizer:
        for index in range(singles):
            started = time.perf_counter()
            recognizer([index], 1, cancelled)
            latencies.append(time.perf_counter() - started)
    return Sample(
        meter.seconds, meter.cpu_seconds, meter.peak_bytes, meter.growth_bytes, tuple(answers), tuple(latencies)
    )


def _sweep(task: _Task) -> Sweep:
    def begin() -> None:
        task.steps.begin("Sweeping batch sizes and streams")

    def on_turn() -> None:
        task.steps.end(1)
        begin()

    begin()
    return sweep(task.model, task.plan.repeats, task.effort.sweep_seconds, on_turn, task.cancelled)


def _title(subject: BenchmarkSubject) -> str:
    return f"{SUBJECT_LABELS[subject.name]}, {MODE_LABELS[subject.mode].lower()}"
