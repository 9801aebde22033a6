"""A model folder of ours that a stranger has sent: each file holds what the card says, and runs once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from core.base.errors import LabelsInvalid, ModelError, WeightsInvalid
from core.base.settings import MIB
from core.engines.engine import FEATURES, LOGITS, map_name
from core.engines.openvino import EXACT, INT8, OpenVinoEngine, shared_core
from core.engines.openvino_network import only_network
from core.models.card import KNOWN_NAME, WEIGHTS_NAME, ModelCard, read_card
from core.models.foreign.checks import check_ir
from core.models.foreign.graph import MOST_IMAGE_BYTES, Found, check_side, check_size, unify
from core.models.graph_files import GRAPH_XML
from core.models.labels import clean_label
from core.models.new_head import BIAS, WEIGHT
from core.models.openvino_ir import convert
from core.models.weight_files import safetensors
from core.models.weight_files.convert import convert_weights
from core.models.weight_files.networks import CHECKS
from core.models.weight_files.tensors import BadFile

MOST_KNOWN_NETWORK_BYTES = 64 * MIB  # that an image may take in a ResNet18, which is run in whole batches: 6 at 224 px
MOST_KNOWN_BYTES = 64 * MIB  # of what unlike images are told by; the starter's has 1 MB


def check_folder(folder: Path, scratch: Path, most_bytes: int) -> None:
    """Look at a folder whose files are those of its card, in a process that is held to limits.

    Args:
        folder: with the card.
        scratch: an empty folder for what is written meanwhile.
        most_bytes: of weights.

    Raises:
        ModelError: something in it is no part of a model of ours, or is not what the card says.
    """
    card = read_card(folder)
    _check_words(card)
    check_side(card.preprocessing.crop)
    if card.graph is None:
        convert_weights(folder / WEIGHTS_NAME, scratch / WEIGHTS_NAME, card.network, most_bytes)
        with (scratch / WEIGHTS_NAME).open("rb") as file:
            described = safetensors.describe(file, (scratch / WEIGHTS_NAME).stat().st_size)
        _expect(CHECKS[card.network](described) == len(card.classes), WEIGHTS_NAME)
    else:
        _check_graph(folder, card)
    int8 = folder / card.kind.int8_name
    if int8.name in card.checksums:
        _check_int8(int8, card)
    if KNOWN_NAME in card.checksums and (folder / KNOWN_NAME).stat().st_size > MOST_KNOWN_BYTES:
        raise WeightsInvalid(f"{KNOWN_NAME} is far larger than such files are; download the model again.")


def _check_words(card: ModelCard) -> None:
    """Names that people read are held to the rules of names that people give."""
    try:
        clean = [clean_label(label, "A label") for label in card.classes]
        clean_label(card.title, "The name")
    except LabelsInvalid as error:
        raise WeightsInvalid(f"The ZIP's card cannot be used. {error}") from error
    if len(set(clean)) < max(len(clean), 2) or clean != list(card.classes):
        raise WeightsInvalid("The ZIP's card has a class twice, or fewer than two; download the model again.")


def _check_graph(folder: Path, card: ModelCard) -> None:
    path = folder / GRAPH_XML
    check_ir(path)
    model = convert(path)
    named = _named_widths(model)
    found = unify(model.clone(), card.preprocessing.crop)
    graph = card.graph
    assert graph is not None  # noqa: S101 - of a graph's card
    says = Found(card.preprocessing.crop, len(card.classes), graph.features, graph.maps, graph.transformer)
    _expect(found == says and named == (graph.features, graph.maps), GRAPH_XML)
    check_size(model)
    core = shared_core()
    probe = np.random.default_rng(0).normal(size=(2, 3, found.side, found.side)).astype(np.float32)
    logits = core.compile_model(core.read_model(str(path)), "CPU", EXACT)(probe)[0]
    _expect(logits.shape == (2, found.classes) and bool(np.isfinite(logits).all()), GRAPH_XML)
    if WEIGHTS_NAME in card.checksums:
        _check_head(folder / WEIGHTS_NAME, card)


def _named_widths(model: Any) -> tuple[int, int]:
    """Of the tensors that are called features and maps; 0 where there are none."""
    ports = [port for node in model.get_ordered_ops() for port in node.outputs()]
    widths = []
    for name in (FEATURES, map_name(1)):
        shapes = [port.get_partial_shape() for port in ports if name in port.get_names()]
        widths.append(shapes[0][1].get_length() if shapes else 0)
    return widths[0], widths[1]


def _check_head(path: Path, card: ModelCard) -> None:
    with path.open("rb") as file:
        try:
            tensors = safetensors.describe(file, path.stat().st_size)
        except BadFile as error:
            raise WeightsInvalid(f"{path.name} {error}.") from error
    shapes = {name: tensor.shape for name, tensor in tensors.items()}
    classes, features = len(card.classes), card.features
    _expect(shapes == {WEIGHT: (classes, features), BIAS: (classes,)}, path.name)


def _check_int8(path: Path, card: ModelCard) -> None:
    """Load it as the server would, and ask for all that it gives."""
    check_ir(path, quantized=True)
    network = only_network(shared_core().read_model(str(path)))
    check_size(network, MOST_IMAGE_BYTES if card.graph else MOST_KNOWN_NETWORK_BYTES)
    engine = OpenVinoEngine(INT8.name, path, None, card.stages)
    _expect((engine.input_shape, engine.classes) == (card.preprocessing.input_shape, len(card.classes)), path.name)
    images = np.random.default_rng(0).integers(0, 256, (2, *engine.input_shape), dtype=np.uint8)
    found = engine.infer(images, engine.outputs)
    _expect(all(np.isfinite(values).all() for values in found.values()), path.name)
    _expect(found[LOGITS].shape == (2, len(card.classes)), path.name)
    _expect(FEATURES not in found or found[FEATURES].shape == (2, card.features), path.name)


def _expect(fits: bool, name: str) -> None:
    if not fits:
        raise ModelError(f"{name} in the ZIP does not fit its card; download the model again.")
