"""The straightforward pipelines people write first: one image after the other, then a batch, then the next.

Built only from what Pillow, torchvision, PyTorch and OpenVINO document, without anything this project does to be fast.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Event
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.base.errors import EngineUnavailable
from core.benchmark.plan import Mode, SubjectName
from core.benchmark.subjects import Naming, first_classes, stop_if_cancelled
from core.engines.openvino import convolution_precision, shared_core
from core.images.preprocessing import Preprocessing
from core.models.model import Model
from core.models.torchvision_compat import import_torchvision

BATCH_SIZE = 8

Transform = Callable[[Image.Image], Any]
Classify = Callable[[list[Any]], NDArray[np.float32]]


class Baseline:
    """A sequential pipeline over files' bytes; see ``core.benchmark.subjects.BenchmarkSubject``.

    Attributes:
        transform: what makes a model input of an RGB image.
        classify: what makes logits float32 ``[B, classes]`` of such inputs.
    """

    mode: Mode = "end-to-end"
    batch_size = BATCH_SIZE

    def __init__(
        self,
        name: SubjectName,
        precision: str,
        classes: tuple[str, ...],
        read: Callable[[int], bytes],
        transform: Transform,
        classify: Classify,
    ) -> None:
        self.name: SubjectName = name
        self.precision = precision
        self.transform = transform
        self.classify = classify
        self._classes = classes
        self._read = read
        self._spent = dict.fromkeys(("read", "decode", "preprocess", "infer"), 0.0)
        self._images = 0

    def stage_seconds(self) -> Mapping[str, float]:
        """See ``Subject.stage_seconds``; over all passes in full batches."""
        return {stage: seconds / max(self._images, 1) for stage, seconds in self._spent.items()}

    @contextmanager
    def ready(self, count: int) -> Iterator[Naming]:
        """See ``Subject.ready``."""
        yield self._recognize

    def _recognize(self, indices: Sequence[int], batch_size: int, cancelled: Event) -> list[str]:
        answers: list[str] = []
        spent = dict.fromkeys(self._spent, 0.0)
        for start in range(0, len(indices), batch_size):
            stop_if_cancelled(cancelled)
            batch = []
            for index in indices[start : start + batch_size]:
                with _cpu_time(spent, "read"):
                    data = self._read(index)
                with _cpu_time(spent, "decode"), Image.open(io.BytesIO(data)) as opened:
                    image = opened.convert("RGB")
                with _cpu_time(spent, "preprocess"):
                    batch.append(self.transform(image))
            with _cpu_time(spent, "infer"):
                answers += first_classes(self.classify(batch), self._classes)
        if batch_size == self.batch_size:
            self._spent = {stage: self._spent[stage] + seconds for stage, seconds in spent.items()}
            self._images += len(indices)
        return answers


@contextmanager
def _cpu_time(spent: dict[str, float], stage: str) -> Iterator[None]:
    """Add the process's CPU time in the block; nothing else of the benchmark runs beside a sequential pipeline."""
    started = time.process_time()
    yield
    spent[stage] += time.process_time() - started


def make_baseline(name: SubjectName, model: Model, read: Callable[[int], bytes]) -> Baseline:
    """The baseline of this name.

    Args:
        read: gives the bytes of an image's file.

    Raises:
        EngineUnavailable: PyTorch is not installed, or the model has no INT8 copy.
        ModelError: its files are damaged.
    """
    make = _pytorch if name == "baseline-pytorch" else _openvino
    try:
        precision, transform, classify = make(model)
    except ImportError as error:
        raise EngineUnavailable("The baselines need PyTorch and torchvision; install requirements.txt.") from error
    return Baseline(name, precision, model.card.classes, read, transform, classify)


def _pytorch(model: Model) -> tuple[str, Transform, Classify]:
    import torch

    network = model.network()
    transforms = import_torchvision().transforms
    transform = transforms.Compose(
        [
            *_resize_and_crop(model.preprocessing),
            transforms.ToTensor(),
            transforms.Normalize(model.preprocessing.mean, model.preprocessing.std),
        ]
    )

    def classify(batch: list[Any]) -> NDArray[np.float32]:
        with torch.inference_mode():
            logits: NDArray[np.float32] = network(torch.stack(batch)).numpy()
        return logits

    return "FP32", transform, classify


def _openvino(model: Model) -> tuple[str, Transform, Classify]:
    """The INT8 model takes uint8 NHWC and normalises by itself, so only resize and crop are left of the transforms."""
    if not model.has_int8:
        raise EngineUnavailable(f"{model.card.title} has no INT8 copy; make one on the Optimize page.")
    compiled = shared_core().compile_model(str(model.int8_ir()), "CPU")
    transform = import_torchvision().transforms.Compose([*_resize_and_crop(model.preprocessing), np.asarray])

    def classify(batch: list[Any]) -> NDArray[np.float32]:
        logits: NDArray[np.float32] = compiled(np.stack(batch))[0]
        return logits

    return convolution_precision(compiled), transform, classify


def _resize_and_crop(preprocessing: Preprocessing) -> list[Transform]:
    transforms = import_torchvision().transforms
    interpolation = transforms.InterpolationMode(preprocessing.interpolation)
    steps = [
        transforms.Resize(preprocessing.resize, interpolation=interpolation),
        transforms.CenterCrop(preprocessing.crop),
    ]
    return steps if preprocessing.color_order == "RGB" else [*steps, _swap_red_and_blue]


def _swap_red_and_blue(image: Image.Image) -> Image.Image:
    return Image.merge("RGB", image.split()[::-1])
