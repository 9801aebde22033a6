"""The ImageNet model: torchvision's ResNet18 with its IMAGENET1K_V1 weights, downloaded when it is first wanted."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from pathlib import Path

from core.base.disk import check_free
from core.base.errors import DownloadError
from core.base.settings import MIB, Settings
from core.base.worker_process import WorkerProcess
from core.models.downloads import download, torch_hub_file
from core.models.exported import WORKER
from core.models.install import installed_folder, write_model
from core.models.model import Model
from core.models.torchvision_compat import import_torchvision

NAME = "imagenet"
ROOM_BYTES = 96 * MIB

# torch.hub's convention: the name ends in the first digits of the file's SHA-256. It also keeps the name a plain one.
_HUB_NAME = re.compile(r"[\w.-]+-([0-9a-f]{8,64})\.(pth|pt|safetensors)", re.ASCII)


def weights_path(settings: Settings) -> Path:
    """Where the weights are kept, or can be put by hand.

    Raises:
        DownloadError: ``settings.imagenet_url`` ends in no file name with a checksum.
    """
    return settings.data_dir / "downloads" / _hub_name(settings.imagenet_url)[0]


def get_weights(
    settings: Settings,
    *,
    on_progress: Callable[[int, int | None], None] = lambda done, total: None,
    cancelled: threading.Event | None = None,
) -> Path:
    """The file of weights, checked: the one here, or a copy of the one PyTorch has downloaded, or downloaded.

    Raises:
        AppError: as ``core.models.downloads.download``, whose arguments these are.
    """
    path = weights_path(settings)
    download(
        settings.imagenet_url,
        path,
        sha256_prefix=_hub_name(settings.imagenet_url)[1],
        copies=(torch_hub_file(path.name),),
        on_progress=on_progress,
        cancelled=cancelled,
        max_bytes=settings.max_weights_bytes,
    )
    return path


def install(
    settings: Settings,
    *,
    on_progress: Callable[[int, int | None], None] = lambda done, total: None,
    cancelled: threading.Event | None = None,
) -> Model:
    """Get the weights and install the model under ``NAME``; it has no INT8 copy yet.

    Raises:
        AppError, OSError: as ``get_weights`` and ``core.models.install.write_model``.
    """
    # The weights as they come, and the model made of them: everybody's, and so in nobody's quota.
    check_free(settings.data_dir, ROOM_BYTES, settings.min_free_bytes)
    weights = get_weights(settings, on_progress=on_progress, cancelled=cancelled)
    return write_model(
        weights,
        lambda _: _labels_of_worker(),
        installed_folder(NAME, settings),
        title="ImageNet: 1000 classes",
        data="ImageNet-1K; torchvision's ResNet18_Weights.IMAGENET1K_V1",
        settings=settings,
    )


def labels() -> tuple[str, ...]:
    """The 1000 class names, as torchvision writes them; imports torch."""
    categories = import_torchvision().models.ResNet18_Weights.IMAGENET1K_V1.meta["categories"]
    return tuple(categories)


def _labels_of_worker() -> tuple[str, ...]:
    """``labels`` without torch in this process, which a server would keep for good."""
    found: list[str] = []
    with WorkerProcess(WORKER) as worker:
        worker.call("imagenet_labels", lambda event: found.extend(event["labels"]))
    return tuple(found)


def _hub_name(url: str) -> tuple[str, str]:
    """File name and checksum digits."""
    found = _HUB_NAME.fullmatch(url.rpartition("/")[2])
    if found is None:
        raise DownloadError(
            "AISR_IMAGENET_URL must end in a file name with its checksum, such as resnet18-f37072fd.pth."
        )
    return found[0], found[1]
