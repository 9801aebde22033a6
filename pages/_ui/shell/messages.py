"""How text gets onto the pages: strangers' made safe for Markdown, numbers with their word."""

from __future__ import annotations


def escape(text: str) -> str:
    """``text`` with every character that could mean something in Markdown escaped."""
    return "".join(f"\\{character}" if character in r"\`*_{}[]()<>#+-.!|~$:&" else character for character in text)


def images(count: int) -> str:
    """``1 image``, ``1,200 images``."""
    return f"{count:,} image" if count == 1 else f"{count:,} images"


def megabytes(count: int) -> str:
    """``12 kB``, ``6.6 MB``, ``1,234.5 MB``: as the viewer writes it."""
    return f"{count / 1e6:,.1f} MB" if count >= 999_500 else f"{count / 1e3:.0f} kB"
