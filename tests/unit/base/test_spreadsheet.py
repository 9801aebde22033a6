"""CSV cells: no text runs as a formula, numbers stay numbers, and every text can be had back."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.base.spreadsheet import as_text, from_text, write_csv

SIGNS = "=+-@＝＋－＠"


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-cmd|' /C calc'!A0", "'-cmd|' /C calc'!A0"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t'=1"),
        ("\rx", "'\rx"),
        ("\nx", "'\nx"),
        ("  =1", "'  =1"),
        ('"=1', "'\"=1"),
        ("\u00a0=1", "'\u00a0=1"),
        ("＝1", "'＝1"),
        ("'=1", "''=1"),
        ("cat 0.9; =1+1 0.1", "cat 0.9; '=1+1 0.1"),
        ("a.png;=1", "a.png;'=1"),
        ("a\n=1", "a\n'=1"),
    ],
)
def test_a_formula_becomes_text(cell: str, written: str) -> None:
    assert as_text(cell) == written
    assert from_text(written) == cell


@pytest.mark.parametrize("cell", ["", "cat", "frame_1.png", "a-b=c+d@e", "golf ball", "it's", "'quoted'", "图 1; b"])
def test_other_text_stays_as_it_is(cell: str) -> None:
    assert as_text(cell) == cell
    assert from_text(cell) == cell


@given(st.text(st.sampled_from([*SIGNS, *" ;\t\r\n\"'", "a", "1", "図"]), max_size=12))
@example("'")
def test_no_cell_begins_a_formula_and_all_can_be_had_back(cell: str) -> None:
    written = as_text(cell)
    for begin in (written, *io.StringIO(written.replace(";", "\n").replace("\t", "\n").replace("\r", "\n"))):
        assert begin.strip(' \t\r\n"')[:1] not in set(SIGNS)
    assert written[:1] not in set("\t\r\n")
    assert from_text(written) == cell


def test_numbers_stay_numbers() -> None:
    text = write_csv(("name", "change", "share"), [{"name": "-1", "change": -2, "share": -0.5}])
    assert list(csv.reader(io.StringIO(text))) == [["name", "change", "share"], ["'-1", "-2", "-0.5"]]
