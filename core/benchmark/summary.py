"""From measurements to the figures of a report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import NamedTuple

from core.benchmark.limits import (
    EngineCosts,
    StageCosts,
    middle_engine_costs,
    middle_stage_costs,
    roofline,
)
from core.benchmark.measure import Sample, percentile
from core.benchmark.plan import BenchmarkPlan, Mode, SubjectName
from core.benchmark.report import BenchmarkRun, Limits
from core.benchmark.subjects import BenchmarkSubject
from core.engines.registry import reference_engine

MB = 1e6
MS = 1e3
REFERENCE: SubjectName = reference_engine().name


class _Key(NamedTuple):
    name: SubjectName
    mode: Mode
    images: int


@dataclass(slots=True)
class Findings:
    """Everything measured so far, on a stack of ``stack_images``, of which ``ready_inputs`` are kept in memory."""

    stack_images: int
    ready_inputs: int
    subjects: dict[tuple[SubjectName, Mode], BenchmarkSubject] = field(default_factory=dict)
    samples: dict[_Key, list[Sample]] = field(default_factory=dict)
    stages: list[StageCosts] = field(default_factory=list)
    engines: dict[SubjectName, list[EngineCosts]] = field(default_factory=dict)

    def add(self, subject: BenchmarkSubject, images: int, sample: Sample) -> None:
        """Keep a pass."""
        self.subjects[subject.name, subject.mode] = subject
        self.samples.setdefault(_Key(subject.name, subject.mode, images), []).append(sample)

    def distinct(self, key: _Key) -> int:
        """How many of a run's images differ."""
        return min(key.images, self.ready_inputs if key.mode == "inference-only" else self.stack_images)


def summarize(plan: BenchmarkPlan, findings: Findings, cores: float) -> tuple[Limits | None, tuple[BenchmarkRun, ...]]:
    """The limits of the fastest engine, and one run for each engine, mode and count."""
    stages = middle_stage_costs(findings.stages)
    engines = {name: middle_engine_costs(rounds) for name, rounds in findings.engines.items()}
    limits = {name: roofline(name, cores, stages, costs.infer) for name, costs in engines.items()}
    runs = tuple(
        _run(_Key(name, mode, count), findings, stages, engines.get(name), limits.get(name))
        for mode in plan.modes
        for count in plan.counts
        for name in plan.engines
        if (name, mode) in plan.pairs
    )
    fastest = min(limits.values(), key=lambda one: one.inference_core_seconds_per_image, default=None)
    return fastest, runs


def _run(
    key: _Key, findings: Findings, stages: StageCosts, costs: EngineCosts | None, limits: Limits | None
) -> BenchmarkRun:
    subject = findings.subjects[key.name, key.mode]
    samples = findings.samples[key]
    seconds = [sample.seconds for sample in samples]
    middle = median(seconds)
    cpu_ms = median(sample.cpu_seconds for sample in samples) / key.images * MS
    latencies = [latency * MS for sample in samples for latency in sample.latencies]
    rate = key.images / middle
    bound = limits.roofline_images_per_second if limits and key.mode == "end-to-end" else None
    same = _agreement(findings, key)

    def speedup(name: SubjectName, mode: Mode = key.mode) -> float | None:
        reference = findings.samples.get(_Key(name, mode, key.images))
        return median(sample.seconds for sample in reference) / middle if reference else None

    return BenchmarkRun(
        engine=key.name,
        mode=key.mode,
        precision=subject.precision,
        images=key.images,
        distinct_images=findings.distinct(key),
        batch_size=subject.batch_size,
        repeats=len(samples),
        seconds_median=middle,
        seconds_min=min(seconds),
        seconds_max=max(seconds),
        images_per_second=rate,
        speedup_vs_pytorch_fp32=speedup(REFERENCE),
        speedup_vs_baseline_pytorch=speedup("baseline-pytorch"),
        speedup_vs_baseline_openvino=speedup("baseline-openvino"),
        latency_ms_median=median(latencies),
        latency_ms_p90=percentile(latencies, 0.90),
        latency_ms_p99=percentile(latencies, 0.99),
        latency_n=len(latencies),
        cpu_seconds_per_image=cpu_ms / MS,
        peak_memory_mb=max(sample.peak_bytes for sample in samples) / MB,
        memory_growth_mb=max(sample.growth_bytes for sample in samples) / MB,
        stages_ms=_stages(subject, stages, costs, cpu_ms),
        agreement_with_pytorch_fp32=same,
        agreement_images=None if same is None else findings.distinct(key),
        roofline_images_per_second=bound,
        fraction_of_roofline=rate / bound if bound else None,
    )


def _stages(
    subject: BenchmarkSubject, stages: StageCosts, costs: EngineCosts | None, cpu_ms: float
) -> dict[str, float]:
    """CPU milliseconds per image by stage: timed by the subject itself, or as each costs alone."""
    split = dict(subject.stage_seconds())
    if costs is not None:
        before = {"read": stages.read, "decode": stages.decode, "preprocess": stages.preprocess}
        split = (before if subject.mode == "end-to-end" else {}) | asdict(costs)
    split = {stage: seconds * MS for stage, seconds in split.items()}
    return split | {"rest": max(0.0, cpu_ms - sum(split.values()))}


def _agreement(findings: Findings, key: _Key) -> float | None:
    """Share of the distinct images that the engine and PyTorch FP32 name alike in the same mode."""
    reference = findings.samples.get(_Key(REFERENCE, key.mode, key.images))
    if reference is None:
        return None
    distinct = findings.distinct(key)
    return _share_equal(findings.samples[key][0].answers[:distinct], reference[0].answers[:distinct])


def _share_equal(first: Sequence[str], second: Sequence[str]) -> float:
    return sum(one == other for one, other in zip(first, second, strict=True)) / len(first)
