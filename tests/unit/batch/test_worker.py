"""What a worker writes of files of every kind, with the model that ships with the app."""

from __future__ import annotations

import errno
import hashlib
import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from core.base.errors import StoreUnreachable
from core.batch.frames import Frames
from core.batch.listing import list_source
from core.batch.manifest import Unit, units_of
from core.batch.output import Output
from core.batch.parts import SCHEMA, census
from core.batch.reading import FileFailure, Patience
from core.batch.worker import Job, Worker
from core.images.preprocessing import STANDARD
from core.recognition.classifier import Classifier
from tests.builders import photo_png, zip_bytes

pytestmark = pytest.mark.batch


def gif(frames: int) -> bytes:
    images = [Image.fromarray(np.full((20, 20), 40 * number, np.uint8)) for number in range(frames)]
    buffer = io.BytesIO()
    images[0].save(buffer, "GIF", save_all=True, append_images=images[1:])
    return buffer.getvalue()


def rows_of(worker: Worker, source: Path) -> list[dict[str, Any]]:
    return [row for unit in units_of(list_source(str(source))) for row in worker.look(unit).to_pylist()]


def test_the_rows_say_what_the_classifier_says(tmp_path: Path, worker: Worker, job: Job) -> None:
    paths = [tmp_path / f"{seed}.png" for seed in range(6)]
    for seed, path in enumerate(paths):
        path.write_bytes(photo_png(60, 50, seed=seed))
    rows = {row["path"]: row for row in rows_of(worker, tmp_path)}
    assert sorted(rows) == [str(path) for path in paths]
    classifier = Classifier.from_folder(job.model, job.engine, cache_dir=job.settings.cache_dir)
    for path, wanted in zip(paths, classifier.predict(paths, batch_size=4), strict=True):
        row = rows[str(path)]
        assert (row["class"], row["known"], row["frame"], row["member"]) == (wanted.label, wanted.known, 0, None)
        assert row["confidence"] == pytest.approx(wanted.confidence, abs=1e-5)
        assert row["known_score"] == pytest.approx(wanted.known_score, abs=1e-5)
        assert [one["class"] for one in row["top5"]] == [one.label for one in wanted.top]
        assert row["error"] is None and row["error_code"] is None
        assert row["seconds"] > 0
        assert row["features"] is None and row["sha256"] is None


def test_every_frame_has_a_row_and_every_bad_file_a_reason(tmp_path: Path, worker: Worker) -> None:
    (tmp_path / "film.gif").write_bytes(gif(7))
    (tmp_path / "cut.png").write_bytes(photo_png()[:60])
    (tmp_path / "text.png").write_bytes(b"no image")
    (tmp_path / "empty.jpg").write_bytes(b"")
    rows = rows_of(worker, tmp_path)
    film = [row for row in rows if row["path"].endswith("film.gif")]
    assert [row["frame"] for row in film] == list(range(7))
    assert all(row["class"] for row in film)
    bad = [row for row in rows if row not in film]
    assert [(row["error_code"], row["class"], row["confidence"]) for row in bad] == [("image_invalid", None, None)] * 3
    assert all(row["error"].endswith(".") for row in bad)


def test_a_file_of_more_frames_than_allowed_is_an_error_and_no_part_of_it(tmp_path: Path, worker: Worker) -> None:
    (tmp_path / "film.gif").write_bytes(gif(4))
    settings = worker.job.settings.model_copy(update={"max_entries": 3})
    job = replace(worker.job, settings=settings)
    other = Frames(job.store, STANDARD, settings, threads=1, patience=job.patience)
    [frame] = [frame for unit in units_of(list_source(str(tmp_path))) for frame in other.of(unit)]
    other.close()
    assert (frame.row.error_code, frame.model_input) == ("limit_exceeded", None)


