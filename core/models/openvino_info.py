"""What makes an IR describe itself: preprocessing in its graph, and names and facts as OpenVINO's model_api reads them.

model_api looks for ``rt_info/model_info`` (its ``models/parameters.py`` names the keys) and for outputs by their names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.engines.engine import LOGITS, Stage, map_name
from core.engines.openvino_network import IMAGE, PIXELS, named_outputs
from core.images.preprocessing import Preprocessing

RAW_SCORES, FEATURE_VECTOR, SALIENCY_MAP = "raw_scores", "feature_vector", "saliency_map"
OWN = "aisr"  # beside model_info: what that has no words for
_BEST = 5


@dataclass(frozen=True, slots=True)
class Facts:
    """What a file says of its model beside its preprocessing.

    Attributes:
        classes: names; empty where they are not known.
        temperature: its scores are the logits divided by it, so that their softmax is the confidence we show.
    """

    classes: tuple[str, ...] = ()
    temperature: float = 1.0


UNKNOWN_FACTS = Facts()


def describe_graph(model: Any, preprocessing: Preprocessing, stages: Sequence[Stage], facts: Facts) -> None:
    """Complete an ``ov.Model`` of a network alone, in place.

    It comes to take uint8 RGB images ``[batch, height, width, 3]`` of any size and gives:

    ============== ============================== ==========================================================
    raw_scores     ``[batch, classes]``           float32, logits divided by the temperature
    feature_vector ``[batch, features]``          float32, what the last linear layer takes
    saliency_map   ``[batch, classes, rows, cols]`` uint8, class activation maps, each stretched to 0..255
    ============== ============================== ==========================================================

    The last two are there where the network ends in one linear layer, over the named ``stages``.

    Args:
        model: takes model inputs uint8 ``[batch, *preprocessing.input_shape]`` and gives logits.
        preprocessing: how those are made.
        stages: named before, see ``core.engines.openvino_outputs.name_stages``.
        facts: for ``rt_info``.
    """
    from openvino import opset13 as ops

    (pixels,) = model.get_parameters()
    (before,) = model.get_results()
    logits = before.input_value(0)
    logits.get_tensor().set_names({LOGITS})
    outputs = [(RAW_SCORES, ops.divide(logits, ops.constant(np.float32(facts.temperature))).output(0))]
    if (last := last_layer(logits)) is not None:
        features, weight = last
        outputs.append((FEATURE_VECTOR, features))
        if (maps := _saliency(model, stages, weight)) is not None:
            outputs.append((SALIENCY_MAP, maps))
    image = _image()
    made = _model_input(image.output(0), preprocessing)
    for target in pixels.output(0).get_target_inputs():
        target.replace_source_output(made)
    pixels.output(0).get_tensor().set_names(set())
    made.get_tensor().set_names({PIXELS})
    results = []
    for name, output in outputs:
        result = ops.result(output)
        # An output has the names of the tensor it shows; what is named already, or shared, gets a tensor of its own.
        output.get_tensor().add_names({name})
        result.set_friendly_name(name)
        results.append(result)
    model.add_results(results)
    model.remove_result(before)
    model.add_parameters([image])
    model.remove_parameter(pixels)
    model.validate_nodes_and_infer_types()
    _write_info(model, preprocessing, facts)


def _image() -> Any:
    import openvino as ov
    from openvino import opset13 as ops

    image = ops.parameter([-1, -1, -1, 3], ov.Type.u8, name=IMAGE)
    image.output(0).get_tensor().set_names({IMAGE})
    image.set_layout(ov.Layout("NHWC"))
    return image


def _model_input(image: Any, preprocessing: Preprocessing) -> Any:
    """Shorter side to its size as Pillow resizes, centre cut out; rounded as in ``core.images.pixels.crop_box``."""
    from openvino import opset11
    from openvino import opset13 as ops

    def numbers(*values: int) -> Any:
        return ops.constant(np.array(values, np.int64))

    axes = np.array([1, 2], np.int64)
    size = ops.gather(ops.shape_of(image, output_type="i64"), numbers(1, 2), ops.constant(np.int64(0)))
    shorter = ops.reduce_min(size, numbers(0), keep_dims=True)
    sizes = ops.divide(ops.multiply(size, numbers(preprocessing.resize)), shorter)
    if preprocessing.stretch:
        sizes = numbers(preprocessing.crop, preprocessing.crop)
    resized = opset11.interpolate(
        image,
        sizes,
        f"{preprocessing.interpolation}_pillow",
        "sizes",
        axes=axes,
        cube_coeff=-0.5,  # Pillow's
    )
    over = ops.convert(ops.subtract(sizes, numbers(preprocessing.crop)), "f32")
    half = ops.multiply(over, ops.constant(np.float32(0.5)))
    begin = ops.convert(ops.round(half, "half_to_even"), "i64")
    end = ops.add(begin, numbers(preprocessing.crop))
    cut = ops.slice(resized, begin, end, numbers(1, 1), numbers(1, 2))
    if preprocessing.color_order == "BGR":
        cut = ops.gather(cut, numbers(2, 1, 0), ops.constant(np.int64(3)))
    # The slice's size is known to us alone.
    side = preprocessing.crop
    return ops.reshape(cut, numbers(-1, side, side, 3), special_zero=False).output(0)


def last_layer(logits: Any) -> tuple[Any, Any] | None:
    """What the last linear layer takes ``[batch, features]``, and its weight ``[classes, features]``."""
    from openvino import opset13 as ops

    node = logits.get_node()
    if node.get_type_name() == "Add":
        sources = [value.get_node() for value in node.input_values()]
        node = next((source for source in sources if source.get_type_name() == "MatMul"), node)
    if node.get_type_name() != "MatMul":
        return None
    features, weight = node.input_values()
    if features.get_partial_shape().rank.get_length() != 2 or node.get_attributes()["transpose_a"]:
        return None
    if not node.get_attributes()["transpose_b"]:
        weight = ops.transpose(weight, ops.constant(np.array([1, 0], np.int64))).output(0)
    return features, weight


def _saliency(model: Any, stages: Sequence[Stage], weight: Any) -> Any | None:
    """Class activation maps as ``core.trust.maps`` makes them, uint8; None where the head looks at something else."""
    from openvino import opset13 as ops

    named = named_outputs(model)
    width = weight.get_partial_shape()[1].get_length()
    first = next((place for place in range(len(stages)) if sum(s.channels for s in stages[place:]) == width), None)
    if first is None or map_name(len(stages)) not in named:
        return None
    lengths = ops.constant(np.array([stage.channels for stage in stages[first:]], np.int64))
    parts = ops.variadic_split(weight, ops.constant(np.int64(1)), lengths)
    classes = weight.get_partial_shape()[0].get_length()
    finest = named[map_name(first + 1)].get_partial_shape()[2].get_length()
    total = None
    for number, part in enumerate(parts.outputs(), first + 1):
        stage = named[map_name(number)]
        _, channels, rows, columns = (
            dimension.get_length() if dimension.is_static else -1 for dimension in stage.get_partial_shape()
        )
        flat = ops.reshape(stage, ops.constant(np.array([-1, channels, rows * columns], np.int64)), special_zero=False)
        shape = np.array([-1, classes, rows, columns], np.int64)
        maps = ops.reshape(ops.matmul(part, flat, False, False), ops.constant(shape), special_zero=False)
        if rows != finest:
            sizes = ops.constant(np.array([finest, finest], np.int64))
            axes = ops.constant(np.array([2, 3], np.int64))
            maps = ops.interpolate(
                maps,
                sizes,
                "nearest",
                "sizes",
                axes=axes,
                coordinate_transformation_mode="asymmetric",
                nearest_mode="floor",
            )
        total = maps if total is None else ops.add(total, maps)
    area = ops.constant(np.array([2, 3], np.int64))
    low, high = ops.reduce_min(total, area, keep_dims=True), ops.reduce_max(total, area, keep_dims=True)
    spread = ops.maximum(ops.subtract(high, low), ops.constant(np.float32(1e-12)))
    share = ops.divide(ops.subtract(total, low), spread)
    return ops.convert(ops.round(ops.multiply(share, ops.constant(np.float32(255))), "half_to_even"), "u8").output(0)


def _write_info(model: Any, preprocessing: Preprocessing, facts: Facts) -> None:
    info: dict[str, str] = {
        "model_type": "Classification",
        "labels": " ".join("_".join(name.split()) for name in facts.classes),  # which are read up to the next blank
        "multilabel": "False",
        "hierarchical": "False",
        "output_raw_scores": "True",
        "topk": str(_BEST),
        "confidence_threshold": "0.0",
        "embedded_processing": "True",
        "reverse_input_channels": "False",  # RGB goes in
        "mean_values": " ".join(f"{255 * value:.6g}" for value in preprocessing.mean),
        "scale_values": " ".join(f"{255 * value:.6g}" for value in preprocessing.std),
        "resize_type": "standard" if preprocessing.stretch else "crop",
        "interpolation_mode": {"bilinear": "LINEAR", "bicubic": "CUBIC"}[preprocessing.interpolation],
        "pad_value": "0",
        "orig_height": str(preprocessing.crop),
        "orig_width": str(preprocessing.crop),
    }
    for name, value in info.items():
        model.set_rt_info(value, ["model_info", name])
    model.set_rt_info(preprocessing.model_dump_json(), [OWN, "preprocessing"])
    model.set_rt_info(repr(facts.temperature), [OWN, "temperature"])
