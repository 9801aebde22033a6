"""Arguments that several commands take."""

from __future__ import annotations

import argparse
from typing import get_args

from core.images.pixels import RangeOf


def add_range_argument(parser: argparse.ArgumentParser) -> None:
    """What values are scaled by."""
    parser.add_argument(
        "--value-range",
        choices=get_args(RangeOf),
        default="image",
        help="scale 16-bit, signed and float images by the range of each, or of all together; default: %(default)s",
    )


FOLDERS = "folders"  # in place of a CSV of labels: the folders that images lie in name their classes


def batch_size_argument(text: str) -> int:
    """A batch size, or 0 for ``auto``."""
    if text == "auto":
        return 0
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is neither 'auto' nor a whole number from 1")
    return int(text)
