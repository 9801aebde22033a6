"""Reports made up for tests."""

from __future__ import annotations

from core.benchmark.environment import Environment
from core.benchmark.plan import BenchmarkPlan, Mode, SubjectName
from core.benchmark.report import BenchmarkRun, Limits, Report, Sweep


def make_run(
    engine: SubjectName = "openvino-int8",
    mode: Mode = "end-to-end",
    images: int = 50,
    rate: float = 200.0,
    distinct_images: int | None = None,
) -> BenchmarkRun:
    """A run whose figures fit each other."""
    seconds = images / rate
    stages = {"infer": 4.0, "postprocess": 0.1, "rest": 0.4}
    return BenchmarkRun(
        engine=engine,
        mode=mode,
        precision="INT8" if engine.endswith("int8") else "FP32",
        images=images,
        distinct_images=distinct_images or images,
        batch_size=8,
        repeats=3,
        seconds_median=seconds,
        seconds_min=seconds * 0.9,
        seconds_max=seconds * 1.2,
        images_per_second=rate,
        speedup_vs_pytorch_fp32=2.0,
        speedup_vs_baseline_pytorch=None,
        speedup_vs_baseline_openvino=None,
        latency_ms_median=9.0,
        latency_ms_p90=11.0,
        latency_ms_p99=None,
        latency_n=30,
        cpu_seconds_per_image=0.009,
        peak_memory_mb=500.0,
        memory_growth_mb=20.0,
        stages_ms={"read": 0.1, "decode": 2.5, "preprocess": 0.6} | stages if mode == "end-to-end" else stages,
        agreement_with_pytorch_fp32=0.98,
        agreement_images=images,
        roofline_images_per_second=250.0,
        fraction_of_roofline=rate / 250.0,
    )


def make_report(
    runs: tuple[BenchmarkRun, ...] | None = None, limits: Limits | None = None, sweep: Sweep | None = None
) -> Report:
    """A report of these runs, or of two engines in two modes on two numbers of images."""
    if runs is None:
        runs = tuple(
            make_run(engine, mode, images)
            for mode in ("end-to-end", "inference-only")
            for images in (50, 100)
            for engine in ("openvino-int8", "pytorch-fp32")
        )
    plan = BenchmarkPlan(
        engines=tuple(dict.fromkeys(run.engine for run in runs)),
        modes=tuple(dict.fromkeys(run.mode for run in runs)),
        counts=tuple(dict.fromkeys(run.images for run in runs)),
    )
    environment = Environment(
        cpu="Test CPU",
        cores=2,
        cpu_quota=None,
        instruction_sets={"AVX2": True, "AVX-512 VNNI": True},
        memory_gb=8.0,
        load=0.1,
        system="Test system",
        python="3.11",
        versions={"openvino": "1"},
    )
    return Report(
        created="2030-01-01T12:00:00+00:00",
        model="starter",
        model_checksum="0" * 12,
        stack="photos.zip",
        stack_images=100,
        plan=plan,
        environment=environment,
        limits=limits,
        runs=runs,
        sweep=sweep,
    )
