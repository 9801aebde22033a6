"""Who may import what: heavy libraries stay out of everything that does not need them."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from core.base.settings import PROJECT_ROOT
from tests.builders import photo_png, zip_bytes

CORE = PROJECT_ROOT / "core"
HEAVY = ("torch", "torchvision", "nncf", "onnx", "openvino", "scipy", "sklearn", "ray")
# Module -> the heavy libraries it may import, and then only inside the function that needs them.
ALLOWED = {
    "batch/cluster.py": {"ray"},
    "benchmark/baselines.py": {"torch"},
    "engines/openvino.py": {"openvino"},
    "engines/openvino_network.py": {"openvino"},
    "engines/openvino_outputs.py": {"openvino"},
    "engines/pytorch.py": {"torch"},
    "models/architectures.py": {"torch"},
    "models/foreign/checks.py": {"onnx"},
    "models/foreign/graph.py": {"openvino"},
    "models/foreign/new_head.py": {"openvino"},
    "models/foreign/networks.py": {"safetensors", "torch"},
    "models/foreign/worker.py": {"openvino", "torch"},
    "models/openvino_info.py": {"openvino"},
    "models/onnx_export.py": {"onnx", "openvino", "torch"},
    "models/openvino_ir.py": {"openvino"},
    "optimize/layer_errors.py": {"openvino"},
    "optimize/quantize.py": {"nncf"},
    "models/staged_resnet18.py": {"torch"},
    "models/torchvision_compat.py": {"torch"},
    "models/weights.py": {"safetensors", "torch"},
    "teach/evaluate.py": {"sklearn"},
    "teach/head.py": {"sklearn"},
    "teach/longer.py": {"sklearn"},
    "teach/longer_worker.py": {"torch"},
    "trust/evaluation/compare.py": {"scipy"},
    "trust/evaluation/figures.py": {"sklearn"},
    "trust/evaluation/known_scores.py": {"sklearn"},
}
MODULES = sorted(path.relative_to(CORE).as_posix() for path in CORE.rglob("*.py"))


def imported(node: ast.AST) -> set[str]:
    """Top-level packages that an import statement names."""
    if isinstance(node, ast.Import):
        return {alias.name.split(".")[0] for alias in node.names}
    if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
        return {node.module.split(".")[0]}
    return set()


@pytest.mark.parametrize("module", MODULES)
def test_heavy_libraries_are_imported_where_they_may_be_and_never_at_the_top(module: str) -> None:
    tree = ast.parse((CORE / module).read_text())
    anywhere = {name for node in ast.walk(tree) for name in imported(node)}
    at_the_top = {name for node in tree.body for name in imported(node)}
    heavy = {*HEAVY, "safetensors"}
    assert anywhere & heavy <= ALLOWED.get(module, set())
    assert at_the_top & heavy == set()
    assert anywhere & {"streamlit", "pages", "scripts", "pandas"} == set()


def test_the_list_of_exceptions_names_modules_that_exist() -> None:
    assert set(ALLOWED) <= set(MODULES)


# What a server does from its start to its first INT8 prediction.
PREDICT = """
import gc, io, sys, tempfile
from pathlib import Path
from fastapi.testclient import TestClient
from core.api import create_api
from core.runtime import get_runtime
runtime = get_runtime()
runtime.warm_up()
print(gc.get_freeze_count() > 10_000)
client = TestClient(create_api(runtime.store, runtime.models, runtime.settings, runtime.recognition))
archive = Path(sys.argv[1]).read_bytes()
names = client.post("/upload", files={"file": ("a.zip", archive)}).json()["filenames"]
answers = client.post("/predict_optimized", json={"filenames": names, "batch_size": 2}).json()
runtime.close()
print(len(answers), all(answer["class"] != "error" for answer in answers))
unwanted = ("torch", "torchvision", "nncf", "onnx", "sklearn", "safetensors", "streamlit", "pandas", "skimage", "ray")
print(sorted(name for name in unwanted if name in sys.modules))
"""


def test_int8_predictions_need_neither_pytorch_nor_any_other_heavy_library(
    tmp_path: Path, model_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = tmp_path / "a.zip"
    archive.write_bytes(zip_bytes({f"{seed}.png": photo_png(seed=seed) for seed in range(3)}))
    monkeypatch.setenv("AISR_WORK_DIR", str(tmp_path / "work"))
    monkeypatch.setenv("AISR_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("AISR_CACHE_DIR", str(model_cache))
    done = subprocess.run(
        [sys.executable, "-c", PREDICT, str(archive)], cwd=PROJECT_ROOT, capture_output=True, text=True, check=False
    )
    is_frozen, *answers = done.stdout.splitlines()
    assert answers == ["3 True", "[]"], done.stderr
    assert is_frozen == "True", "or every full garbage collection looks through all that is imported"
    assert list((tmp_path / "work").iterdir()) == []
