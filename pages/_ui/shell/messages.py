"""How text gets onto the pages: strangers' made safe for Markdown, numbers with their word."""

from __future__ import annotations

import re

_MARK = re.compile(r"[\\`*_{}\[\]()<>#+\-.!|~$:&=@^]")
# Where Streamlit looks into text whose backslashes are gone already: icons and emoji (:name:), addresses (https://,
# www., a@b), arrows and dashes. Only a character between the two keeps them apart, so an invisible one.
_SEAM = re.compile(r"(?:(?=@)|:(?=\S)|[wW]{3}(?=\.)|[-<>=~](?=[-<>=~]))")
_WORD_JOINER = "\u2060"


def escape(text: object) -> str:
    """Text that did not come from this program, as Markdown that shows it as it is, on one line.

    For everything Streamlit reads as Markdown: also labels of buttons and expanders, metrics, tables, progress, help.
    Not for options of ``st.selectbox``, cells of ``st.dataframe``, ``st.code``: those show text as it is.
    """
    line = " ".join(str(text).split())
    return _MARK.sub(r"\\\g<0>", _SEAM.sub(rf"\g<0>{_WORD_JOINER}", line))


def images(count: int) -> str:
    """``1 image``, ``1,200 images``."""
    return f"{count:,} image" if count == 1 else f"{count:,} images"


def waiting(ahead: int) -> str:
    """What somebody reads whose turn comes after so many others."""
    return f"Waiting for a turn · {ahead:,} before you" if ahead else "Waiting for a turn…"


def megabytes(count: int) -> str:
    """``12 kB``, ``6.6 MB``, ``1,234.5 MB``: as the viewer writes it."""
    return f"{count / 1e6:,.1f} MB" if count >= 999_500 else f"{count / 1e3:.0f} kB"
