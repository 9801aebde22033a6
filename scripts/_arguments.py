"""Arguments that several commands take."""

from __future__ import annotations

import argparse

FOLDERS = "folders"  # in place of a CSV of labels: the folders that images lie in name their classes


def batch_size_argument(text: str) -> int:
    """A batch size, or 0 for ``auto``."""
    if text == "auto":
        return 0
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is neither 'auto' nor a whole number from 1")
    return int(text)
