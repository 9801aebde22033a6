"""How text gets onto the pages: strangers' made safe for Markdown, numbers with their word."""

from __future__ import annotations


def escape(text: str) -> str:
    """``text`` with every character that could mean something in Markdown escaped."""
    return "".join(f"\\{character}" if character in r"\`*_{}[]()<>#+-.!|~$:&" else character for character in text)


def images(count: int) -> str:
    """``1 image``, ``1,200 images``."""
    return f"{count:,} image" if count == 1 else f"{count:,} images"
