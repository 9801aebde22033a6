"""A model that was downloaded here, added again: what it was, or refused with a sentence."""

from __future__ import annotations

import hashlib
import io
import json
import re
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.base.errors import ModelError
from core.base.settings import Settings
from core.engines.openvino import FP32, INT8
from core.images.preprocessing import Preprocessing
from core.models.card import ModelCard, file_checksum, replace_card
from core.models.foreign.importer import ImportOrder, import_model
from core.models.graph_files import GRAPH_XML
from core.models.install import pack_model
from core.models.model import Model
from core.models.openvino_ir import convert, save_ir
from tests.foreign_models import SIDE, tiny_onnx, zipped

Files = dict[str, bytes]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory, start: Any) -> Files:
    """What My models gives for a small imported graph with an INT8 copy, by name."""
    folder = tmp_path_factory.mktemp("tiny")
    (folder / "net.onnx").write_bytes(tiny_onnx())
    order = ImportOrder(
        folder / "net.onnx", "Tiny", labels=b"one\ntwo\nthree", preprocessing=Preprocessing(resize=SIDE, crop=SIDE)
    )
    settings = Settings(data_dir=folder / "data", cache_dir=folder / "cache")
    model = import_model(order, folder / "made", settings, worker=start)
    save_ir(convert(model.folder / GRAPH_XML), model.int8_path, model.preprocessing, model.stages)
    made = (model.int8_path, model.int8_path.with_suffix(".bin"))
    checksums = model.card.checksums | {path.name: file_checksum(path) for path in made}
    replace_card(model.card.model_copy(update={"checksums": checksums}), model.folder)
    return unpacked(pack_model(Model(model.folder, settings.cache_dir)))


def unpacked(data: bytes) -> Files:
    with zipfile.ZipFile(io.BytesIO(data)) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def changed(files: Files, name: str = "", data: bytes = b"", **card: Any) -> Files:
    """With another file, which the card describes as it is, and other facts in the card."""
    made = dict(files) | ({f"made/{name}": data} if name else {})
    said = json.loads(made["made/card.json"])
    if name:
        said["checksums"][name] = hashlib.sha256(data).hexdigest()
    made["made/card.json"] = json.dumps(said | card).encode()
    return made


def answers(model: Model, engine: str) -> Any:
    images = np.random.default_rng(0).integers(0, 256, (2, *model.preprocessing.input_shape), dtype=np.uint8)
    return model.engine(engine).infer(images)["logits"]


def test_what_was_downloaded_is_the_same_model_elsewhere(starter: Model, take: Any, tmp_path: Path) -> None:
    (tmp_path / "starter.zip").write_bytes(pack_model(starter))
    model: Model = take(ImportOrder(tmp_path / "starter.zip", ""))
    assert model.card == starter.card.model_copy(update={"name": "made"})
    assert (answers(model, INT8.name) == answers(starter, INT8.name)).all()
    assert sorted(path.name for path in model.folder.iterdir()) == sorted([*starter.card.checksums, "card.json"])


def test_so_is_a_graph_with_its_maps_under_another_name(tiny: Files, take: Any, tmp_path: Path) -> None:
    source = tmp_path / "tiny.zip"
    source.write_bytes(
        zipped({f"other/{name.split('/')[1]}": data for name, data in tiny.items()} | {"__MACOSX/a": b""})
    )
    model: Model = take(ImportOrder(source, "Renamed"))
    assert (model.title, model.card.classes) == ("Renamed", ("one", "two", "three"))
    assert model.engine(INT8.name).outputs == model.engine(FP32.name).outputs == ("logits", "features", "maps.1")
    assert np.abs(answers(model, INT8.name) - answers(model, FP32.name)).max() < 1e-4
    assert not (model.folder / "__MACOSX").exists()


def header(shape: list[int], size: int) -> bytes:
    """A file of weights that claims a last layer."""
    said = {"fc.weight": {"dtype": "F32", "shape": shape, "data_offsets": [0, size]}}
    text = json.dumps(said).encode()
    return struct.pack("<Q", len(text)) + text + b"\0" * size


Change = Callable[[Files], Files]
HOSTILE: dict[str, tuple[Change, str]] = {
    "another file than the card's": (
        lambda files: files | {"made/network.bin": b"\0" * 8},
        "not the file its card.json",
    ),
    "a file is missing": (
        lambda files: {k: v for k, v in files.items() if k != "made/network.bin"},
        "0 files network.bin",
    ),
    "two models": (lambda files: files | {"b/card.json": b"{}"}, "holds 2 models"),
    "a card that is none": (lambda files: files | {"made/card.json": b"[" * 100_000}, "card.json cannot be read"),
    "a name that leads out": (lambda files: changed(files, "../../evil.xml", b"x"), "names files that no model has"),
    "a name with a folder": (lambda files: changed(files, "deep/evil.xml", b"x"), "names files that no model has"),
    "weights of another shape": (
        lambda files: changed(files, "weights.safetensors", header([2**40], 8)),
        "weights.safetensors",
    ),
    "a head of other classes": (
        lambda files: changed(files, "weights.safetensors", header([2, 8], 64)),
        "does not fit its card",
    ),
    "more features than there are": (
        lambda files: changed(files, graph={"origin": "ONNX", "features": 9, "maps": 8, "transformer": False}),
        "does not fit its card",
    ),
    "classes that run backwards": (lambda files: changed(files, classes=["a", "b\u202e", "c"]), "cannot be shown"),
    "a formula": (lambda files: changed(files, classes=["=CMD()", "b", "c"]), "reads like a formula"),
    "a class twice": (lambda files: changed(files, classes=["a", "a", "c"]), "has a class twice"),
    "classes of another number": (lambda files: changed(files, classes=["a", "b"]), "does not fit its card"),
    "immense inputs": (
        lambda files: changed(files, preprocessing=Preprocessing(resize=4096, crop=4096).model_dump()),
        "at most 1,024",
    ),
    "an INT8 copy of terabytes": (
        lambda files: changed(
            files,
            "graph-int8.xml",
            re.sub(rb'shape="8, ?3, ?3, ?3"', b'shape="8,3,3000000,3000000"', files["made/graph-int8.xml"]),
        ),
        "do not belong together",
    ),
    "an INT8 copy of another network": (
        lambda files: changed(files, "graph-int8.xml", files["made/network.xml"]),
        "cannot be run",
    ),
    "known images without end": (
        lambda files: changed(files, "known.safetensors", b"\0" * (65 * 1024 * 1024)),
        "far larger than such files are",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_a_stranger_made_is_refused_and_leaves_nothing(name: str, tiny: Files, take: Any, tmp_path: Path) -> None:
    change, says = HOSTILE[name]
    hostile = change(tiny)
    assert hostile != tiny
    (tmp_path / "own.zip").write_bytes(zipped(hostile))
    with pytest.raises(ModelError, match=says):
        take(ImportOrder(tmp_path / "own.zip", "Hostile"))
    assert {path.name for path in tmp_path.iterdir()} == {"own.zip"}


def test_the_card_alone_says_how_images_become_inputs(tiny: Files, take: Any, tmp_path: Path) -> None:
    (tmp_path / "own.zip").write_bytes(zipped(tiny))
    said = Preprocessing(resize=64, crop=64, color_order="BGR")
    model: Model = take(ImportOrder(tmp_path / "own.zip", "Tiny", labels=b"a\nb\nc", preprocessing=said))
    card = ModelCard.model_validate_json(tiny["made/card.json"])
    assert (model.card.classes, model.preprocessing) == (card.classes, card.preprocessing)
