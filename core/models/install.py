"""Writing models into folders: complete or not at all, and never over a model that works until the new one stands."""

from __future__ import annotations

import io
import re
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path

from core.base.errors import InvalidRequest
from core.base.settings import Settings
from core.images.preprocessing import STANDARD, Preprocessing
from core.models.architectures import RESNET18, Architecture
from core.models.card import WEIGHTS_NAME, ModelCard, file_checksum, write_card
from core.models.model import Model
from core.models.weights import import_weights

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")


def installed_folder(name: str, settings: Settings) -> Path:
    """Where an installed model of this name is, or will be.

    Raises:
        InvalidRequest: the name is not made of lower-case letters, digits and hyphens.
    """
    if not _NAME.fullmatch(name):
        raise InvalidRequest("A model's name is made of at most 40 lower-case letters, digits and hyphens.")
    return settings.installed_dir / name


def write_model(
    source: Path,
    read_labels: Callable[[int], tuple[str, ...]],
    folder: Path,
    *,
    title: str,
    data: str,
    settings: Settings,
    architecture: Architecture = RESNET18,
    preprocessing: Preprocessing = STANDARD,
) -> Model:
    """Make a model folder from a file of weights; the model has no INT8 copy yet.

    Args:
        source: ``.safetensors`` or ``.pth``.
        read_labels: gives the labels for a number of classes, in the order of the network's outputs.
        folder: its name becomes the model's name; a model that is there is replaced.
        title: for people.
        data: what the weights were trained on, for the card.
        architecture: of the weights.
        preprocessing: the one they were trained with.

    Raises:
        ModelError: the weights or the labels do not fit.
        OSError: the folder cannot be written.
    """
    with replacing(folder) as draft:
        classes = import_weights(source, draft / WEIGHTS_NAME, architecture.name, max_bytes=settings.max_weights_bytes)
        labels = read_labels(classes)
        card = ModelCard(
            name=folder.name,
            title=title,
            description="",
            architecture=architecture.label,
            network=architecture.name,
            classes=labels,
            data=data,
            recipe={},
            preprocessing=preprocessing,
            quantization={},
            versions={package: version(package) for package in ("torch", "safetensors")},
            checksums={WEIGHTS_NAME: file_checksum(draft / WEIGHTS_NAME)},
        )
        write_card(card, draft)
    return Model(folder, settings.cache_dir)


def copy_model(made: Model, folder: Path, *, title: str, settings: Settings, beside: Sequence[Path] = ()) -> Model:
    """Copy a model that an optimisation has made to ``folder``, whose name becomes its name.

    ``beside`` are further files that the model comes to hold.

    Raises:
        OSError: the folder cannot be written.
    """
    with replacing(folder) as draft:
        shutil.copytree(made.folder, draft, dirs_exist_ok=True)
        checksums = dict(made.card.checksums)
        for path in beside:
            shutil.copyfile(path, draft / path.name)
            checksums[path.name] = file_checksum(path)
        write_card(made.card.model_copy(update={"name": folder.name, "title": title, "checksums": checksums}), draft)
    return Model(folder, settings.cache_dir)


def pack_model(model: Model) -> bytes:
    """The model's folder as a ZIP; unpacked into ``settings.installed_dir``, it is installed."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(model.folder.iterdir()):
            archive.write(path, f"{model.card.name}/{path.name}")
    return packed.getvalue()


def remove_model(folder: Path) -> None:
    """Delete a model's folder: for whoever looks for models it is gone in one step.

    Raises:
        OSError: it cannot be removed.
    """
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        folder.rename(Path(scratch) / "removed")


@contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """An empty draft folder that takes the place of ``folder`` when the block ends without an error."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        draft, before = Path(scratch) / "draft", Path(scratch) / "before"
        draft.mkdir()
        yield draft
        with suppress(FileNotFoundError):  # there is none, or it is being deleted
            folder.rename(before)
        try:
            draft.rename(folder)
        except OSError:
            if before.exists():
                before.rename(folder)
            raise
