"""Workers on Ray, on a cluster of two machines that are none: kills, a machine that goes, a file that ends workers."""

from __future__ import annotations

import os
import signal
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from core.base.errors import EngineUnavailable
from core.batch.cluster import RayCrew, cluster
from core.batch.listing import list_source
from core.batch.manifest import Unit, units_of
from core.batch.output import Output
from core.batch.parts import Outcome, Row, table, write_part
from core.batch.run import Progress, run
from core.batch.worker import Job, Worker
from scripts.batch import main
from tests.builders import photo_png
from tests.unit.batch.conftest import NODE, patiently

pytestmark = pytest.mark.batch
CONSTANT = dict.fromkeys(("model", "model_checksum", "engine", "engine_checksum"), "none")


class NoModel(Worker):
    """A worker without a model: rows of names. Dies of ``poison.png``, and writes down which process it is."""

    def start(self) -> dict[str, str]:
        (Path(self.job.output.root) / "pids" / str(os.getpid())).touch()
        return {"engine": "none"}

    def items(self, unit: Unit) -> list[str]:
        return [file.path for file in unit.files]

    def look(self, unit: Unit, only: Any = None) -> Any:
        files = unit.files if only is None else [unit.files[position] for position in only]
        if any(file.path.endswith("poison.png") for file in files):
            os._exit(1)
        return table([Row(file.path, None, 0, file.size) for file in files], CONSTANT)

    def lost(self, unit: Unit, name: str, code: str, sentence: str) -> Any:
        return table([Row(name, None, None, 0, error_code=code, error=sentence)], CONSTANT)

    def finish(self, unit: Unit, rows: Any, seconds: float = 0.0) -> Outcome:
        return write_part(self.job.output, unit.number, rows, seconds)


class NoEngine(Worker):
    """A worker that cannot start."""

    def start(self) -> dict[str, str]:
        raise EngineUnavailable("This machine has no such engine.")


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(60):
        (folder / f"{number:02}.png").write_bytes(b"")
    return folder


@pytest.fixture
def output(tmp_path: Path) -> Output:
    made = Output(str(tmp_path / "out"))
    made.prepare({})
    (tmp_path / "out" / "pids").mkdir()
    return made


def paths(output: Output) -> Counter[str]:
    return Counter(Path(path).name for path in pq.read_table(f"{output.folder}/parts")["path"].to_pylist())


def every(images: Path) -> Counter[str]:
    return Counter(path.name for path in images.iterdir())


def done_by(crew: RayCrew, images: Path, unit_files: int, on_progress: Any = lambda progress: None) -> Progress:
    try:
        units = units_of(list_source(str(images)), unit_files=unit_files)
        return run(crew, units, on_progress=on_progress)
    finally:
        crew.close()


def test_the_rows_are_those_of_one_process(ray_cluster: Any, tmp_path: Path, worker: Worker, job: Job) -> None:
    images = tmp_path / "in"
    images.mkdir()
    for seed in range(12):
        (images / f"{seed:02}.png").write_bytes(photo_png(seed=seed))
    (images / "bad.png").write_bytes(b"no image")
    output = Output(str(tmp_path / "out"))
    output.prepare({})
    identities: list[dict[str, str]] = []
    crew = RayCrew(replace(job, output=output))
    try:
        progress = run(crew, units_of(list_source(str(images)), unit_files=4), agree=identities.append)
    finally:
        crew.close()
    compared = [
        "path",
        "frame",
        "class",
        "confidence",
        "known_score",
        "error_code",
        "model_checksum",
        "engine_checksum",
    ]
    found = pq.read_table(f"{output.folder}/parts").select(compared).sort_by("path").to_pylist()
    [unit] = units_of(list_source(str(images)))
    wanted = worker.look(unit).select(compared).sort_by("path").to_pylist()
    assert [{**row, "confidence": None, "known_score": None} for row in found] == [
        {**row, "confidence": None, "known_score": None} for row in wanted
    ]
    for name in ("confidence", "known_score"):
        assert [row[name] for row in found] == pytest.approx([row[name] for row in wanted], abs=1e-4)
    assert (progress.rows, progress.errors, progress.deaths) == (13, {"image_invalid": 1}, 0)
    assert {one["engine_checksum"] for one in identities} == {wanted[0]["engine_checksum"]}