def test_an_archive_gives_the_same_rows_in_any_number_of_slices(tmp_path: Path, worker: Worker) -> None:
    files = {f"deep/{seed}.png": photo_png(seed=seed) for seed in range(5)}
    path = tmp_path / "a.zip"
    path.write_bytes(zip_bytes({**files, "bad.png": b"no image", "notes.txt": b"text"}))
    [whole] = units_of(list_source(str(path)))
    wanted = [(row["member"], row["class"], row["error_code"]) for row in worker.look(whole).to_pylist()]
    assert sorted(name for name, _, _ in wanted) == sorted([*files, "bad.png"])
    found = []
    for part in range(3):
        table = worker.look(Unit(part, whole.files, part, 3))
        found += [(row["member"], row["class"], row["error_code"]) for row in table.to_pylist()]
    assert sorted(found, key=str) == sorted(wanted, key=str)


def test_an_archive_that_cannot_be_opened_is_one_row(tmp_path: Path, worker: Worker) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(zip_bytes({"a.png": photo_png()})[:-30])
    archive = list_source(str(path))
    files = tuple(archive)
    rows = [row for part in range(2) for row in worker.look(Unit(part, files, part, 2)).to_pylist()]
    assert [(row["path"], row["member"], row["error_code"]) for row in rows] == [(str(path), None, "archive_truncated")]
    assert worker.items(Unit(0, files, 0, 2)) == [str(path)]


def test_what_has_changed_or_gone_since_it_was_listed_is_not_read(tmp_path: Path, worker: Worker) -> None:
    for name in ("changed", "gone", "same"):
        (tmp_path / f"{name}.png").write_bytes(photo_png())
    [unit] = units_of(list_source(str(tmp_path)))
    (tmp_path / "gone.png").unlink()
    (tmp_path / "changed.png").write_bytes(photo_png(seed=1) + b"x")
    codes = {Path(row["path"]).stem: row["error_code"] for row in worker.look(unit).to_pylist()}
    assert codes == {"changed": "file_changed", "gone": "not_found", "same": None}


def test_features_and_hashes_are_kept_where_they_are_asked_for(tmp_path: Path, job: Job) -> None:
    (tmp_path / "a.png").write_bytes(photo_png())
    worker = Worker(replace(job, cores=10_000, features=True, hashes=True))
    worker.start()
    [row] = rows_of(worker, tmp_path)
    worker.close()
    assert row["sha256"] == hashlib.sha256(photo_png()).hexdigest()
    assert len(row["features"]) == 960


def test_a_part_appears_whole_and_once(tmp_path: Path, worker: Worker, job: Job) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_bytes(photo_png())
    (tmp_path / "in" / "b.png").write_bytes(b"no image")
    [unit] = units_of(list_source(str(tmp_path / "in")))
    output = Output(str(tmp_path / "out"))
    output.prepare({})
    rows = worker.look(unit)
    writer = Worker(replace(job, output=output))
    for _ in range(2):  # as when a worker was given up too early
        outcome = writer.finish(unit, rows)
    assert (outcome.rows, outcome.errors) == (2, {"image_invalid": 1})
    assert [path.name for path in (tmp_path / "out" / "parts").iterdir()] == ["000000000.parquet"]
    assert pq.read_schema(output.part(0)).equals(SCHEMA)
    assert output.done() == {0}
    found = census(output)
    assert (found.parts, found.rows, found.errors) == (1, 2, 1)


class Store:
    """A store that fails so many times for each path; everything else is as on this disk."""

    scheme = "flaky://"
    is_local = False

    def __init__(self, error: OSError, times: int) -> None:
        self.error, self.times = error, times
        self.asked: dict[str, int] = {}

    def address(self, path: str) -> str:
        return f"{self.scheme}{path}"

    def read(self, path: str) -> bytes:
        self.asked[path] = self.asked.get(path, 0) + 1
        if self.asked[path] <= self.times:
            raise self.error
        return Path(path).read_bytes()


