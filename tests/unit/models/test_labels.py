"""Labels of a person's own model: the usual files are read, and a bad one is refused with the reason."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.base.errors import LabelsInvalid
from core.models.labels import read_labels

THREE = ("cat", "dog", "Großer Panda")
LINES = "cat\ndog\nGroßer Panda\n"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(LINES.encode(), id="lines"),
        pytest.param(LINES.rstrip().encode(), id="no end of line at the end"),
        pytest.param(f"{LINES}\n\n".encode(), id="empty lines at the end"),
        pytest.param(LINES.replace("\n", "\r\n").encode(), id="Windows"),
        pytest.param(LINES.replace("\n", "\r").encode(), id="old Mac"),
        pytest.param(LINES.encode("utf-8-sig"), id="byte order mark"),
        pytest.param(" cat \n\tdog\nGroßer Panda  \n".encode(), id="spaces around"),
        pytest.param(json.dumps(THREE).encode(), id="JSON list"),
        pytest.param(json.dumps(THREE, indent=2, ensure_ascii=False).encode("utf-8-sig"), id="JSON with a mark"),
        pytest.param(json.dumps({"2": THREE[2], "0": "cat", "1": "dog"}).encode(), id="JSON object in any order"),
        pytest.param(unicodedata.normalize("NFD", LINES).encode(), id="decomposed accents"),
    ],
)
def test_usual_files_are_read(data: bytes) -> None:
    assert read_labels(data, 3) == THREE


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cf", "Cs", "Zl", "Zp"]), min_size=1, max_size=12)
LABELS = st.lists(
    TEXT.map(lambda text: unicodedata.normalize("NFC", text.strip())).filter(
        lambda text: text and text[0] not in "[{=@+-"
    ),
    min_size=2,
    max_size=8,
    unique=True,
)


@given(labels=LABELS)
def test_any_labels_come_back_from_every_kind_of_file(labels: list[str]) -> None:
    objects = {str(number): label for number, label in enumerate(labels)}
    for text in ("\n".join(labels), json.dumps(labels), json.dumps(objects)):
        assert list(read_labels(text.encode(), len(labels))) == labels


def test_signs_and_the_longest_labels_are_names() -> None:
    longest = "\U0001f98a" * 200
    for three in (("-", "+", longest), ("-40 dB", "+3", "a=b"), ("\u0639\u200f", "cat\u200d", "100% @ home")):
        for text in ("\n".join(three), json.dumps(three)):
            assert read_labels(text.encode(), 3) == three


def test_a_thousand_long_labels_fit_however_they_are_spelled() -> None:
    labels = tuple(f"{number:04}" + "\u00e9" * 196 for number in range(1000))
    for text in ("\r\n".join(labels), json.dumps(labels, indent=4), json.dumps(dict(enumerate(labels)))):
        assert read_labels(text.encode(), 1000) == labels


@given(data=st.binary(max_size=60), classes=st.integers(2, 4))
def test_any_bytes_give_as_many_labels_as_classes_or_a_sentence(data: bytes, classes: int) -> None:
    try:
        assert len(set(read_labels(data, classes))) == classes
    except LabelsInvalid as error:
        assert str(error).endswith(".")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"cat\ndog", "2 for 3 classes"),
        (b"cat\ndog\nfox\nowl", "4 for 3 classes"),
        (b"", "1 for 3 classes"),
        (b"[]", "0 for 3 classes"),
        (b"{}", "0 for 3 classes"),
        (b"cat\n\nfox", "Label 2 is empty"),
        (b'["cat", " ", "fox"]', "Label 2 is empty"),
        (b"cat\ndog\ncat", "'cat' is there 2 times"),
        (b"cat\ndog\n cat ", "'cat' is there 2 times"),
        ("Bär\ndog\nBa\u0308r".encode(), "'Bär' is there 2 times"),
        (b"x" * 200 + b"\n" + b"x" * 200 + b"\ny", "is there 2 times"),
        (b"x" * 201 + b"\ny\nz", "Label 1 has 201 characters; use at most 200"),
        (b"y\n" + b"x" * 100_000 + b"\nz", "Label 2 has 100,000 characters"),
        ("y\nz\n" + "e" + "\u0301" * 100_000, "Label 3 has 100,001 characters"),
        (b"cat\n" * 50_000, "50,000 for 3 classes"),
        (b"\r\n" * 50_000 + b"x", "50,001 for 3 classes"),
        (b"[" + b"[]," * 50_000 + b"[]]", "50,001 for 3 classes"),
        (b"cat\n" * 1_000_000, "far larger than names of 3 classes"),
        (b"cat\n" + b"x" * 10_000_000, "far larger than names of 3 classes"),
        ("cat\ndo\u202eg\nfox", "Label 2 holds characters"),
        ("cat\n\u2066dog\u2069\nfox", "Label 2 holds characters"),
        (b"cat\n=1+1\nfox", "Label 2 reads like a formula"),
        (b"cat\n =1+1\nfox", "Label 2 reads like a formula"),
        (b"@SUM(A1)\ndog\nfox", "Label 1 reads like a formula"),
        (b"cat\ndog\n+cmd|' /C calc'!A0", "Label 3 reads like a formula"),
        (b'["cat", "dog", "-HYPERLINK(A1)"]', "Label 3 reads like a formula"),
        (b"cat\ndo\0g\nfox", "Label 2 holds characters"),
        (b'["cat", "dog", "\\ud800"]', "Label 3 holds characters"),
        (b'["cat", "do\\ng", "fox"]', "Label 2 holds characters"),
        ("cat\ndo\u2028g\nfox".encode(), "Label 2 holds characters"),
        ("Bär\ndog\nfox".encode("latin-1"), "UTF-8"),
        ("cat\ndog\nfox".encode("utf-16"), "UTF-8"),
        (b'["cat", "dog", "fox"', "begin like JSON"),
        (b"[" * 100_000, "begin like JSON"),
        (b"[" + b"9" * 10_000 + b"]", "begin like JSON"),
        (b'["cat", "dog", 3]', "not text"),
        (b'["cat", "dog", null]', "not text"),
        (b'{"0": ["n01440764", "tench"], "1": "a", "2": "b"}', "not text"),
        (b'{"1": "cat", "2": "dog", "3": "fox"}', '"0" to "2"'),
        (b'{"cat": "0", "dog": "1", "fox": "2"}', '"0" to "2"'),
        (b'{"0": "cat", "00": "dog", "2": "fox"}', '"0" to "2"'),
        (b'{"0": "cat", "1": "dog", "2": "fox", "2": "owl"}', "one class number twice"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_with_the_reason(data: bytes | str, says: str) -> None:
    with pytest.raises(LabelsInvalid) as caught:
        read_labels(data.encode() if isinstance(data, str) else data, 3)
    assert says in str(caught.value)
    assert len(str(caught.value)) < 300
    assert "\n" not in str(caught.value)
