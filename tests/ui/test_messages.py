"""How strangers' text and numbers get onto the pages."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pages._ui.shell.messages import escape, images, megabytes
from tests.strangers_text import STRANGERS_TEXTS

JOINER = "\u2060"


@given(text=st.sampled_from(STRANGERS_TEXTS), around=st.text(max_size=20))
def test_escaped_text_has_no_markup(text: str, around: str) -> None:
    escaped = escape(around + text + around)
    assert re.search(r"(?<!\\)(\\\\)*[`*_{}\[\]()<>#!|~$:&]", escaped) is None, "every mark has its backslash"
    unescaped = re.sub(r"\\(.)", r"\1", escaped)
    assert not re.search(r":\w+:|https?://|www\.|\w@\w|->|<-|--|[<>~]=", unescaped, re.IGNORECASE), "kept apart"
    plain = " ".join((around + text + around).split())
    assert unescaped.replace(JOINER, "") == plain.replace(JOINER, ""), "and nothing else changes"


@pytest.mark.parametrize(("count", "text"), [(0, "0 images"), (1, "1 image"), (2, "2 images"), (1200, "1,200 images")])
def test_a_number_of_images(count: int, text: str) -> None:
    assert images(count) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 kB"),
        (499, "0 kB"),
        (12_345, "12 kB"),
        (999_499, "999 kB"),
        (999_500, "1.0 MB"),
        (1_234_500_000, "1,234.5 MB"),
    ],
)
def test_a_number_of_bytes(count: int, text: str) -> None:
    assert megabytes(count) == text
