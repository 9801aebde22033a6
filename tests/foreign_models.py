"""Small classifiers of others: what tests import."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper

SIDE = 32


def tiny_onnx(classes: int = 3, *, linear: bool = True, likeness: float = 0.0) -> bytes:
    """A convolution, the mean over the area and a linear layer: RGB ``[batch, 3, 32, 32]`` in, logits out.

    Without ``linear`` it ends in a convolution and the mean, as SqueezeNet does. ``likeness`` is of the classes: close
    to 1, INT8 cannot tell them apart.
    """
    rng = np.random.default_rng(0)
    numbers = {
        "kernel": rng.normal(size=(8, 3, 3, 3)),
        "weight": rng.normal(size=(classes, 8)),
        "bias": np.zeros(classes),
    }
    numbers["weight"] += likeness * (numbers["weight"][0] - numbers["weight"])
    nodes = [
        helper.make_node("Conv", ["image", "kernel"], ["seen"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["seen"], ["maps"]),
    ]
    last = [
        helper.make_node("GlobalAveragePool", ["maps"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["features"]),
        helper.make_node("Gemm", ["features", "weight", "bias"], ["logits"], transB=1),
    ]
    if not linear:
        numbers["weight"] = numbers["weight"][:, :, None, None]
        last = [
            helper.make_node("Conv", ["maps", "weight", "bias"], ["scores"]),
            helper.make_node("GlobalAveragePool", ["scores"], ["pooled"]),
            helper.make_node("Flatten", ["pooled"], ["logits"]),
        ]
    graph = helper.make_graph(
        nodes + last,
        "tiny",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", classes])],
        [numpy_helper.from_array(values.astype(np.float32), name) for name, values in numbers.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


def tiny_ir(folder: Path) -> Path:
    """The same as an OpenVINO IR."""
    import openvino as ov

    source = folder / "tiny.onnx"
    source.write_bytes(tiny_onnx())
    ov.save_model(ov.convert_model(str(source)), str(folder / "tiny.xml"), compress_to_fp16=False)
    return folder / "tiny.xml"


def zipped(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)  # no date: the same bytes each time
    return packed.getvalue()
