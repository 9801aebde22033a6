"""The INT8 IR of a model says what the model's card says, for programs that know nothing of cards."""

from __future__ import annotations

from pathlib import Path

from core.engines.openvino import INT8
from core.models.card import ModelCard, file_checksum
from core.models.openvino_info import Facts
from core.models.openvino_ir import describe_again


def facts_of_card(card: ModelCard) -> Facts:
    """What of a card its INT8 IR says."""
    found = card.confidence.get(INT8.name)
    return Facts(card.classes, found.value if found else 1.0)


def describe_model(card: ModelCard, folder: Path) -> ModelCard:
    """Have the INT8 IR in ``folder``, if there is one, say what ``card`` says; its weights stay.

    Returns:
        ``card`` with the checksums of the files as they are then; not written yet. Equal cards give equal files.

    Raises:
        ModelError: the IR is damaged.
        DiskFull: it cannot be written.
    """
    path = folder / card.kind.int8_name
    if path.name not in card.checksums:
        return card
    describe_again(path, card.preprocessing, card.stages, facts_of_card(card))
    made = {file.name: file_checksum(file) for file in (path, path.with_suffix(".bin"))}
    return card.model_copy(update={"checksums": dict(sorted((card.checksums | made).items()))})
