"""Engines are found, not listed: one file more is one engine more, everywhere."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from core.base.errors import EngineUnavailable
from core.base.settings import PROJECT_ROOT
from core.engines.registry import (
    default_engine,
    describe,
    engine_label,
    engine_names,
    engines,
    reference_engine,
)
from tests.builders import photo_png, zip_bytes


def test_the_engines_that_ship_with_the_app() -> None:
    assert engine_names() == ("openvino-int8", "openvino-fp32", "pytorch-fp32")
    assert (default_engine().name, reference_engine().name) == ("openvino-int8", "pytorch-fp32")
    assert len({engine.label for engine in engines()}) == len(engines())
    assert all(describe(engine.name) is engine for engine in engines())


def test_a_name_nobody_has_is_refused_with_those_there_are_but_a_report_of_it_can_be_read() -> None:
    with pytest.raises(EngineUnavailable, match=r"no engine 'onnx-fp32' here\. Choose one of openvino-int8, "):
        describe("onnx-fp32")
    assert engine_label("onnx-fp32") == "onnx-fp32"


def test_nothing_but_an_engines_own_file_knows_its_name() -> None:
    names = set(engine_names())
    found = []
    for room in ("core", "pages", "scripts"):
        for path in (PROJECT_ROOT / room).rglob("*.py"):
            tree = ast.parse(path.read_text())
            texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
            found += [path.relative_to(PROJECT_ROOT).as_posix()] * bool(texts & names)
    assert sorted(found) == ["core/engines/openvino.py", "core/engines/pytorch.py"]


# One file, as it would be put into core/engines/: an engine that says of every image that it is of the third class.
THIRD = """
import numpy as np

from core.engines.engine import LOGITS, EngineDescription, check_batch, check_outputs


class ThirdEngine:
    name = "third-fp8"
    library = "Third 1.0"
    precision = "FP8"
    outputs = (LOGITS,)
    parallelism = 1
    classes = 12

    def __init__(self, files):
        self.input_shape = files.preprocessing.input_shape

    def infer(self, batch, outputs=(LOGITS,)):
        check_batch(batch, self.input_shape)
        check_outputs(outputs, self)
        return {LOGITS: np.tile(np.eye(12, dtype=np.float32)[2] * 9, (len(batch), 1))}


ENGINES = (
    EngineDescription(
        name="third-fp8", label="Third FP8", library="Third", precision="FP8", order=15, load=ThirdEngine
    ),
)
"""

END_TO_END = """
import sys
from pathlib import Path
import core.engines
core.engines.__path__.append(sys.argv[1])

from fastapi.testclient import TestClient
from streamlit.testing.v1 import AppTest
from core.api import create_api
from core.recognition.recognize import recognize
from core.runtime import get_runtime
from pages._ui.benchmark.charts import ENGINE_COLORS
from pages._ui.shell.session import Session

runtime = get_runtime()
client = TestClient(create_api(runtime.store, runtime.models, runtime.settings, runtime.queue))
stack_id = client.post("/upload", files={"file": ("a.zip", Path(sys.argv[2]).read_bytes())}).json()["stack_id"]
stack = runtime.store.get(stack_id)

run = recognize(stack, range(3), runtime.models.get(), "third-fp8", runtime.settings)
print("recognition:", run.engine, run.precision, {one.label for one in run.predictions})

(model,) = client.get("/api/v1/models").json()["models"]
print("listed:", [(one["name"], one["available"]) for one in model["engines"]])
answer = client.post(f"/api/v1/stacks/{stack_id}/predictions", json={"engine": "third-fp8"}).json()
print("predicted:", answer["engine"], {one["top"][0]["class"] for one in answer["predictions"]})
print("refused:", client.post(f"/api/v1/stacks/{stack_id}/predictions", json={"engine": "fourth"}).status_code)
print("documented:", "third-fp8" in client.get("/api/openapi.json").text)

app = AppTest.from_file("pages/_router.py", default_timeout=60).run()
assert not app.exception, app.exception
(choice,) = [box for box in app.selectbox if box.label == "Engine"]
print("page:", choice.options, choice.value)
print("colours:", len(set(ENGINE_COLORS.values())), "third-fp8" in ENGINE_COLORS)
runtime.close()
"""


def test_an_engine_in_one_file_is_run_by_recognition_api_and_pages(
    tmp_path: Path, model_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "engines").mkdir()
    (tmp_path / "engines" / "third.py").write_text(THIRD)
    (tmp_path / "a.zip").write_bytes(zip_bytes({f"{seed}.png": photo_png(seed=seed) for seed in range(3)}))
    for name, folder in (("WORK", tmp_path / "work"), ("DATA", tmp_path / "data"), ("CACHE", model_cache)):
        monkeypatch.setenv(f"AISR_{name}_DIR", str(folder))
    command = [sys.executable, "-c", END_TO_END, str(tmp_path / "engines"), str(tmp_path / "a.zip")]
    done = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.splitlines() == [
        "recognition: third-fp8 FP8 {'cassette player'}",
        "listed: [('openvino-int8', True), ('third-fp8', True), ('openvino-fp32', True), ('pytorch-fp32', True)]",
        "predicted: third-fp8 {'cassette player'}",
        "refused: 400",
        "documented: True",
        "page: ['OpenVINO INT8', 'Third FP8', 'OpenVINO FP32', 'PyTorch FP32'] openvino-int8",
        "colours: 6 True",
    ], done.stderr


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (('name="third-fp8"', 'name="openvino-int8"'), "Two engines have one name"),
        (("order=15", "order=15, is_default=True"), "Exactly one engine must be described with is_default"),
        (("order=15", "order=15, is_reference=True"), "Exactly one engine must be described with is_reference"),
    ],
)
def test_descriptions_that_contradict_each_other_end_the_start(
    change: tuple[str, str], says: str, tmp_path: Path
) -> None:
    (tmp_path / "third.py").write_text(THIRD.replace(*change))
    start = "from core.engines.registry import engines; engines()"
    code = f"import sys, core.engines; core.engines.__path__.append(sys.argv[1]); {start}"
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert says in done.stderr
