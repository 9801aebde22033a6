"""Whether a model knows a thing."""

from __future__ import annotations

import pytest

from pages._ui.shell.class_search import matching

CLASSES = ("English springer", "tabby cat", "Egyptian cat", "French horn")


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("", CLASSES),
        ("  ", CLASSES),
        ("cat", CLASSES[1:3]),
        ("CAT tab", CLASSES[1:2]),
        ("springer ENG", CLASSES[:1]),
        ("dog", ()),
        (".*", ()),
    ],
)
def test_every_word_counts_in_any_case(asked: str, found: tuple[str, ...]) -> None:
    assert tuple(matching(CLASSES, asked)) == found
