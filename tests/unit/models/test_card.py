"""A model's card: what is in it is checked where it is read, and cards of before are read as they are."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.base.errors import ModelError
from core.models.card import CARD_NAME, KNOWN_NAME, read_card
from core.models.model import Model

TEMPERATURE = {"value": 0.6, "images": 500, "source": "val/", "judged": 1866, "error_before": 0.19, "error_after": 0.02}


@pytest.fixture
def card_with(starter: Model, tmp_path: Path) -> Callable[[dict[str, Any]], Path]:
    """A folder with the starter's card after some changes."""

    def write(changes: dict[str, Any]) -> Path:
        card = json.loads((starter.folder / CARD_NAME).read_bytes()) | changes
        (tmp_path / CARD_NAME).write_text(json.dumps(card))
        return tmp_path

    return write


def test_a_card_of_before_knows_nothing_of_trust_and_is_read(card_with: Callable[[dict[str, Any]], Path]) -> None:
    folder = card_with({})
    old = json.loads((folder / CARD_NAME).read_bytes())
    old = {name: value for name, value in old.items() if name not in ("confidence", "known")}
    (folder / CARD_NAME).write_text(json.dumps(old))
    card = read_card(folder)
    assert (card.confidence, card.known) == ({}, None)


def test_the_temperature_of_each_engine_is_read(card_with: Callable[[dict[str, Any]], Path]) -> None:
    card = read_card(card_with({"confidence": {"openvino-int8": TEMPERATURE}}))
    assert (card.confidence["openvino-int8"].value, set(card.confidence)) == (0.6, {"openvino-int8"})


@pytest.mark.parametrize(
    "change",
    [
        {"value": 0},
        {"value": -0.5},
        {"value": 1e300},
        {"value": 1e-300},
        {"value": float("nan")},
        {"value": float("inf")},
        {"value": "0.5; DROP"},
        {"value": [0.5]},
        {"value": None},
        {"images": 0},
        {"judged": -1},
        {"error_after": 1.5},
        {"error_before": float("nan")},
    ],
    ids=str,
)
def test_a_temperature_that_makes_no_sense_is_a_damaged_card(
    card_with: Callable[[dict[str, Any]], Path], change: dict[str, Any]
) -> None:
    folder = card_with({"confidence": {"openvino-int8": TEMPERATURE | change}})
    with pytest.raises(ModelError, match=r"has no valid card.json; reinstall it. \(confidence.openvino-int8."):
        read_card(folder)


@pytest.mark.parametrize(
    "change", [{"kept": -0.1}, {"kept": 1.1}, {"kept": float("nan")}, {"images": 0}, {"measured": -1}], ids=str
)
def test_what_is_known_must_make_sense(
    card_with: Callable[[dict[str, Any]], Path], starter: Model, change: dict[str, Any]
) -> None:
    checksums = starter.card.checksums | {KNOWN_NAME: "0" * 64}
    facts = {"images": 10, "measured": 10, "source": ""}
    assert read_card(card_with({"known": facts, "checksums": checksums})).known is not None
    with pytest.raises(ModelError, match=r"has no valid card.json; reinstall it. \(known."):
        read_card(card_with({"known": facts | change, "checksums": checksums}))


def test_what_is_known_must_have_its_file(card_with: Callable[[dict[str, Any]], Path], starter: Model) -> None:
    checksums = {name: value for name, value in starter.card.checksums.items() if name != KNOWN_NAME}
    with pytest.raises(ModelError, match=r"known.safetensors is missing"):
        read_card(card_with({"known": {"images": 10, "measured": 10, "source": ""}, "checksums": checksums}))
