"""Quantization to INT8 by NNCF, and the recipes for it. NNCF is imported by the functions that use it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from core.images.preprocessing import Preprocessing
from core.models.card import ModelCard
from core.optimize.gate import GATE_AGREEMENT


@dataclass(frozen=True, slots=True)
class Recipe:
    """One way to quantize; see NNCF's documentation of post-training quantization for the terms.

    ``whole_range`` keeps the largest activations of all images, which otherwise are cut at what most images have.
    """

    name: str
    title: str
    preset: Literal["performance", "mixed"]
    fast_bias_correction: bool
    accuracy_aware: bool = False
    whole_range: bool = False


# What the field tries, in this order, when INT8 strays too far from FP32: each costs more time or a little speed.
# "performance" quantizes activations symmetrically, which suits ResNet: all of them are behind a ReLU.
LADDER = (
    Recipe("default", "Default: fast bias correction", "performance", fast_bias_correction=True),
    Recipe("full-bias", "Full bias correction", "performance", fast_bias_correction=False),
    Recipe("mixed", "Mixed preset, full bias correction", "mixed", fast_bias_correction=False),
    Recipe("accuracy-aware", "Accuracy-aware: some layers stay FP32", "mixed", False, accuracy_aware=True),
)
# For taught models: the head weighs small features heavily, and cutting what only one class of images has moves them.
# Steel surfaces, 20 examples a class: the same class as FP32 on 99.9% of images, by the default recipe on 96.2%.
TAUGHT_LADDER = (
    Recipe("whole-range", "Whole range of activations, full bias correction", "performance", False, whole_range=True),
    Recipe("whole-range-mixed", "Whole range, mixed preset, full bias correction", "mixed", False, whole_range=True),
    LADDER[-1],
)
RECIPES = {recipe.name: recipe for recipe in (*LADDER, *TAUGHT_LADDER)}


def recipe_of(card: ModelCard) -> Recipe:
    """The recipe that a model's INT8 form was made by, as its card says; the first one where it says another."""
    title = card.quantization.get("recipe", "").casefold()
    return next((recipe for recipe in RECIPES.values() if recipe.title.casefold() == title), LADDER[0])


OnProgress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Validation:
    """Model inputs uint8 ``[N, *input_shape]`` and the class index ``[N]`` that FP32 names for each."""

    inputs: NDArray[np.uint8]
    classes: NDArray[np.int64]


def load_nncf() -> None:
    """Import NNCF ahead of ``quantize``."""
    import nncf  # noqa: F401


def quantize(
    model: Any,
    calibration: NDArray[np.uint8],
    recipe: Recipe,
    preprocessing: Preprocessing,
    *,
    validation: Validation | None = None,
    float_layers: Sequence[str] = (),
    transformer: bool = False,
    float_operations: Sequence[str] = (),
    on_progress: OnProgress = lambda activity, done, total: None,
) -> Any:
    """Quantize a converted model to INT8 with NNCF post-training quantization; returns a new ``ov.Model``.

    Args:
        model: ``ov.Model`` with a normalised float32 NCHW input.
        calibration: model inputs uint8 ``[N, *input_shape]``, the kind of images the model will see.
        recipe: which of NNCF's ways to take.
        preprocessing: whose mean and scale the model's input has.
        validation: for an accuracy-aware recipe, other images on which INT8 is held against FP32.
        float_layers: kinds of layers, by OpenVINO's names, that stay in floating point.
        transformer: whether it has attention, whose values NNCF then treats with care.
        float_operations: single operations that do, by their names in ``model``.
        on_progress: called with NNCF's name of what it is doing, and how much of it is done, of how much.
    """
    import nncf

    def prepared(inputs: NDArray[np.uint8]) -> NDArray[np.float32]:
        return normalise(inputs[None], preprocessing)

    dataset = nncf.Dataset(list(calibration), prepared)
    options = {
        "preset": nncf.QuantizationPreset(recipe.preset),
        "subset_size": len(calibration),
        "fast_bias_correction": recipe.fast_bias_correction,
        "ignored_scope": nncf.IgnoredScope(types=list(float_layers), names=list(float_operations)),
    }
    if transformer:
        options["model_type"] = nncf.ModelType.TRANSFORMER
    if recipe.whole_range:
        from nncf.quantization.range_estimator import RangeEstimatorParametersSet

        options["advanced_parameters"] = nncf.AdvancedQuantizationParameters(
            activations_range_estimator_params=RangeEstimatorParametersSet.MINMAX
        )
    with _nncf_progress(on_progress):
        if not recipe.accuracy_aware:
            return nncf.quantize(model, dataset, **options)
        if validation is None or not len(validation.inputs):
            raise ValueError("an accuracy-aware recipe needs validation images")

        def agreement(compiled: Any, items: Iterable[tuple[NDArray[np.uint8], int]]) -> float:
            return float(np.mean([compiled(prepared(inputs))[0].argmax() == known for inputs, known in items]))

        # NNCF hands out the items untransformed, and sometimes only a few of them: each carries FP32's class.
        items = list(zip(validation.inputs, validation.classes, strict=True))
        return nncf.quantize_with_accuracy_control(
            model,
            calibration_dataset=dataset,
            validation_dataset=nncf.Dataset(items, lambda item: prepared(item[0])),
            validation_fn=agreement,
            max_drop=1 - GATE_AGREEMENT,
            **options,
        )


@contextmanager
def _nncf_progress(on_progress: OnProgress) -> Iterator[None]:
    """Tell what NNCF's progress bars show. It offers no hook for them, but all of them go through one class."""
    from nncf.common.logging.track_progress import track

    show = track.__iter__

    def tell(bar: Any) -> Iterator[Any]:
        total = int(bar.total or len(bar.sequence))
        for done, item in enumerate(show(bar)):
            on_progress(bar.description, done, total)
            yield item
        on_progress(bar.description, total, total)

    track.__iter__ = tell
    try:
        yield
    finally:
        track.__iter__ = show


def normalise(inputs: NDArray[np.uint8], preprocessing: Preprocessing) -> NDArray[np.float32]:
    """Model inputs uint8 ``[N, *input_shape]`` as a graph without built-in normalisation takes them: float32 NCHW."""
    mean, std = np.array(preprocessing.mean, np.float32), np.array(preprocessing.std, np.float32)
    return np.ascontiguousarray(((inputs.astype(np.float32) / 255 - mean) / std).transpose(0, 3, 1, 2))
