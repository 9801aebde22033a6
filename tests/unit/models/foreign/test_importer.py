"""Foreign models: what comes in computes what it computed, and what nobody said is asked for."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.base.errors import (
    EngineUnavailable,
    InvalidRequest,
    LabelsInvalid,
    ModelError,
    PreprocessingUnknown,
    WeightsInvalid,
)
from core.base.settings import Settings
from core.engines.engine import FEATURES, LOGITS
from core.engines.openvino import shared_core
from core.images.preprocessing import Preprocessing
from core.models.foreign.importer import ImportOrder
from core.models.graph_files import GRAPH_BIN, GRAPH_XML
from core.models.head import read_head
from core.models.model import Model
from core.models.torchvision_compat import import_torchvision
from core.recognition.service import RecognitionService
from core.teach.features import Looker
from core.trust.maps import maps_of, outputs_for_maps
from tests.builders import photo_png
from tests.conftest import MakeStack
from tests.foreign_models import SIDE, tiny_ir, tiny_onnx, zipped

pytestmark = pytest.mark.torch

SMALL = Preprocessing(resize=64, crop=64)
LABELS = b"one\ntwo\nthree\nfour\nfive"
# Width of what the last linear layer takes, and of the maps that is the mean of.
ARCHITECTURES = {
    "resnet18": (512, 512),
    "mobilenet_v3_small": (1024, 0),
    "convnext_tiny": (768, 0),
    "vit_b_16": (768, 0),
    "squeezenet1_1": (0, 0),
    "resnet34": (512, 512),
    "resnet50": (2048, 2048),
    "efficientnet_b0": (1280, 1280),
    "regnet_y_400mf": (440, 440),
    "shufflenet_v2_x0_5": (1024, 1024),
}


def network(name: str, **more: Any) -> Any:
    """With random weights, by a way that takes a tenth of torchvision's time."""
    import torch

    torch.manual_seed(0)
    build = partial(import_torchvision().models.get_model, name, weights=None, num_classes=5, **more)
    try:
        with torch.device("meta"):
            made = build()
    except NotImplementedError:  # RegNet reckons in tensors while it is built
        made = build()
    made = made.to_empty(device="cpu").eval()
    with torch.no_grad():
        for key, tensor in made.state_dict().items():
            if tensor.dim() > 1:
                bound = (3 * tensor.shape[0] / tensor.numel()) ** 0.5
                tensor.uniform_(-bound, bound)
            else:
                tensor.fill_(1 if key.endswith(("weight", "running_var")) else 0)
        spread = made(torch.randn(2, 3, 64, 64)).std()
        [one for one in made.modules() if isinstance(one, torch.nn.Linear | torch.nn.Conv2d)][-1].weight /= spread
    return made


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_torchvision_networks_give_the_logits_of_their_origin(name: str, take: Any, tmp_path: Path) -> None:
    import torch

    made = network(name, **({"image_size": 64} if name.startswith("vit") else {}))
    torch.save(made.state_dict(), tmp_path / "own.pth")
    model = take(ImportOrder(tmp_path / "own.pth", "Own", name, LABELS, preprocessing=SMALL))
    assert model.card.classes == ("one", "two", "three", "four", "five")
    assert (model.card.graph.features, model.card.graph.maps) == ARCHITECTURES[name]
    assert model.card.graph.transformer == name.startswith("vit")
    probe = np.random.default_rng(1).normal(size=(4, 3, 64, 64)).astype(np.float32)
    with torch.inference_mode():
        expected = made(torch.from_numpy(probe)).numpy()
    assert expected.std() > 0.1, "zeros would agree with anything"
    graph = shared_core().compile_model(str(model.folder / GRAPH_XML), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    assert np.abs(graph(probe)[0] - expected).max() < 1e-3


def onnx_of(path: Path, **more: Any) -> Path:
    """A tiny network of convolution, mean, linear layer."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    random = np.random.default_rng(0)
    weights = {
        "kernel": random.normal(size=(8, 3, 3, 3)).astype(np.float32),
        "weight": random.normal(size=(5, 8)).astype(np.float32),
        "bias": random.normal(size=5).astype(np.float32),
    }
    nodes = [
        helper.make_node("Conv", ["image", "kernel"], ["convolved"], strides=[4, 4]),
        helper.make_node("Relu", ["convolved"], ["maps"]),
        helper.make_node("GlobalAveragePool", ["maps"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["features"]),
        helper.make_node("Gemm", ["features", "weight", "bias"], ["scores"], transB=1),
        *more.get("nodes", []),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 3, 64, 64])],
        [helper.make_tensor_value_info(more.get("output", "scores"), TensorProto.FLOAT, None)],
        [numpy_helper.from_array(values, name) for name, values in weights.items()],
    )
    for tensor in graph.initializer:
        more.get("change", lambda one: None)(tensor)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("strange", 1)]
    path.write_bytes(helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString())
    assert onnx.__name__
    return path


def test_an_onnx_file_becomes_a_model_with_features_and_maps(take: Any, tmp_path: Path) -> None:
    settings = tmp_path / "preprocessor_config.json"
    settings.write_text(
        json.dumps(
            {
                "image_mean": [0.5, 0.5, 0.5],
                "image_std": [0.5, 0.5, 0.5],
                "resample": 3,
                "size": {"height": 64, "width": 64},
            }
        )
    )
    model: Model = take(ImportOrder(onnx_of(tmp_path / "tiny.onnx"), "Tiny", labels=LABELS, settings=(settings,)))
    assert model.preprocessing.stretch
    assert model.missing("pytorch-fp32").startswith("Tiny was imported as a graph")
    assert model.missing("openvino-int8").startswith("Tiny has no INT8 copy yet")
    engine = model.engine("openvino-fp32")
    assert engine.outputs == (LOGITS, FEATURES, "maps.1")
    images = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    names = outputs_for_maps(model.stages, 8)
    found = engine.infer(images, (LOGITS, FEATURES, *names))
    head = read_head(model)
    maps = maps_of(found, 1, names, head.weight)
    assert np.abs(maps.mean(axis=(1, 2)) + head.bias - found[LOGITS][1]).max() < 1e-3
    assert found[FEATURES].shape == (2, 8)
    with pytest.raises(EngineUnavailable, match="imported as a graph"):
        model.engine("pytorch-fp32")


def test_a_graph_without_a_last_linear_layer_is_not_taught(
    take: Any, tmp_path: Path, make_stack: MakeStack, settings: Settings
) -> None:
    (tmp_path / "tiny.onnx").write_bytes(tiny_onnx(linear=False))
    said = Preprocessing(resize=SIDE, crop=SIDE)
    model = take(ImportOrder(tmp_path / "tiny.onnx", "Tiny", labels=b"one\ntwo\nthree", preprocessing=said))
    with pytest.raises(ModelError, match="cannot be taught"):
        Looker(RecognitionService(settings), make_stack({"1.png": photo_png()}), model)


def test_what_nobody_said_is_asked_for(take: Any, tmp_path: Path) -> None:
    tiny = onnx_of(tmp_path / "tiny.onnx")
    with pytest.raises(PreprocessingUnknown, match="Nothing says how images become inputs of tiny"):
        take(ImportOrder(tiny, "Tiny", labels=LABELS))
    with pytest.raises(LabelsInvalid, match="Nothing names the model's 5 classes"):
        take(ImportOrder(tiny, "Tiny", preprocessing=SMALL))
    with pytest.raises(PreprocessingUnknown, match="takes 64 pixels a side"):
        take(ImportOrder(tiny, "Tiny", labels=LABELS, preprocessing=Preprocessing()))
    (tmp_path / "own.pth").write_bytes(b"any")
    with pytest.raises(InvalidRequest, match="does not say its network"):
        take(ImportOrder(tmp_path / "own.pth", "Own", labels=LABELS, preprocessing=SMALL))
    assert not (tmp_path / "made").exists()


def test_an_ir_says_its_preprocessing_itself(take: Any, tmp_path: Path) -> None:
    import openvino as ov

    graph = ov.convert_model(str(onnx_of(tmp_path / "tiny.onnx")))
    info = {
        "mean_values": "123.675 116.28 103.53",
        "scale_values": "58.395 57.12 57.375",
        "reverse_input_channels": "True",
        "labels": "one two three four five",
    }
    for name, value in info.items():
        graph.set_rt_info(value, ["model_info", name])
    ov.save_model(graph, str(tmp_path / "tiny.xml"), compress_to_fp16=False)
    model: Model = take(ImportOrder(tmp_path / "tiny.xml", "Tiny"))
    assert model.preprocessing.model_copy(update={"mean": (0, 0, 0), "std": (1, 1, 1)}) == Preprocessing(
        resize=64, crop=64, stretch=True, mean=(0, 0, 0), std=(1, 1, 1)
    )
    assert model.preprocessing.mean == pytest.approx((0.485, 0.456, 0.406))
    assert set(model.card.checksums) == {GRAPH_XML, GRAPH_BIN, "weights.safetensors"}


def outside(tensor: Any) -> None:
    tensor.data_location = 1
    tensor.external_data.add(key="location", value="../../../etc/passwd")
    tensor.ClearField("raw_data")


def immense(tensor: Any) -> None:
    tensor.dims[0] = 2**40


def node(kind: str, *inputs: str, **more: Any) -> Any:
    from onnx import helper

    return helper.make_node(kind, list(inputs), ["last"], **more)


def test_hostile_onnx_files_are_refused_with_a_sentence(take: Any, tmp_path: Path) -> None:
    from onnx import helper, numpy_helper

    shape = numpy_helper.from_array(np.array([2**40, 2**10, 5], np.int64))
    filled = helper.make_node("ConstantOfShape", ["sizes"], ["filled"])
    sizes = helper.make_node("Constant", [], ["sizes"], value=shape)
    cases: list[tuple[dict[str, Any], str]] = [
        ({"change": outside}, "keeps numbers in other files"),
        ({"change": immense}, "announces more numbers"),
        ({"nodes": [node("Custom", "scores", domain="strange")], "output": "last"}, "custom operators"),
        ({"nodes": [node("Sigmoid", "scores")], "output": "last"}, "no plain class scores"),
        ({"nodes": [sizes, filled, node("Add", "scores", "filled")], "output": "last"}, "tiny|one score"),
    ]
    for made, sentence in cases:
        path = onnx_of(tmp_path / "tiny.onnx", **made)
        with pytest.raises(ModelError, match=sentence):
            take(ImportOrder(path, "Tiny", labels=LABELS, preprocessing=SMALL))
    (tmp_path / "tiny.onnx").write_bytes(b"\x08\x07" + b"\xff" * 100)
    with pytest.raises(WeightsInvalid, match="no ONNX file"):
        take(ImportOrder(tmp_path / "tiny.onnx", "Tiny", labels=LABELS, preprocessing=SMALL))
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        ('type="Const" version="opset1"', 'type="Const" version="extension"', "custom operators"),
        ('size="', 'size="9', "do not belong together"),
        ("<net", "<!DOCTYPE net [<!ENTITY a 'b'>]><net", "defines entities"),
        ('type="ReLU"', 'type="FakeQuantize"', "quantized already"),
    ],
)
def test_hostile_irs_are_refused_with_a_sentence(
    before: str, after: str, sentence: str, take: Any, tmp_path: Path
) -> None:
    import openvino as ov

    xml = tmp_path / "tiny.xml"
    ov.save_model(ov.convert_model(str(onnx_of(tmp_path / "tiny.onnx"))), str(xml), compress_to_fp16=False)
    assert before in xml.read_text()
    xml.write_text(xml.read_text().replace(before, after, 1))
    with pytest.raises(WeightsInvalid, match=sentence):
        take(ImportOrder(xml, "Tiny", labels=LABELS, preprocessing=SMALL))
    assert not (tmp_path / "made").exists()


def test_an_ir_may_come_in_a_zip(take: Any, tmp_path: Path) -> None:
    graph = tiny_ir(tmp_path)
    pair = {path.name: path.read_bytes() for path in (graph, graph.with_suffix(".bin"))}
    source = tmp_path / "tiny.zip"
    source.write_bytes(zipped(pair))
    said = Preprocessing(resize=SIDE, crop=SIDE)
    model = take(ImportOrder(source, "Tiny", labels=b"one\ntwo\nthree", preprocessing=said))
    assert model.card.graph is not None
    assert (model.card.graph.origin, model.card.graph.features, model.card.graph.maps) == ("OpenVINO IR", 8, 8)
    source.write_bytes(zipped(dict(list(pair.items())[:1])))
    with pytest.raises(WeightsInvalid, match=r"0 \.bin files"):
        take(ImportOrder(source, "Half", labels=b"one\ntwo\nthree", preprocessing=said))
