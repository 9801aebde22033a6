"""CSV that a spreadsheet opens as text and numbers: no cell of a stranger's text runs as a formula."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence

# What begins a formula, also in the full width of East Asian keyboards; spreadsheets look past blanks and quotes.
# https://owasp.org/www-community/attacks/CSV_Injection
_BLANKS, _SIGN = r"[\s\"]*", r"[=+\-@＝＋－＠]"
_AT_START = rf"(?='*(?:{_BLANKS}{_SIGN}|[\t\r\n]))"
# Where a comma does not separate cells, as in much of Europe, a cell begins after each of these, quoted or not.
_SEPARATOR, _AFTER_SEPARATOR = rf"([;\t\r\n]{_BLANKS})", rf"(?='*{_SIGN})"


def write_csv(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> str:
    """A header of ``columns`` and a line for each row; texts are made harmless by ``as_text``, numbers stay numbers."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: as_text(cell) if isinstance(cell, str) else cell for name, cell in row.items()})
    return text.getvalue()


def as_text(cell: str) -> str:
    """``cell`` with an apostrophe wherever a spreadsheet could see the beginning of a formula."""
    return re.sub(f"^{_AT_START}", "'", re.sub(_SEPARATOR + _AFTER_SEPARATOR, r"\1'", cell))


def from_text(cell: str) -> str:
    """What ``as_text`` was given: without its apostrophes."""
    return re.sub(f"{_SEPARATOR}'{_AFTER_SEPARATOR}", r"\1", re.sub(f"^'{_AT_START}", "", cell))