@pytest.fixture
def many(tmp_path: Path) -> Unit:
    for number in range(12):
        (tmp_path / f"{number}.png").write_bytes(photo_png(8, 8))
    [unit] = units_of(list_source(str(tmp_path)))
    return unit


def rows_through(job: Job, store: Any, unit: Unit) -> tuple[list[dict[str, Any]], list[float]]:
    """What a worker that reads from ``store`` makes of a unit, and the waits between its tries."""
    waits: list[float] = []
    patience = Patience(tries=4, seconds=1.0, sleep=waits.append)
    worker = Worker(replace(job, cores=10_000, store=store, patience=patience))
    worker.start()
    try:
        return worker.look(unit).to_pylist(), waits
    finally:
        worker.close()


def test_an_error_that_may_pass_is_waited_for_longer_each_time(job: Job, many: Unit) -> None:
    rows, waits = rows_through(job, Store(TimeoutError("timed out"), times=3), many)
    assert [row["error"] for row in rows] == [None] * 12
    assert len(waits) == 36
    assert all(0.5 <= wait < 6.0 for wait in waits) and max(waits) >= 2.0


@pytest.mark.parametrize("error", [PermissionError(errno.EACCES, "no"), OSError("AWS Error ACCESS_DENIED")])
def test_what_is_not_permitted_is_a_row_and_is_not_tried_again(job: Job, many: Unit, error: OSError) -> None:
    store = Store(error, times=99)
    rows, waits = rows_through(job, store, many)
    assert {row["error_code"] for row in rows} == {"not_permitted"}
    assert waits == []
    assert set(store.asked.values()) == {1}


def test_a_store_that_is_gone_ends_the_run_and_becomes_no_rows(job: Job, many: Unit) -> None:
    with pytest.raises(StoreUnreachable, match="connection refused"):
        rows_through(job, Store(ConnectionError("connection refused"), times=99), many)


def test_a_few_files_that_a_store_does_not_give_are_rows(job: Job, many: Unit) -> None:
    few = Unit(0, many.files[:3])
    rows, _ = rows_through(job, Store(ConnectionError("reset"), times=99), few)
    assert {row["error_code"] for row in rows} == {"read_failed"}


def test_a_job_from_a_store_to_a_store(job: Job) -> None:
    files = pytest.importorskip("fsspec").filesystem("memory")
    archive = zip_bytes({f"{seed}.png": photo_png(seed=seed) for seed in range(3)})
    files.pipe({"/stored/a.png": photo_png(), "/stored/deep/b.zip": archive, "/stored/c.tar": b"no archive"})
    listing = list_source("memory://stored")
    output = Output("memory://results")
    output.prepare({})
    totals = output.manifest.write(listing, units_of(listing))
    worker = Worker(replace(job, cores=10_000, store=listing.store, output=output))
    worker.start()
    for unit in output.manifest.units(range(totals.units)):
        worker.do(unit)
    worker.close()
    assert output.done() == set(range(totals.units))
    found = census(output)
    assert (found.rows, found.errors) == (5, 1)
    rows = [row for number in output.done() for row in read_rows(output, number)]
    answered = [(row["path"].rpartition("/")[2], row["member"]) for row in rows if row["error_code"] is None]
    assert sorted(answered, key=str) == [("a.png", None), *(("b.zip", f"{seed}.png") for seed in range(3))]
    assert not any(".partial" in name for name in files.find("/results"))


def read_rows(output: Output, number: int) -> list[dict[str, Any]]:
    return pq.read_table(output.part(number), filesystem=output.store.files).to_pylist()


def test_patience_ends(tmp_path: Path) -> None:
    calls: list[int] = []

    def fail() -> None:
        calls.append(1)
        raise TimeoutError("slow")

    with pytest.raises(FileFailure, match="slow"):
        Patience(tries=3, sleep=lambda seconds: None).keep_trying(fail)
    assert len(calls) == 3
