"""A report as files, what it says in words, and two of them side by side."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest

from core.base.errors import InvalidRequest
from core.benchmark.formats import compare_reports, notes_of, report_csv, report_json, report_markdown
from core.benchmark.report import Limits, Report, read_report
from tests.unit.benchmark.benchmark_reports import make_report, make_run

# What programs may rely on.
RUN_KEYS = {
    "engine",
    "mode",
    "images",
    "batch_size",
    "seconds_median",
    "images_per_second",
    "speedup_vs_pytorch_fp32",
    "cpu_seconds_per_image",
    "agreement_with_pytorch_fp32",
}
LIMITS = Limits(
    engine="openvino-int8",
    cores=2.0,
    decode_preprocess_core_seconds_per_image=0.003,
    inference_core_seconds_per_image=0.002,
    roofline_images_per_second=400.0,
)
LIMIT_KEYS = {
    "decode_preprocess_core_seconds_per_image",
    "inference_core_seconds_per_image",
    "roofline_images_per_second",
}


def test_the_json_has_the_promised_keys_and_comes_back_as_it_was() -> None:
    report = make_report(limits=LIMITS)
    text = report_json(report)
    content = json.loads(text)
    assert set(content["runs"][0]) >= RUN_KEYS
    assert set(content["limits"]) >= LIMIT_KEYS
    assert content["environment"]["cpu"] == "Test CPU"
    assert read_report(text.encode()) == report


@pytest.mark.parametrize(
    "data",
    [b"", b"{}", b"[1, 2]", b'"text"', b"\xff\xfe", b"null", b'{"runs": []}'],
    ids=["empty", "no keys", "a list", "a string", "not UTF-8", "null", "too few keys"],
)
def test_anything_else_is_no_saved_benchmark(data: bytes) -> None:
    with pytest.raises(InvalidRequest, match="no saved benchmark"):
        read_report(data)


@pytest.mark.parametrize(
    ("key", "value"),
    [("engine", "tensorrt"), ("mode", "sideways"), ("images_per_second", "NaN"), ("images", "many"), ("images", None)],
)
def test_a_saved_run_of_something_else_is_refused(key: str, value: object) -> None:
    content = json.loads(report_json(make_report()))
    content["runs"][0][key] = value
    with pytest.raises(InvalidRequest):
        read_report(json.dumps(content).encode())


def test_csv_has_a_line_for_each_run_and_a_column_for_each_stage() -> None:
    report = make_report()
    rows = list(csv.DictReader(io.StringIO(report_csv(report))))
    assert [row["engine"] for row in rows] == [run.engine for run in report.runs]
    assert set(rows[0]) >= RUN_KEYS | {"decode_ms", "rest_ms"}
    assert "stages_ms" not in rows[0], "no cell holds a Python dictionary"
    assert float(rows[0]["images_per_second"]) == report.runs[0].images_per_second
    inference_only = next(row for row in rows if row["mode"] == "inference-only")
    assert inference_only["decode_ms"] == "", "a stage that was not there is empty, not 0"


def test_markdown_is_one_table_with_equally_many_cells_in_each_line() -> None:
    report = make_report()
    lines = report_markdown(report).splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert len(table) == 2 + len(report.runs)
    assert len({line.count("|") for line in table}) == 1
    assert re.fullmatch(r"[|\- :]+", table[1])
    assert "OpenVINO INT8 (INT8)" in table[2]
    assert "None" not in report_markdown(report)


def test_repeated_images_are_said_in_table_and_notes() -> None:
    repeated = make_report(runs=(make_run(images=200, distinct_images=100),))
    assert "| 200* |" in report_markdown(repeated)
    assert any("above 100 repeat the first 100" in note for note in notes_of(repeated))
    whole = make_report(runs=(make_run(images=200, distinct_images=200),))
    assert "*" not in report_markdown(whole)
    assert not any("repeat" in note for note in notes_of(whole))


def test_the_roofline_is_shown_with_its_sum() -> None:
    (note,) = (note for note in notes_of(make_report(limits=LIMITS)) if "Roofline" in note)
    assert "2 cores / (3.00 ms" in note
    assert "2.00 ms inference" in note
    assert "400 images/s" in note


def test_comparing_pairs_what_both_have() -> None:
    before = make_report(runs=(make_run(images=50, rate=100.0), make_run(images=100, rate=100.0)))
    after = make_report(runs=(make_run(images=100, rate=150.0), make_run(images=200, rate=150.0)))
    (pair,) = compare_reports(before, after)
    assert (pair.before.images, pair.after.images) == (100, 100)
    assert pair.ratio == pytest.approx(1.5)
    assert compare_reports(make_report(runs=(make_run("pytorch-fp32"),)), make_report(runs=(make_run(),))) == []


def test_reports_of_other_moments_have_other_titles() -> None:
    first, second = make_report(), make_report().model_copy(update={"created": "2031-01-01T00:00:00+00:00"})
    assert isinstance(first, Report)
    assert first.title != second.title
