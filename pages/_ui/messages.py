"""Text from strangers, made safe for Streamlit's Markdown."""

from __future__ import annotations


def escape(text: str) -> str:
    """``text`` with every character that could mean something in Markdown escaped."""
    return "".join(f"\\{character}" if character in r"\`*_{}[]()<>#+-.!|~$:&" else character for character in text)
