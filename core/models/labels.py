"""A person's own class labels: a text or JSON file, checked against the number of classes."""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from typing import Any

from core.base.errors import LabelsInvalid

# Unicode categories no label may hold: controls, half characters (JSON can spell them), line and paragraph ends.
_UNUSABLE = {"Cc", "Cs", "Zl", "Zp"}
_LENGTH_SHOWN = 60  # of a label in a message


def read_labels(data: bytes, classes: int) -> tuple[str, ...]:
    """The labels of a UTF-8 file: one a line, a JSON list, or a JSON object with the class numbers "0", "1", ... .

    Raises:
        LabelsInvalid: not UTF-8, not as many as ``classes``, or one is empty, repeated or not to be shown.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise LabelsInvalid("The labels are not UTF-8 text; save the file as UTF-8.") from error
    is_json = text.lstrip().startswith(("[", "{"))
    found = _from_json(text) if is_json else re.split("\r\n|\r|\n", text.rstrip("\r\n"))
    labels = [unicodedata.normalize("NFC", label.strip()) for label in found]
    if len(labels) != classes:
        raise LabelsInvalid(f"The number of labels is {len(labels):,} for {classes:,} classes; give one for each.")
    counts = Counter(labels)
    for number, label in enumerate(labels, 1):
        if not label:
            raise LabelsInvalid(f"Label {number} is empty; give every class a name.")
        if any(unicodedata.category(char) in _UNUSABLE for char in label):
            raise LabelsInvalid(f"Label {number} holds characters that cannot be shown; write it again.")
        if counts[label] > 1:
            shown = label[:_LENGTH_SHOWN]
            raise LabelsInvalid(f"The label {shown!r} is there {counts[label]} times; give every class its own.")
    return tuple(labels)


def _from_json(text: str) -> list[str]:
    try:
        found = json.loads(text, object_pairs_hook=_unrepeated)
    except (ValueError, RecursionError) as error:
        raise LabelsInvalid("The labels begin like JSON but are not; correct it, or write one label a line.") from error
    if isinstance(found, dict):
        numbers = [str(number) for number in range(len(found))]
        if set(found) != set(numbers):
            raise LabelsInvalid(f'The labels must be numbered "0" to "{len(found) - 1}"; number them so.')
        found = [found[number] for number in numbers]
    if not all(isinstance(label, str) for label in found):
        raise LabelsInvalid("Some labels are not text; put each of them in quotation marks.")
    return list(found)


def _unrepeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise LabelsInvalid("The labels have one class number twice; give each class one label.")
    return dict(pairs)
