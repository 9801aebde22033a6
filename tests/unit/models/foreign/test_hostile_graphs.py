"""Graphs that would take a server's memory or time: refused with a sentence, or ended in the process of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from core.base.errors import DiskFull, ModelError
from core.images.preprocessing import Preprocessing
from core.models.foreign.importer import ImportOrder
from core.models.graph_files import GRAPH_XML
from tests.foreign_models import SIDE
from tests.unit.models.foreign.conftest import Start

Node = helper.make_node
BEGIN = [Node("Conv", ["image", "kernel"], ["seen"], pads=[1, 1, 1, 1]), Node("Relu", ["seen"], ["maps"])]
END = [
    Node("GlobalAveragePool", ["last"], ["pooled"]),
    Node("Flatten", ["pooled"], ["features"]),
    Node("Gemm", ["features", "weight"], ["logits"], transB=1),
]


def graph(*between: Any, side: int = SIDE, **constants: Any) -> bytes:
    """A classifier of three classes whose ``maps`` become its ``last`` in between."""
    rng = np.random.default_rng(0)
    numbers = {"kernel": rng.normal(size=(8, 3, 3, 3)), "weight": rng.normal(size=(3, 8))}
    given = {name: np.asarray(values, np.float32) for name, values in numbers.items()} | constants
    made = helper.make_graph(
        [*BEGIN, *between, *END],
        "hostile",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 3, side, side])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(values), name) for name, values in given.items()],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


def enlarged(times: int) -> bytes:
    sizes = np.array([1, 1, times, times], np.float32)
    return graph(Node("Resize", ["maps", "", "sizes"], ["last"], mode="nearest"), sizes=sizes)


def added_constant(*sizes: int) -> bytes:
    filled = Node("ConstantOfShape", ["sizes"], ["filled"])
    summed = Node("ReduceSum", ["filled"], ["summed"], keepdims=0)
    return graph(filled, summed, Node("Add", ["maps", "summed"], ["last"]), sizes=np.array(sizes, np.int64))


HOSTILE = {
    "327 MB for an image": (enlarged(100), "takes 328 MB for one image"),
    "terabytes for an image": (enlarged(10_000), "takes 3,276,800 MB for one image"),
    "a constant of terabytes": (added_constant(2**20, 2**20), "far more memory"),
    "a constant of 128 MB": (
        graph(
            Node("ConstantOfShape", ["sizes"], ["filled"]),
            Node("ReduceMax", ["maps"], ["largest"], keepdims=0),
            Node("Cast", ["largest"], ["place"], to=TensorProto.INT64),
            Node("Gather", ["filled", "place"], ["found"]),
            Node("Add", ["maps", "found"], ["last"]),
            sizes=np.array([2**25], np.int64),
        ),
        "unfold to far more than its file",
    ),
    "the square of a batch": (
        graph(
            Node("Reshape", ["maps", "shape"], ["rows"]),
            Node("Transpose", ["rows"], ["columns"], perm=[1, 0]),
            Node("MatMul", ["rows", "columns"], ["square"]),
            Node("ReduceMean", ["square"], ["mean"], axes=[0, 1], keepdims=1),
            Node("Add", ["maps", "mean"], ["last"]),
            shape=np.array([-1, 8], np.int64),
        ),
        "the more come together",
    ),
    "sizes that images decide": (
        graph(
            Node("NonZero", ["maps"], ["places"]),
            Node("Cast", ["places"], ["numbers"], to=TensorProto.FLOAT),
            Node("ReduceMean", ["numbers"], ["mean"], keepdims=0),
            Node("Add", ["maps", "mean"], ["last"]),
        ),
        "depends on what images show",
    ),
    "quantized already": (
        graph(
            Node("QuantizeLinear", ["maps", "scale", "zero"], ["small"]),
            Node("DequantizeLinear", ["small", "scale", "zero"], ["last"]),
            scale=np.float32(0.1),
            zero=np.uint8(0),
        ),
        "quantized already",
    ),
    "an operator nobody knows": (graph(Node("NoSuchOperator", ["maps"], ["last"])), "an operator is unknown"),
    "chance": (
        graph(Node("RandomNormalLike", ["maps"], ["noise"]), Node("Add", ["maps", "noise"], ["last"])),
        "differs from the original",
    ),
    "nothing but NaN": (
        graph(Node("Log", ["maps"], ["log"]), Node("Mul", ["log", "zero"], ["last"]), zero=np.float32(0)),
        "NaN or infinity",
    ),
    "images of 4,000 px": (graph(Node("Identity", ["maps"], ["last"]), side=4000), "at most 1,024"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_it_is_refused_and_leaves_nothing(name: str, take: Any, tmp_path: Path) -> None:
    data, says = HOSTILE[name]
    (tmp_path / "net.onnx").write_bytes(data)
    side = 4000 if "4,000" in name else SIDE
    said = Preprocessing(resize=side, crop=side)
    with pytest.raises(ModelError, match=says):
        take(ImportOrder(tmp_path / "net.onnx", "Hostile", labels=b"a\nb\nc", preprocessing=said))
    assert {path.name for path in tmp_path.iterdir()} == {"net.onnx"}


def test_a_disk_that_takes_nothing_is_no_fault_of_the_model(start: Start, tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(graph(Node("Identity", ["maps"], ["last"])))
    (tmp_path / "draft" / GRAPH_XML).mkdir(parents=True)  # where nothing can be written, whoever tries
    with start("") as worker, pytest.raises(DiskFull, match="make room"):
        worker.call("read_graph", source=tmp_path / "net.onnx", draft=tmp_path / "draft", side=SIDE)


def test_the_same_without_anything_between_is_taken(take: Any, tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(graph(Node("Identity", ["maps"], ["last"], name="<img src=x>/../../etc")))
    said = Preprocessing(resize=SIDE, crop=SIDE)
    model = take(ImportOrder(tmp_path / "net.onnx", "Honest", labels=b"a\nb\nc", preprocessing=said))
    assert (model.card.graph.features, model.card.graph.maps) == (8, 8)
