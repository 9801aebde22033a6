"""How images become a model's inputs, asked of the person who knows: nothing is filled in ahead."""

from __future__ import annotations

import math
from typing import Any

import streamlit as st
from pydantic import ValidationError

from core.base.errors import PreprocessingUnknown
from core.images.preprocessing import Preprocessing

_RESIZE, _CROP, _HOW, _SMOOTH, _ORDER, _MEAN, _STD = (
    f"preprocessing-{name}" for name in ("resize", "crop", "how", "smooth", "order", "mean", "std")
)
_CUT, _STRETCHED = "Shorter side resized, centre cut out", "Whole image stretched to the square"
_NUMBERS = 3


def preprocessing_form() -> None:
    """The fields; to be drawn inside a form."""
    st.caption("Only where neither the model nor its config says it. Left empty, nothing is assumed.")
    st.selectbox("Shape", [_CUT, _STRETCHED], index=None, key=_HOW, placeholder="How an image becomes a square")
    left, right = st.columns(2)
    left.number_input("Resized to (px)", 1, 4096, None, key=_RESIZE, placeholder="256")
    right.number_input("Input side (px)", 1, 4096, None, key=_CROP, placeholder="224")
    left.selectbox("Interpolation", ["bilinear", "bicubic"], index=None, key=_SMOOTH, placeholder="Choose")
    right.selectbox("Colour order", ["RGB", "BGR"], index=None, key=_ORDER, placeholder="Choose")
    st.text_input("Mean, of values 0 to 1", key=_MEAN, max_chars=100, placeholder="0.485 0.456 0.406")
    st.text_input("Standard deviation", key=_STD, max_chars=100, placeholder="0.229 0.224 0.225")


def preprocessing_asked() -> Preprocessing | None:
    """What was said; None where all fields are empty.

    Raises:
        PreprocessingUnknown: some are empty, or make no sense.
    """
    fields = {
        "the shape": _HOW,
        "the input side": _CROP,
        "the interpolation": _SMOOTH,
        "the colour order": _ORDER,
        "the mean": _MEAN,
        "the standard deviation": _STD,
    }
    said: dict[str, Any] = {key: st.session_state.get(key) for key in (_RESIZE, *fields.values())}
    if not any(said.values()):
        return None
    missing = [name for name, key in fields.items() if not said[key]]
    if said[_HOW] == _CUT and not said[_RESIZE]:
        missing.insert(0, "what it is resized to")
    if missing:
        raise PreprocessingUnknown(f"Still missing of how images become its inputs: {', '.join(missing)}.")
    stretch = said[_HOW] == _STRETCHED
    try:
        return Preprocessing(
            resize=said[_CROP] if stretch else said[_RESIZE],
            crop=said[_CROP],
            stretch=stretch,
            interpolation=said[_SMOOTH],
            color_order=said[_ORDER],
            mean=_triple(said[_MEAN]),
            std=_triple(said[_STD]),
        )
    except ValidationError as error:
        raise PreprocessingUnknown(
            "The input side is larger than what images are resized to, or a standard deviation is not above 0."
        ) from error


def _triple(text: str) -> tuple[float, float, float]:
    try:
        numbers = [float(word) for word in text.replace(",", " ").split()]
    except ValueError:
        numbers = []
    if len(numbers) != _NUMBERS or not all(map(math.isfinite, numbers)):
        raise PreprocessingUnknown("Mean and standard deviation are three numbers each, one for every colour.")
    return numbers[0], numbers[1], numbers[2]