def test_a_file_that_ends_workers_is_set_aside(ray_cluster: Any, images: Path, output: Output, job: Job) -> None:
    (images / "poison.png").write_bytes(b"")
    crew = RayCrew(replace(job, output=output), kind=NoModel)
    progress = done_by(crew, images, 10)
    assert paths(output) == every(images)
    assert progress.errors == {"worker_died": 1}
    assert progress.deaths >= 4  # two with its unit, two alone; a reply that a death cut off makes one more
    rows = pq.read_table(f"{output.folder}/parts").to_pylist()
    assert [Path(row["path"]).name for row in rows if row["error_code"]] == ["poison.png"]


def test_workers_that_are_killed_lose_nothing(ray_cluster: Any, images: Path, output: Output, job: Job) -> None:
    killed: set[int] = set()

    def kill(progress: Progress) -> None:
        if progress.units in (5, 12):
            pids = {int(path.name) for path in (Path(output.root) / "pids").iterdir()} - killed
            if len(killed) < 2 and pids:
                killed.add(pid := min(pids))
                os.kill(pid, signal.SIGKILL)

    progress = done_by(RayCrew(replace(job, output=output), kind=NoModel), images, 2, kill)
    assert paths(output) == every(images)
    assert progress.errors == {}
    assert len(killed) == 2


def test_a_machine_that_goes_loses_nothing(ray_cluster: Any, images: Path, output: Output, job: Job) -> None:
    node = patiently(lambda: ray_cluster.add_node(**NODE))
    gone: list[Any] = []

    def remove(progress: Progress) -> None:
        if progress.units >= 5 and not gone:
            gone.append(node)
            ray_cluster.remove_node(node, allow_graceful=False)

    done_by(RayCrew(replace(job, output=output), kind=NoModel), images, 2, remove)
    assert gone == [node]
    assert paths(output) == every(images)
    assert output.done() == set(range(30))


def test_a_worker_that_cannot_start_says_why(ray_cluster: Any, images: Path, output: Output, job: Job) -> None:
    with pytest.raises(EngineUnavailable, match="no such engine"):
        done_by(RayCrew(replace(job, output=output), kind=NoEngine), images, 10)
    assert output.done() == set()


def test_a_connection_that_is_there_is_used_and_left_open(ray_cluster: Any) -> None:
    import ray

    with cluster(None):
        assert len([node for node in ray.nodes() if node["Alive"]]) >= 2
    assert ray.is_initialized()


def test_a_job_goes_on_and_a_second_run_has_nothing_to_do(
    ray_cluster: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images, out = tmp_path / "in", tmp_path / "out"
    images.mkdir()
    for seed in range(3):
        (images / f"{seed}.png").write_bytes(photo_png(seed=seed))
    command = [str(images), "--out", str(out), "--cores", "1", "--workers", "1"]
    assert main(command) == 0
    part = out / "parts" / "000000000.parquet"
    written = part.stat().st_mtime_ns
    assert "3 rows in 1 parts, 0 errors" in capsys.readouterr().err

    (images / "bad.png").write_bytes(b"no image")  # is not in the list of this job
    assert main(command) == 0
    assert "0 to do" in capsys.readouterr().err
    assert part.stat().st_mtime_ns == written

    part.unlink()
    assert main(command) == 0
    assert "1 to do" in capsys.readouterr().err
    assert part.exists()

    assert main([*command, "--engine", "openvino-fp32"]) == 2
    assert "begun with engine 'openvino-int8'" in capsys.readouterr().err

    assert main([str(images), "--out", str(tmp_path / "other"), "--cores", "1", "--workers", "1"]) == 1
    assert "1 rows with image_invalid" in capsys.readouterr().err
