"""A person's own class labels: a text or JSON file, checked against the number of classes."""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from typing import Any

from core.base.errors import LabelsInvalid

MAX_LABEL = 200  # characters; ImageNet's longest has 30
# A file may have more bytes than its labels need: JSON spells a character with six, blanks make it readable.
_BYTES_FOR_EACH, _BYTES_BESIDES = 2048, 256 * 1024
# Unicode categories no label may hold: controls, half characters (JSON can spell them), line and paragraph ends. Nor
# marks that make text run backwards, with which one class can pose as another (Unicode Technical Report 36, 3.4).
_UNUSABLE = {"Cc", "Cs", "Zl", "Zp"}
_REORDERING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
# What spreadsheets run: our own CSV escapes it, but labels go further than that; "-", "+" and "-40 dB" are names.
_FORMULA = re.compile(r"[=@]|[-+].*[(|!]")
_LENGTH_SHOWN = 60  # of a label in a message


def read_labels(data: bytes, classes: int) -> tuple[str, ...]:
    """The labels of a UTF-8 file: one a line, a JSON list, or a JSON object with the class numbers "0", "1", ... .

    They are counted before they are made, so that memory and time go by ``classes``.

    Raises:
        LabelsInvalid: too large, not UTF-8, not as many as ``classes``, or one of them is empty, repeated, too long, a
            formula, or not to be shown.
    """
    if len(data) > classes * _BYTES_FOR_EACH + _BYTES_BESIDES:
        raise LabelsInvalid(f"The file of labels is far larger than names of {classes:,} classes; give one for each.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise LabelsInvalid("The labels are not UTF-8 text; save the file as UTF-8.") from error
    is_json = text.lstrip().startswith(("[", "{"))
    found = _from_json(text, classes) if is_json else _from_lines(text, classes)
    labels = [clean_label(label, f"Label {number}") for number, label in enumerate(found, 1)]
    label, times = Counter(labels).most_common(1)[0]
    if times > 1:
        raise LabelsInvalid(f"The label {label[:_LENGTH_SHOWN]!r} is there {times} times; give every class its own.")
    return tuple(labels)


def clean_label(label: str, what: str) -> str:
    """``label`` without blanks around it, its characters composed (NFC); ``what`` names it in an error.

    Raises:
        LabelsInvalid: it is empty, too long, a formula, or not to be shown.
    """
    label = label.strip()
    if not label:
        raise LabelsInvalid(f"{what} is empty; give every class a name.")
    if len(label) > MAX_LABEL:
        raise LabelsInvalid(f"{what} has {len(label):,} characters; use at most {MAX_LABEL}.")
    if any(unicodedata.category(char) in _UNUSABLE or char in _REORDERING for char in label):
        raise LabelsInvalid(f"{what} holds characters that cannot be shown; write it again.")
    if _FORMULA.match(label):
        raise LabelsInvalid(f"{what} reads like a formula to spreadsheets; begin it with a letter.")
    return unicodedata.normalize("NFC", label)


def _check_count(count: int, classes: int) -> None:
    if count != classes:
        raise LabelsInvalid(f"The number of labels is {count:,} for {classes:,} classes; give one for each.")


def _from_lines(text: str, classes: int) -> list[str]:
    text = text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n")
    _check_count(text.count("\n") + 1, classes)
    return text.split("\n")


def _from_json(text: str, classes: int) -> list[str]:
    try:
        found = json.loads(text, object_pairs_hook=_unrepeated)
    except (ValueError, RecursionError) as error:
        raise LabelsInvalid("The labels begin like JSON but are not; correct it, or write one label a line.") from error
    _check_count(len(found), classes)
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
