"""The order of names, and what many long ones may cost."""

from __future__ import annotations

import builtins
import random
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from natsort import natsort_keygen, ns

from core.stacks.sources import names as names_module
from core.stacks.sources.names import (
    MAX_NAME_CHARACTERS,
    MAX_NUMBERS,
    SORTED_AT_ONCE,
    in_natural_order,
    natural_key,
    tidy,
)

judge = natsort_keygen(alg=ns.IGNORECASE | ns.PATH)
words = st.sampled_from(["a", "b", "IMG_", "img_", "é", "É", "zoo", "写真", "ß", " ", "_", "-"])
numbers = st.sampled_from(["0", "1", "2", "007", "9", "10", "11", "100", "\u0663", "9" * 40, "1" + "0" * 40])
parts = st.tuples(words, numbers | st.just(""), words | numbers | st.just("")).map("".join)
paths = st.lists(parts, min_size=2, max_size=2).map(lambda found: "/".join(found) + ".png")


@given(st.lists(paths, max_size=12))
@settings(max_examples=300, deadline=None)
def test_the_order_is_that_of_natsort(paths: list[str]) -> None:
    """A file and a folder beside it apart, on which people do not agree either: here all lie equally deep."""
    assert [paths[index] for index in in_natural_order(paths)] == sorted(paths, key=judge)


@pytest.mark.parametrize(
    "wanted",
    [
        ["a.png", "a2.png", "a10.png", "a 2.png", "a 10.png", "ab.png"],
        ["1.png", "01b.png", "2.png", "10.png", "a.png"],
        ["a/2.png", "a/10.png", "a1/1.png", "a 1/1.png", "b/1.png"],
        ["c.raw · z 2", "c.raw · z 10", "c.raw · z 11"],
        ["9" * 99 + ".png", "1" + "0" * 99 + ".png"],
    ],
)
def test_numbers_count_by_their_value_and_folders_one_by_one(wanted: list[str]) -> None:
    shuffled = random.Random(3).sample(wanted, len(wanted))
    assert [shuffled[index] for index in in_natural_order(shuffled)] == wanted


def test_equal_names_keep_their_order_however_many_there_are() -> None:
    many = ["b.png", "A.png", "a.png"] * SORTED_AT_ONCE
    order = in_natural_order(many)
    assert order == sorted(range(len(many)), key=lambda index: (many[index] == "b.png", index))


WORST = {
    "folders": "1/" * 256,
    "numbers": "a1" * 256,
    "one number": "1" * 512,
    "characters that become three": "\u0390" * 512,
    "digits of another alphabet": "\u0663" * 512,
    "emoji": "\U0001f600" * 512,
    "accents to be put in order": "\u1e9b\u0323" * 256,
}


@pytest.mark.parametrize("kind", WORST)
def test_a_sort_key_is_one_string_of_bounded_length(kind: str) -> None:
    key = natural_key(tidy(WORST[kind]))
    assert type(key) is bytes
    assert len(key) < 8 * MAX_NAME_CHARACTERS
    assert key.count(b"\x02") <= MAX_NUMBERS


def test_sorting_the_worst_names_takes_memory_in_proportion_to_them() -> None:
    """Keys of 225 folders each, as lists of their parts, took 30 kB for each name."""
    many = [f"{'1/' * 225}{number:04d}.png" for number in range(2000)]
    tracemalloc.start()
    try:
        order = in_natural_order(many)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert order == list(range(2000))
    assert peak < 3 * sum(map(len, many))


def test_no_one_call_sorts_thousands_of_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing else goes on while it does."""
    sizes: list[int] = []

    def counted(values: range, **options: object) -> list[int]:
        sizes.append(len(values))
        return builtins.sorted(values, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(names_module, "sorted", counted, raising=False)
    many = [f"{number}.png" for number in range(5 * SORTED_AT_ONCE // 2)]
    assert in_natural_order(many[::-1]) == list(range(len(many)))[::-1]
    assert sizes
    assert max(sizes) <= SORTED_AT_ONCE
