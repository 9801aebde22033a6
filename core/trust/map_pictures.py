"""Class activation maps as pictures, in a range of colours that people with any colour vision can read."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.images.display import to_palette_png, to_picture
from core.images.preprocessing import Preprocessing
from core.trust.explain import ClassMap

# Cividis (Nuñez, Anderson, Renslow 2018): from blue to yellow, evenly lighter, and the same to people who do not see
# red or green. Evenly spaced; ``stack_viewer/colours.js`` has the same, and a test compares them.
CIVIDIS = (
    (0, 34, 78),
    (18, 53, 112),
    (59, 73, 108),
    (87, 93, 109),
    (112, 113, 115),
    (138, 134, 120),
    (165, 156, 116),
    (195, 179, 105),
    (225, 204, 85),
    (254, 232, 56),
)
OPACITY = 0.5  # of a map over its image


@cache
def palette() -> NDArray[np.uint8]:
    """Cividis in 256 steps, uint8 ``[256, 3]``, the lowest value first."""
    stops = np.array(CIVIDIS, np.float64)
    steps, places = np.linspace(0, len(stops) - 1, 256), np.arange(len(stops))
    return (
        np.stack([np.interp(steps, places, stops[:, channel]) for channel in range(3)], axis=1).round().astype(np.uint8)
    )


_PALETTE_BYTES = palette().tobytes()


def to_png(found: ClassMap) -> bytes:
    """A map as a PNG of as many pixels as it has places.

    The pixels are numbers 0 to 255 with a palette: 0 is the lowest value, 255 the highest. Both values and the class
    stand in the file as text (``low``, ``high``, ``class``).
    """
    low, high = _range(found)
    texts = {"class": found.label, "low": f"{low:.6g}", "high": f"{high:.6g}"}
    return to_palette_png(_steps(found.values, low, high), _PALETTE_BYTES, texts)


def input_png(inputs: NDArray[np.uint8], preprocessing: Preprocessing, found: ClassMap | None = None) -> bytes:
    """What the model saw, a model input uint8 ``[H, W, 3]``, and a map over it if one is given: a PNG of this size."""
    seen = np.ascontiguousarray(inputs[..., ::-1]) if preprocessing.color_order == "BGR" else inputs
    if found is None:
        return to_picture(seen).content
    height, width = seen.shape[:2]
    # Values between the places first, colours then: a mixture of two colours of the palette may not be one of it.
    smooth = np.asarray(Image.fromarray(found.values).resize((width, height), Image.Resampling.BILINEAR))
    colours = palette()[_steps(smooth, *_range(found))]
    mixed = np.round(seen * (1 - OPACITY) + colours * OPACITY).astype(np.uint8)
    return to_picture(mixed).content


def _range(found: ClassMap) -> tuple[float, float]:
    return float(found.values.min()), float(found.values.max())


def _steps(values: NDArray[np.float32], low: float, high: float) -> NDArray[np.uint8]:
    scaled = (values - low) / (high - low) if high > low else np.zeros_like(values)
    steps: NDArray[np.uint8] = np.round(np.clip(scaled, 0, 1) * 255).astype(np.uint8)
    return steps
