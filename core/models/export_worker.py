"""Export in a process of its own, so that PyTorch's memory goes back to the system when it is done."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.base.worker_main import Events, serve
from core.images.preprocessing import Preprocessing
from core.models import imagenet
from core.models.architectures import ARCHITECTURES
from core.models.exported import write_forms


def export(events: Events, architecture: str, weights: str, preprocessing: Mapping[str, Any], draft: str) -> None:
    """See ``core.models.exported.write_forms``."""
    write_forms(
        ARCHITECTURES[architecture],
        Path(weights),
        Preprocessing.model_validate(preprocessing),
        Path(draft),
        events.step,
    )


def imagenet_labels(events: Events) -> None:
    """See ``core.models.imagenet.labels``."""
    events.send("labels", labels=imagenet.labels())


if __name__ == "__main__":
    serve({"export": export, "imagenet_labels": imagenet_labels})
