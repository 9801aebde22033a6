"""A report as files: CSV for spreadsheets, a Markdown table for documents; JSON is the report itself."""

from __future__ import annotations

from dataclasses import dataclass

from core.base.spreadsheet import write_csv
from core.benchmark.plan import MODE_LABELS, SUBJECT_LABELS
from core.benchmark.report import BenchmarkRun, Report

_STAGES = ("read", "decode", "preprocess", "infer", "postprocess", "rest")
_COLUMNS = [name for name in BenchmarkRun.model_fields if name != "stages_ms"] + [f"{stage}_ms" for stage in _STAGES]


def report_csv(report: Report) -> str:
    """One line for each run; the columns are the fields of ``BenchmarkRun``, its stages each in a column of its own."""
    return write_csv(
        _COLUMNS,
        (
            run.model_dump(exclude={"stages_ms"}) | {f"{stage}_ms": run.stages_ms.get(stage) for stage in _STAGES}
            for run in report.runs
        ),
    )


def report_json(report: Report) -> str:
    """The report as ``read_report`` takes it."""
    return report.model_dump_json(indent=1)


def report_markdown(report: Report) -> str:
    """The main figures of every run as a table, with what is needed to read them below it."""
    titles = [
        "engine", "mode", "images", "batch", "seconds (spread)", "images/s", "vs PyTorch FP32", "of roofline",
        "latency p50 / p90 ms", "CPU ms/image", "peak MB", "agreement",
    ]  # fmt: skip
    lines = ["| " + " | ".join(titles) + " |", "| " + " | ".join(["---", "---", *["---:"] * (len(titles) - 2)]) + " |"]
    lines += ["| " + " | ".join(_cells(run)) + " |" for run in report.runs]
    return "\n".join([*lines, "", *(f"- {note}" for note in notes_of(report)), ""])


def notes_of(report: Report) -> list[str]:
    """Sentences that belong to the figures."""
    found = []
    repeated = {run.mode: run.distinct_images for run in report.runs if run.distinct_images < run.images}
    for mode, distinct in repeated.items():
        found.append(
            f"{MODE_LABELS[mode]}: counts above {distinct:,} repeat the first {distinct:,} images of the stack."
        )
    if limits := report.limits:
        decode = limits.decode_preprocess_core_seconds_per_image * 1e3
        infer = limits.inference_core_seconds_per_image * 1e3
        found.append(
            f"Roofline of {SUBJECT_LABELS[limits.engine]}: {limits.cores:g} cores / ({decode:.2f} ms decoding and "
            f"preprocessing + {infer:.2f} ms inference) = {limits.roofline_images_per_second:.0f} images/s."
        )
    largest = max((run.images for run in report.runs), default=0)
    for run in report.runs:
        if run.images < largest:
            continue
        ratios = {"PyTorch": run.speedup_vs_baseline_pytorch, "OpenVINO": run.speedup_vs_baseline_openvino}
        shown = [f"{ratio:.2f} times the {name} baseline" for name, ratio in ratios.items() if ratio]
        if shown and not run.engine.startswith("baseline"):
            found.append(f"{SUBJECT_LABELS[run.engine]}, {run.images:,} images: {' and '.join(shown)}.")
    if app := report.benchmark_app:
        found.append(
            f"Inference only against OpenVINO's benchmark_app, batch {app.batch_size}: {app.ratio:.3f} of its rate."
        )
    if best := report.sweep and report.sweep.best:
        found.append(
            f"Sweep: batches of {best.batch_size} on {best.streams} streams, {best.images_per_second:.0f} images/s."
        )
    environment = report.environment
    load = "" if environment.load is None else f", load {environment.load:.2f} before"
    found.append(f"{environment.cpu}, {environment.cores} cores{load}; model {report.model} {report.model_checksum}.")
    if environment.int8_warning:
        found.append(environment.int8_warning)
    return found


@dataclass(frozen=True, slots=True)
class RunPair:
    """The same engine, mode and count in two reports."""

    before: BenchmarkRun
    after: BenchmarkRun

    @property
    def ratio(self) -> float:
        """Images/s after, divided by before."""
        return self.after.images_per_second / self.before.images_per_second


def compare_reports(before: Report, after: Report) -> list[RunPair]:
    """What two reports have in common, in the order of the second."""
    known = {(run.engine, run.mode, run.images): run for run in before.runs}
    keys = ((run, known.get((run.engine, run.mode, run.images))) for run in after.runs)
    return [RunPair(found, run) for run, found in keys if found is not None]


def _cells(run: BenchmarkRun) -> list[str]:
    repeated = "*" if run.distinct_images < run.images else ""
    p90 = "" if run.latency_ms_p90 is None else f" / {run.latency_ms_p90:.1f}"
    return [
        f"{SUBJECT_LABELS[run.engine]} ({run.precision})",
        MODE_LABELS[run.mode],
        f"{run.images:,}{repeated}",
        str(run.batch_size),
        f"{run.seconds_median:.2f} ({run.seconds_min:.2f} to {run.seconds_max:.2f})",
        f"{run.images_per_second:.0f}",
        "" if run.speedup_vs_pytorch_fp32 is None else f"{run.speedup_vs_pytorch_fp32:.2f}",
        "" if run.fraction_of_roofline is None else f"{run.fraction_of_roofline:.2f}",
        f"{run.latency_ms_median:.1f}{p90}",
        f"{run.cpu_seconds_per_image * 1e3:.2f}",
        f"{run.peak_memory_mb:.0f}",
        "" if run.agreement_with_pytorch_fp32 is None else f"{run.agreement_with_pytorch_fp32:.1%}",
    ]
