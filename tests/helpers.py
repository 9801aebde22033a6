"""What several tests need: an engine that can be slowed down or made to fail, and a way to wait for threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.engines.engine import FEATURES, LOGITS, Engine, EngineName, check_batch, check_outputs
from core.images.formats.format import FileReader, Pixels
from core.images.formats.png import Png
from core.images.preprocessing import STANDARD
from core.models.card import CARD_NAME, ModelCard
from core.models.model import Model
from tests.builders import png_bytes

SECONDS = 240.0  # longer than anything here takes on a busy machine; reaching it is a failure


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Poll ``condition`` until it holds; fail after ``SECONDS``."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"waited {SECONDS} s in vain: {what}"
        time.sleep(0.005)


def open_files(folder: Path) -> int:
    """Number of files in ``folder`` that this process holds open, also such as have no name any more.

    Not of all files: others may close meanwhile, whenever what an earlier test left is collected.
    """
    root, count = folder.resolve(), 0
    for link in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # closed since
            count += link.readlink().is_relative_to(root)
    return count


def grey_png(value: int, side: int = 8) -> bytes:
    """A PNG of one shade of grey, which every resize leaves as it is: ``FakeEngine`` names it ``str(value)``."""
    return png_bytes(np.full((side, side, 1), value))


def watch_decoding(monkeypatch: pytest.MonkeyPatch, before: Callable[[bytes], object]) -> None:
    """Have ``before`` called with the bytes of each PNG that is about to be decoded, in the thread that does it."""
    decode = Png.decode

    def watched(png: Png, file: FileReader, frame: int = 0, **options: Any) -> Pixels:
        before(file.read())
        return decode(png, file, frame, **options)

    monkeypatch.setattr(Png, "decode", watched)


class FakeEngine:
    """An engine that reads the class off the image: the value of its first sample, with confidence near 1.

    ``before`` runs at the start of each call with the batch, in the calling thread: to wait, or to raise.
    """

    classes = 256
    precision = "FAKE"
    library = "Fake 1"
    input_shape = STANDARD.input_shape

    def __init__(
        self,
        name: EngineName = "openvino-int8",
        parallelism: int = 2,
        before: Callable[[np.ndarray], None] = lambda batch: None,
        features: int = 0,
    ) -> None:
        """``features``, if any, are so many numbers an image: its first row's first and last sample, then zeros."""
        self.name = name
        self.features = features
        self.outputs: tuple[str, ...] = (LOGITS, FEATURES) if features else (LOGITS,)
        self.parallelism = parallelism
        self.before = before
        self.batch_sizes: list[int] = []
        self.most_at_once = 0
        self._at_once = 0
        self._lock = threading.Lock()

    def infer(self, batch: np.ndarray, outputs: Sequence[str] = (LOGITS,)) -> Mapping[str, np.ndarray]:
        """See ``Engine.infer``."""
        check_batch(batch, self.input_shape)
        check_outputs(outputs, self)
        with self._lock:
            self.batch_sizes.append(len(batch))
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            self.before(batch)
            found = {LOGITS: np.eye(self.classes, dtype=np.float32)[batch[:, 0, 0, 0]] * np.float32(20)}
            if FEATURES in outputs:
                found[FEATURES] = np.zeros((len(batch), self.features), np.float32)
                found[FEATURES][:, 0], found[FEATURES][:, 1] = batch[:, 0, 0, 0], batch[:, 0, -1, 0]
            return found
        finally:
            with self._lock:
                self._at_once -= 1


class FakeModel(Model):
    """A real model folder with a real card, whose engines are given; ``loads`` counts how often each was made.

    ``facts`` are fields of the card.
    """

    def __init__(self, folder: Path, *engines: Engine, **facts: Any) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        card = ModelCard(
            name=folder.name,
            title="Shades of grey",
            description="",
            architecture="",
            classes=tuple(map(str, range(256))),
            data="",
            recipe={},
            preprocessing=STANDARD,
            quantization={},
            versions={},
            checksums={"weights.safetensors": "0" * 64},
        ).model_copy(update=facts)
        (folder / CARD_NAME).write_text(card.model_dump_json())
        super().__init__(folder, folder / "cache")
        self._given = {engine.name: engine for engine in engines}
        self.loads: list[EngineName] = []

    def _load(self, name: EngineName) -> Engine:
        self.loads.append(name)
        time.sleep(0.02)  # long enough for a second thread to come in between
        return self._given[name]
