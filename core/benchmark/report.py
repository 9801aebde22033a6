"""The result of a benchmark, as it is saved: its field names are the JSON keys that programs may rely on."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, ValidationError

from core.base.errors import InvalidRequest
from core.benchmark.environment import Environment
from core.benchmark.plan import BenchmarkPlan, Mode, SubjectName


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, allow_inf_nan=False)


class BenchmarkRun(_Frozen):
    """One engine in one mode on one number of images.

    Attributes:
        images: images per pass; ``distinct_images`` of them differ, the others repeat them.
        seconds_median: of the passes; ``seconds_min`` and ``seconds_max`` are their spread.
        speedup_vs_pytorch_fp32: ratio of median times to PyTorch FP32 in the same mode of the same benchmark; the
            baselines' ratios are to those pipelines, end to end. None where that was not measured.
        latency_ms_median: of ``latency_n`` images recognised one at a time, nothing else of the benchmark running;
            a higher percentile is None where fewer than one image in expectation lies beyond it.
        cpu_seconds_per_image: of the whole process, median of the passes.
        peak_memory_mb: most resident memory of the whole process (10^6 bytes), and how much more than at the start.
        stages_ms: CPU milliseconds per image of read, decode, preprocess, infer and postprocess, each measured
            with all cores at that work; ``rest`` is what the run took beyond their sum.
        agreement_with_pytorch_fp32: share (0..1) of ``agreement_images`` distinct images with the same first class.
        roofline_images_per_second: end to end only, see ``Limits``.
    """

    engine: SubjectName
    mode: Mode
    precision: str
    images: int
    distinct_images: int
    batch_size: int
    repeats: int
    seconds_median: float
    seconds_min: float
    seconds_max: float
    images_per_second: float
    speedup_vs_pytorch_fp32: float | None
    speedup_vs_baseline_pytorch: float | None
    speedup_vs_baseline_openvino: float | None
    latency_ms_median: float
    latency_ms_p90: float | None
    latency_ms_p99: float | None
    latency_n: int
    cpu_seconds_per_image: float
    peak_memory_mb: float
    memory_growth_mb: float
    stages_ms: dict[str, float]
    agreement_with_pytorch_fp32: float | None
    agreement_images: int | None
    roofline_images_per_second: float | None
    fraction_of_roofline: float | None


class Limits(_Frozen):
    """What the machine allows, from the cost of the unavoidable work.

    ``roofline_images_per_second = cores / (decode_preprocess + inference core seconds per image)``: every core busy
    with nothing but decoding, preprocessing and inference. ``engine`` is the fastest one measured.
    """

    engine: SubjectName
    cores: float
    decode_preprocess_core_seconds_per_image: float
    inference_core_seconds_per_image: float
    roofline_images_per_second: float


class SweepCell(_Frozen):
    """Inference only at one setting; median of the repeats."""

    batch_size: int
    streams: int
    images_per_second: float


class Sweep(_Frozen):
    """Batch sizes x streams of one engine.

    ``best`` is the smallest setting within noise of the fastest; ``product_streams`` is what the app itself uses.
    """

    engine: SubjectName
    cells: tuple[SweepCell, ...]
    best: SweepCell
    product_streams: int


class AppComparison(_Frozen):
    """Inference-only rates beside OpenVINO's benchmark_app, taken in turn; ``ratio`` is the median of paired ratios."""

    engine: SubjectName
    batch_size: int
    images_per_second: tuple[float, ...]
    benchmark_app_images_per_second: tuple[float, ...]
    ratio: float


class Report(_Frozen):
    """One benchmark: when (ISO 8601, UTC), of what, where, and what came out."""

    created: str
    model: str
    model_checksum: str
    stack: str
    stack_images: int
    plan: BenchmarkPlan
    environment: Environment
    limits: Limits | None
    runs: tuple[BenchmarkRun, ...]
    sweep: Sweep | None = None
    benchmark_app: AppComparison | None = None

    @property
    def title(self) -> str:
        """How to tell saved benchmarks apart."""
        return f"{self.created[:16].replace('T', ' ')} UTC · {self.model} · {self.stack}"


def read_report(data: bytes) -> Report:
    """A report that was saved as JSON.

    Raises:
        InvalidRequest: it is none.
    """
    try:
        return Report.model_validate_json(data)
    except ValidationError as error:
        raise InvalidRequest("This is no saved benchmark; choose a JSON file that this page has saved.") from error
