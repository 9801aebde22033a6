"""Images of two kinds that any network tells apart: stripes, upright or lying."""

from __future__ import annotations

import numpy as np

from tests.builders import png_bytes


def stripes(kind: str, seed: int) -> bytes:
    """A PNG of stripes, ``upright`` or ``lying``, of some width and shade."""
    random = np.random.default_rng(seed)
    row = (np.arange(128) // random.integers(4, 12) % 2 * random.integers(60, 190)).astype(np.uint8)
    picture = np.tile(row, (128, 1)) + random.integers(0, 40, (128, 128), dtype=np.uint8)
    return png_bytes((picture if kind == "upright" else picture.T)[..., None])


def stripes_files(each: int) -> dict[str, bytes]:
    """So many of both kinds, each in a folder of its name; the lying ones come first."""
    return {f"{kind}/{number:02}.png": stripes(kind, number) for kind in ("lying", "upright") for number in range(each)}
