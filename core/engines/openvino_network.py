"""What stands around a network in our IR files, and how an engine leaves it away.

A file takes whole RGB images of any size and gives what OpenVINO's model_api reads (``core.models.openvino_info``), so
that it can be used without us. Engines resize images earlier, once for all of them, and begin behind that part.
"""

from __future__ import annotations

from typing import Any

from core.engines.engine import LOGITS

IMAGE = "image"
"""The input of a file: uint8 ``[batch, height, width, 3]``, RGB, of any size."""
PIXELS = "pixels"
"""The tensor inside that is a model input: uint8 ``[batch, side, side, 3]``."""


def named_outputs(model: Any) -> dict[str, Any]:
    """All outputs of an ``ov.Model``'s nodes that have names, by each of those."""
    return {
        name: output for node in model.get_ordered_ops() for output in node.outputs() for name in output.get_names()
    }


def only_network(model: Any) -> Any:
    """Make an ``ov.Model`` begin at its model inputs and end in its logits, and return it.

    One that does so already, as those written before IRs described themselves do, stays as it is.
    """
    from openvino import opset13 as ops

    named = named_outputs(model)
    if IMAGE not in named or PIXELS not in named:
        return model
    pixels, logits = named[PIXELS], named[LOGITS]
    begin = ops.parameter(pixels.get_partial_shape(), pixels.get_element_type(), name=PIXELS)
    for target in pixels.get_target_inputs():
        target.replace_source_output(begin.output(0))
    pixels.get_tensor().set_names(set())
    begin.output(0).get_tensor().set_names({PIXELS})
    results = model.get_results()
    model.add_results([ops.result(logits)])
    for result in results:
        model.remove_result(result)
    model.add_parameters([begin])
    for parameter in model.get_parameters():
        if parameter.get_friendly_name() != PIXELS:
            model.remove_parameter(parameter)
    model.validate_nodes_and_infer_types()
    return model
