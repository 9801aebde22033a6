"""OpenVINO's engine: what it takes and refuses, thread safety, and the precision that really runs."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from core.base.errors import ModelError
from core.base.settings import PROJECT_ROOT
from core.engines.engine import Engine
from core.engines.openvino import OpenVinoEngine, shared_core
from core.models.model import Model
from tests.helpers import SECONDS


@pytest.fixture(scope="module")
def engine(starter: Model) -> Engine:
    return starter.engine("openvino-int8")


def noise(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 224, 224, 3), dtype=np.uint8)


def test_logits_are_one_float32_row_for_each_image(engine: Engine, starter: Model) -> None:
    logits = engine.infer(noise(3))["logits"]
    assert (logits.dtype, logits.shape) == (np.float32, (3, len(starter.card.classes)))
    assert np.isfinite(logits).all()
    assert engine.classes == len(starter.card.classes)


def test_int8_is_what_really_runs(engine: Engine) -> None:
    assert (engine.name, engine.precision) == ("openvino-int8", "INT8")
    assert engine.parallelism >= 1


@pytest.mark.parametrize(
    "batch",
    [
        noise(1).astype(np.float32),
        noise(1).astype(np.int8),
        noise(1)[0],
        noise(1).transpose(0, 3, 1, 2),
        noise(1)[:, :223],
        noise(1)[..., :1],
        np.empty((0, 224, 224, 3), np.uint8),
    ],
    ids=["float32", "int8", "no batch dimension", "NCHW", "too low", "grey", "empty"],
)
def test_anything_else_is_refused_with_what_was_expected_and_what_came(engine: Engine, batch: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"expected uint8 \[B, 224, 224, 3\], got") as caught:
        engine.infer(batch)["logits"]
    assert str(batch.dtype) in str(caught.value)
    assert str(batch.shape) in str(caught.value)


def test_an_image_gets_the_same_logits_alone_and_anywhere_in_a_batch(engine: Engine) -> None:
    batch = noise(5)
    alone = np.concatenate([engine.infer(batch[index : index + 1])["logits"] for index in range(5)])
    assert np.abs(engine.infer(batch)["logits"] - alone).max() < 1e-4
    assert np.abs(engine.infer(batch[::-1])["logits"] - alone[::-1]).max() < 1e-4
    assert len({row.tobytes() for row in alone}) == 5, "different images must not get the same answer"


def test_the_input_is_neither_changed_nor_kept_and_logits_stay_after_the_next_call(engine: Engine) -> None:
    batch = noise(2)
    copy = batch.copy()
    logits = engine.infer(batch)["logits"]
    before = logits.copy()
    assert (batch == copy).all()
    batch[:] = 0
    for _ in range(engine.parallelism + 1):
        engine.infer(batch)["logits"]
    assert (logits == before).all()


def test_a_view_with_strides_counts_as_what_it_shows(engine: Engine) -> None:
    wide = np.repeat(noise(2), 2, axis=2)
    view = wide[:, :, ::2]
    assert not view.flags.c_contiguous
    assert np.abs(engine.infer(view)["logits"] - engine.infer(noise(2))["logits"]).max() == 0


def test_eight_threads_get_the_logits_one_would(engine: Engine) -> None:
    batches = [noise(1 + seed % 4, seed) for seed in range(24)]
    sequential = [engine.infer(batch)["logits"] for batch in batches]
    start = threading.Barrier(8)

    def work(thread: int) -> float:
        start.wait()
        mine = range(thread, len(batches), 8)
        return max(float(np.abs(engine.infer(batches[n])["logits"] - sequential[n]).max()) for n in mine)

    with ThreadPoolExecutor(8) as pool:
        assert max(pool.map(work, range(8))) < 1e-4


# Many threads at once load OpenVINO, then make the first inference, interrupted as often as Python allows.
FIRST_USE = """
import sys, threading
from pathlib import Path
import numpy as np
from core.engines.openvino import OpenVinoEngine, shared_core
sys.setswitchinterval(1e-6)

def together(work):
    start = threading.Barrier(6)
    threads = [threading.Thread(target=lambda: (start.wait(), work()), daemon=True) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(100)
    if any(thread.is_alive() for thread in threads):
        sys.exit("hangs")

cores = []
together(lambda: cores.append(shared_core()))
engine = OpenVinoEngine("openvino-int8", Path(sys.argv[1]), Path(sys.argv[2]))
together(lambda: engine.infer(np.zeros((1, 224, 224, 3), np.uint8)))
print(f"done with {len(set(cores))} core")
"""


def test_many_threads_may_be_the_first_to_use_it(starter: Model, tmp_path: Path) -> None:
    command = [sys.executable, "-c", FIRST_USE, str(starter.int8_path), str(tmp_path)]

    def run(_: int) -> str:
        done = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=SECONDS, check=False)
        return done.stdout + done.stderr or f"ended by signal {-done.returncode}"

    with ThreadPoolExecutor(3) as pool:  # a deadlock shows itself in about every second process
        assert set(pool.map(run, range(3))) == {"done with 1 core\n"}


def test_a_damaged_compile_cache_only_costs_time(starter: Model, tmp_path: Path) -> None:
    """As when another process is just writing it."""
    path = starter.int8_path
    inputs = np.zeros((1, 224, 224, 3), np.uint8)
    expected = OpenVinoEngine("openvino-int8", path, tmp_path).infer(inputs)["logits"]
    blobs = [blob for blob in tmp_path.rglob("*") if blob.is_file()]
    assert blobs, "there is a cache to be damaged"
    for blob in blobs:
        blob.write_bytes(blob.read_bytes()[: blob.stat().st_size // 2])
    assert np.array_equal(OpenVinoEngine("openvino-int8", path, tmp_path).infer(inputs)["logits"], expected)


def test_there_is_one_core(engine: Engine) -> None:
    assert shared_core() is shared_core()


@pytest.mark.parametrize("damage", ["no such file", "empty .xml", "no .bin", "truncated .bin", "text"])
def test_a_damaged_model_is_refused_with_a_sentence(starter: Model, tmp_path: Path, damage: str) -> None:
    xml = tmp_path / "model.xml"
    source = starter.int8_path
    if damage != "no such file":
        shutil.copy(source, xml)
        shutil.copy(source.with_suffix(".bin"), xml.with_suffix(".bin"))
    match damage:
        case "empty .xml":
            xml.write_bytes(b"")
        case "no .bin":
            xml.with_suffix(".bin").unlink()
        case "truncated .bin":
            xml.with_suffix(".bin").write_bytes(source.with_suffix(".bin").read_bytes()[:5000])
        case "text":
            xml.write_text("This is no model.")
    with pytest.raises(ModelError, match=r"model\.xml cannot be loaded; reinstall"):
        OpenVinoEngine("openvino-int8", xml, tmp_path / "cache")
