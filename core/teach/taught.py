"""The taught model's files: a backbone's weights with the new head, its card, and the examples it was taught with."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from core.base.errors import ModelError
from core.engines.registry import engine_names
from core.models.architectures import GRAPH, RESNET18, STAGED_RESNET18, Architecture
from core.models.card import (
    KNOWN_NAME,
    WEIGHTS_NAME,
    KnownImages,
    ModelCard,
    Teaching,
    Temperature,
    check_file,
    file_checksum,
    write_card,
)
from core.models.foreign.new_head import write_graph_with_head
from core.models.model import Model
from core.models.new_head import write_with_head
from core.models.registry import ModelRegistry
from core.models.weight_files import safetensors
from core.models.weight_files.tensors import BadFile, Stored
from core.recognition.known import Known, write_known
from core.teach.features import CONTENT_BYTES
from core.teach.head import INVERSE_STRENGTH, Examples, Head
from core.trust.known import of_examples
from core.trust.share import Share
from core.trust.temperature import MIN_IMAGES, fitted

EXAMPLES_NAME = "examples.safetensors"
Stages = Literal["all", "last"]


def network_of(stages: Stages) -> Architecture:
    """Which network a taught model is: plain ResNet18 where the head looks at the last stage alone."""
    return STAGED_RESNET18 if stages == "all" else RESNET18


def head_input(features: NDArray[np.float32], stages: Stages) -> NDArray[np.float32]:
    """What a head looks at, of features ``[N, F]`` of all stages, first stage first."""
    return features if stages == "all" else features[:, -RESNET18.stages[-1].channels :]


def labels_checksum(labels: Mapping[str, str]) -> str:
    """SHA-256 of labels by file name; the same labels make the same one in any order."""
    lines = "".join(f"{name}\0{label}\n" for name, label in sorted(labels.items()))
    return hashlib.sha256(lines.encode("utf-8", "surrogatepass")).hexdigest()


def write_taught(
    folder: Path,
    backbone: Model,
    weights: Path,
    head: Head,
    facts: Teaching,
    *,
    stages: Stages,
    title: str,
    cache_dir: Path,
    confidence: Temperature | None = None,
    known: Known | None = None,
    kept: float | None = None,
    trained: Mapping[str, NDArray[np.float32]] = MappingProxyType({}),
) -> Model:
    """Write a taught model into ``folder``, which is there and empty; it has no INT8 copy yet.

    Args:
        folder: of the model.
        backbone: what was taught.
        weights: of the backbone.
        head: over the features of ``stages``.
        facts: for the card.
        stages: which the head looks at.
        title: for people.
        cache_dir: see ``Model``.
        confidence: the temperature of all engines, if there is one.
        known: what is known of its images, by which unlike ones are told.
        kept: share of known images that are called known; None is the usual one.
        trained: parameters of the network that were trained further, by name; the head's among them count.

    Raises:
        OSError: it cannot be written.
    """
    graph, looked_at = backbone.card.graph, "all four stages" if stages == "all" else "the last stage"
    if graph is None:
        weight, bias = trained.get("fc.weight", head.weight), trained.get("fc.bias", head.bias)
        write_with_head(weights, folder / WEIGHTS_NAME, weight, bias, trained)
        network, label = network_of(stages), network_of(stages).label
    else:
        write_graph_with_head(backbone.folder, folder, head.weight, head.bias)
        network, label = GRAPH, backbone.card.architecture
    images = sum(facts.examples.values())
    about_known = None
    if known is not None:
        write_known(known, folder / KNOWN_NAME)
        count, share = len(known.references), {} if kept is None else {"kept": kept}
        source = "labelled images, each measured by the others"
        about_known = KnownImages(images=count, measured=count, source=source, **share)
    card = ModelCard(
        name=folder.name,
        title=title,
        description=f"Taught with {images:,} labelled images of {len(head.classes)} classes.",
        architecture=label,
        network=network.name,
        graph=graph,
        classes=head.classes,
        data=f"{images:,} images of one stack, labelled by a person; the rest is that of {backbone.title}",
        recipe={
            "backbone": backbone.card.name,
            "features": "what its last layer takes" if graph else f"mean of the outputs of {looked_at}",
            "head": f"logistic regression over standardised features, C = {INVERSE_STRENGTH}, with mirror images",
            **({"longer": facts.longer} if facts.longer else {}),
        },
        preprocessing=backbone.preprocessing,
        quantization={},
        confidence=dict.fromkeys(engine_names(), confidence) if confidence else {},
        known=about_known,
        teaching=facts,
        versions={package: version(package) for package in ("scikit-learn", "safetensors")},
        checksums={path.name: file_checksum(path) for path in sorted(folder.iterdir())},
    )
    write_card(card, folder)
    return Model(folder, cache_dir)


def teaching_of(
    backbone: Model, given: Examples, labels: Mapping[str, str], estimate: Share, longer: str = ""
) -> Teaching:
    """What the card says of a teaching; ``labels`` are those of the stack by file name."""
    return Teaching(
        backbone=backbone.card.name,
        backbone_checksum=backbone.checksum,
        examples=dict(zip(given.classes, map(int, given.counts), strict=True)),
        labels_checksum=labels_checksum(labels),
        accuracy=estimate.value,
        accuracy_low=estimate.low,
        accuracy_high=estimate.high,
        longer=longer,
    )


def temperature_of(logits: NDArray[np.float32], numbers: NDArray[np.int64]) -> Temperature | None:
    """By cross-validated logits float32 ``[N, C]`` and the examples' classes ``[N]``; None of too few of them."""
    if len(numbers) < MIN_IMAGES:
        return None
    return fitted(logits, numbers, "labelled images, each judged by a head that has not seen it")


