"""A model and one of its engines, ready for images: what everybody who recognises anything goes through.

It needs no stack, and it travels: another process gets the names it is made of, never a lock or an open file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.base.errors import ImageError, InvalidRequest
from core.base.settings import MAX_PIXELS, Settings
from core.engines.batch_size import automatic_batch_size
from core.engines.engine import FEATURES, LOGITS, Engine, EngineName
from core.images import formats, pixels
from core.images.pixels import RangeOf
from core.images.preprocessing import Preprocessing
from core.models.model import Model
from core.recognition.known import known_of
from core.recognition.results import THRESHOLD, Answer, Prediction, top_scores

Image = bytes | Path | NDArray[np.uint8]
DEFAULT_BATCH = 8  # images; close to the best on every CPU measured, and nothing has to be measured for it


class Classifier:
    """Names what images show. Safe to use from many threads at once."""

    def __init__(self, model: Model, engine: EngineName) -> None:
        """Load ``engine`` of ``model``; the first time takes up to seconds, later ones nothing.

        Raises:
            ModelError, EngineUnavailable: the engine cannot be loaded, or a file beside it is damaged.
        """
        self.model = model
        self.engine: Engine = model.engine(engine)
        self._temperature = model.card.confidence.get(engine)
        self._known = known_of(model) if FEATURES in self.engine.outputs else None

    def __reduce__(self) -> tuple[Callable[[Path, Path, EngineName], Classifier], tuple[Path, Path, EngineName]]:
        return _from_folder, (self.model.folder, self.model.cache_dir, self.engine.name)

    @classmethod
    def from_folder(cls, folder: Path, engine: EngineName, *, cache_dir: Path) -> Classifier:
        """The model whose card is in ``folder``; compiled and converted forms are kept in ``cache_dir``.

        Raises:
            ModelError, EngineUnavailable: as the constructor.
        """
        return cls(Model(folder, cache_dir), engine)

    def warm_up(self) -> None:
        """Have what pages and API ask for compiled: logits with features, where the engine gives those."""
        if FEATURES in self.engine.outputs:
            self.engine.infer(np.zeros((1, *self.engine.input_shape), np.uint8), (LOGITS, FEATURES))

    def predict(self, images: Sequence[Image], *, batch_size: int = DEFAULT_BATCH) -> list[Prediction]:
        """One prediction for each image, in their order.

        Args:
            images: each the bytes of a file, the path of one, or uint8 RGB pixels ``[H, W, 3]``.
            batch_size: images per inference call.

        An image that cannot be read becomes a prediction with ``error`` set; the others are not affected.

        Raises:
            ValueError: an array of another shape or dtype, or a batch size below 1.
        """
        if batch_size < 1:
            raise ValueError(f"expected a batch size of at least 1, got {batch_size}")
        found: dict[int, Prediction] = {}
        inputs = self._inputs(images, found)
        while batch := list(islice(inputs, batch_size)):
            answers = self.classify(np.stack([one for _, one, _ in batch]))
            for (index, _, scaled), answer in zip(batch, answers, strict=True):
                found[index] = self.prediction(index, _name(images[index]), answer, "image" if scaled else None)
        return [found[index] for index in range(len(images))]

    @property
    def outputs(self) -> tuple[str, ...]:
        """What the engine must be asked for to answer."""
        return (LOGITS,) if self._known is None else (LOGITS, FEATURES)

    def classify(self, inputs: NDArray[np.uint8]) -> list[Answer]:
        """An answer for each of the model inputs uint8 ``[B, H, W, 3]``.

        Raises:
            ValueError: ``inputs`` has another shape or dtype than the model takes.
        """
        return self.answers(self.engine.infer(inputs, self.outputs))

    def answers(self, found: Mapping[str, NDArray[np.float32]]) -> list[Answer]:
        """What the engine's ``outputs`` say: where all confidences and scores are made."""
        temperature = 1.0 if self._temperature is None else self._temperature.value
        best = top_scores(found[LOGITS], self.model.card.classes, temperature=temperature)
        if self._known is None:
            return [Answer(top) for top in best]
        scores = self._known.scores(found[FEATURES]).tolist()
        return [Answer(top, score) for top, score in zip(best, scores, strict=True)]

    def prediction(self, index: int, filename: str, answer: Answer, value_range: RangeOf | None = None) -> Prediction:
        """The answer for an image, which was scaled by this range."""
        return Prediction(
            index,
            filename,
            answer.top,
            self.engine.name,
            self.model.card.name,
            calibrated=self._temperature is not None,
            known_score=answer.known_score,
            threshold=1 - known.kept if (known := self.model.card.known) else THRESHOLD,
            value_range=value_range,
        )

    def failure(self, index: int, filename: str, error: str) -> Prediction:
        """Why there is no answer for an image, as a sentence."""
        return Prediction(index, filename, (), self.engine.name, self.model.card.name, error)

    def batch_size(self, asked: int, settings: Settings, *, images: int | None = None) -> int:
        """The batch size to use for so many ``images``, or for any number of them: the one place that decides it.

        ``asked`` 0 takes ``settings.batch_size``, and if that is 0 too, the one measured on this machine. Few images
        run side by side, each by itself, and need not wait for the measurement.

        Raises:
            InvalidRequest: ``asked`` is negative or above ``settings.max_batch_size``.
        """
        if not 0 <= asked <= settings.max_batch_size:
            raise InvalidRequest(f"The batch size must be between 1 and {settings.max_batch_size}, or 0 for automatic.")
        if size := asked or settings.batch_size:
            return size
        if images is not None and images <= self.engine.parallelism:
            return 1
        return automatic_batch_size(self.engine, self.model.checksum, settings.cache_dir)

    def _inputs(
        self, images: Sequence[Image], failed: dict[int, Prediction]
    ) -> Iterator[tuple[int, NDArray[np.uint8], bool]]:
        """Positions, model inputs, and whether values were scaled; what cannot be read goes to ``failed`` instead."""
        for index, image in enumerate(images):
            try:
                yield index, *_model_input(image, self.model.preprocessing)
            except (ImageError, OSError) as error:
                sentence = error.strerror or str(error) if isinstance(error, OSError) else str(error)
                failed[index] = self.failure(index, _name(image), sentence)


def _from_folder(folder: Path, cache_dir: Path, engine: EngineName) -> Classifier:
    return Classifier.from_folder(folder, engine, cache_dir=cache_dir)


def _name(image: Image) -> str:
    return image.name if isinstance(image, Path) else ""


def _model_input(image: Image, preprocessing: Preprocessing) -> tuple[NDArray[np.uint8], bool]:
    if isinstance(image, np.ndarray):
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
            raise ValueError(f"expected uint8 [H, W, 3], got {image.dtype} {image.shape}")
        return pixels.to_model_input(image, preprocessing), False
    data = image.read_bytes() if isinstance(image, Path) else image
    decoded, header = formats.decode_enough(
        data, partial(pixels.enough_of, preprocessing=preprocessing), max_pixels=MAX_PIXELS
    )
    size = header.width, header.height
    made = pixels.to_model_input(pixels.shown(decoded, header), preprocessing, size, grey=header.is_grey)
    return made, pixels.is_scaled(header)
