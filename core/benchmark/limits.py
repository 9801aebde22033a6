"""What the work costs when nothing else is in the way, and the roofline that follows from it."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from statistics import median
from threading import Event

import numpy as np
from numpy.typing import NDArray

from core.base.errors import ImageError
from core.base.settings import Settings
from core.benchmark.plan import SubjectName
from core.benchmark.report import Limits
from core.benchmark.subjects import stop_if_cancelled
from core.engines.batch_size import keep_busy
from core.engines.engine import LOGITS, Engine
from core.images import pixels
from core.images.formats.format import FileReader, InMemory
from core.images.preprocessing import Preprocessing
from core.recognition.results import top_scores
from core.stacks.stack import ImageStack

COST_IMAGES = 64  # decoded in each round; their cost varies with the picture, so a stack should be like them


@dataclass(frozen=True, slots=True)
class StageCosts:
    """Core seconds per image."""

    read: float
    decode: float
    preprocess: float


@dataclass(frozen=True, slots=True)
class EngineCosts:
    """Core seconds per image at one batch size."""

    infer: float
    postprocess: float


def stage_costs(stack: ImageStack, preprocessing: Preprocessing, settings: Settings, cancelled: Event) -> StageCosts:
    """Cost of bringing an image to the engine, by thread CPU time, all decoding threads at work at once.

    Images that cannot be read are left out; without any that can, everything costs nothing.
    """

    def cost(index: int) -> tuple[float, float, float] | None:
        stop_if_cancelled(cancelled)
        marks = [time.thread_time()]
        try:
            entry = stack.entries[index]
            file: FileReader = stack.file(index)
            if not entry.format.reads_parts:  # otherwise reading is a part of decoding
                file = InMemory(file.read())
            marks.append(time.thread_time())
            at_least = pixels.enough_of(entry.header, preprocessing)
            decoded = entry.format.decode(file, entry.frame, max_pixels=settings.max_pixels, at_least=at_least)
            marks.append(time.thread_time())
            pixels.to_model_input(pixels.shown(decoded, entry.header), preprocessing)
            marks.append(time.thread_time())
        except ImageError:
            return None
        return marks[1] - marks[0], marks[2] - marks[1], marks[3] - marks[2]

    places = np.linspace(0, len(stack) - 1, min(COST_IMAGES, len(stack))).round().astype(int).tolist()
    with ThreadPoolExecutor(settings.decode_workers) as pool:
        costs = [found for found in pool.map(cost, places) if found is not None]
    if not costs:
        return StageCosts(0.0, 0.0, 0.0)
    read, decode, preprocess = np.mean(costs, axis=0).tolist()
    return StageCosts(read, decode, preprocess)


def engine_costs(
    engine: Engine, inputs: NDArray[np.uint8], batch_size: int, labels: tuple[str, ...], seconds: float
) -> EngineCosts:
    """Cost of inference, by the process's CPU time with all parallel requests busy, and of reading the answers off.

    Args:
        inputs: model inputs uint8 ``[N, 224, 224, 3]``.
        seconds: how long inference is measured.
    """
    batch = inputs.take(range(batch_size), axis=0, mode="wrap")
    with ThreadPoolExecutor(engine.parallelism) as pool:
        started = time.process_time()
        calls = keep_busy(pool, engine, batch, seconds)
        infer = (time.process_time() - started) / (calls * batch_size)
    logits = engine.infer(batch)[LOGITS]
    started = time.thread_time()
    top_scores(logits, labels)
    return EngineCosts(infer, (time.thread_time() - started) / batch_size)


def middle_stage_costs(rounds: Sequence[StageCosts]) -> StageCosts:
    """The median of each stage over rounds."""
    return StageCosts(*(median(getattr(one, stage) for one in rounds) for stage in ("read", "decode", "preprocess")))


def middle_engine_costs(rounds: Sequence[EngineCosts]) -> EngineCosts:
    """The median of each stage over rounds."""
    return EngineCosts(*(median(getattr(one, stage) for one in rounds) for stage in ("infer", "postprocess")))


def roofline(engine: SubjectName, cores: float, stages: StageCosts, infer: float) -> Limits:
    """The most images per second if all ``cores`` did nothing but decode, preprocess and infer.

    The bound of Williams, Waterman and Patterson (2009), with core time as the only resource.
    """
    decode_preprocess = stages.decode + stages.preprocess
    total = decode_preprocess + infer
    return Limits(
        engine=engine,
        cores=cores,
        decode_preprocess_core_seconds_per_image=decode_preprocess,
        inference_core_seconds_per_image=infer,
        roofline_images_per_second=cores / total if total > 0 else math.nan,
    )