def known_images(given: Examples, *, last_stage_is_new: bool) -> Known:
    """By which images unlike the examples are told; features of a last stage that was trained further are others."""
    stages = STAGED_RESNET18.stages[:-1] if last_stage_is_new else ()
    return of_examples(given.features, given.mirrored, given.numbers, sum(stage.channels for stage in stages))


def write_examples(given: Examples, path: Path) -> None:
    """Write examples to a new file, in half precision; their classes are those of the model they lie beside.

    Raises:
        OSError: it cannot be written.
    """
    arrays: dict[str, NDArray[np.generic]] = {
        "features": given.features.astype(np.float16),
        "mirrored": given.mirrored.astype(np.float16),
        "numbers": given.numbers.astype(np.float32),
        "contents": _contents(given).astype(np.float16),  # exact, and what is read is floating-point
    }
    tensors = {
        name: Stored(array.dtype.name, array.shape, 0, tuple(step // array.itemsize for step in array.strides))
        for name, array in arrays.items()
    }
    with path.open("xb") as file:
        safetensors.write(file, tensors, arrays.__getitem__)


def read_examples(model: Model) -> Examples:
    """The examples beside a taught model.

    Raises:
        ModelError: it has none, or they are damaged.
    """
    path = check_file(model.folder / EXAMPLES_NAME, model.card)
    try:
        with path.open("rb") as file:
            tensors = safetensors.describe(file, path.stat().st_size)
            arrays = {name: tensors[name].read(file) for name in ("features", "mirrored", "numbers", "contents")}
    except (BadFile, KeyError) as error:
        raise ModelError(f"{EXAMPLES_NAME} of the model {model.card.name} is damaged; install it again.") from error
    width = model.features  # of the backbone, which a plain ResNet18 looks at more of than its own head does
    count = len(arrays["numbers"])
    shapes = {name: array.shape for name, array in arrays.items()}
    numbers = arrays["numbers"].astype(np.int64)
    expected = {
        "features": (count, width),
        "mirrored": (count, width),
        "numbers": (count,),
        "contents": (count, CONTENT_BYTES),
    }
    if shapes != expected or (count and not 0 <= numbers.min() <= numbers.max() < len(model.card.classes)):
        raise ModelError(f"{EXAMPLES_NAME} of the model {model.card.name} does not fit it; install it again.")
    return Examples(
        model.card.classes,
        numbers,
        arrays["features"].astype(np.float32),
        arrays["mirrored"].astype(np.float32),
        np.nan_to_num(arrays["contents"]).clip(0, 255).astype(np.uint8),
    )


def backbone_for_more(taught: Model, registry: ModelRegistry) -> Model:
    """The model that a taught one's examples were seen by, or itself where that is not here any more."""
    facts = taught.card.teaching
    if facts is not None and facts.backbone in registry.names:
        backbone = registry.get(facts.backbone)
        if backbone.checksum == facts.backbone_checksum:
            return backbone
    return taught


def joined(first: Examples, second: Examples) -> Examples:
    """Both together, in this order. Of an image that is in both, the first says what it shows.

    Twice in the examples, an image would be judged by a head that has learnt from itself.
    """
    known = {row.tobytes() for row in _contents(first) if row.any()}
    second = second.subset(np.array([row.tobytes() not in known for row in _contents(second)], bool).nonzero()[0])
    classes = tuple(dict.fromkeys((*first.classes, *second.classes)))
    place = np.array([classes.index(name) for name in second.classes], np.int64)
    return Examples(
        classes,
        np.concatenate([first.numbers, place[second.numbers]]),
        np.concatenate([first.features, second.features]),
        np.concatenate([first.mirrored, second.mirrored]),
        np.concatenate([_contents(first), _contents(second)]),
    )


def _contents(given: Examples) -> NDArray[np.uint8]:
    return np.zeros((len(given), CONTENT_BYTES), np.uint8) if given.contents is None else given.contents
