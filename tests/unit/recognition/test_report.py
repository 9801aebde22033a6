"""Results as files read back the way other programs read them."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

from core.recognition.report import COLUMNS, predictions_csv, predictions_json
from core.recognition.results import ClassScore, Prediction

AWKWARD = 'a, "b"\nc/Größe 图.png'
GOOD = Prediction(
    0,
    AWKWARD,
    (ClassScore("cat", 0.75), ClassScore("dog", 0.25)),
    engine="openvino-int8",
    model="starter",
    calibrated=True,
    known_score=0.25,
)
BROKEN = Prediction(4, "b.png", (), engine="pytorch-fp32", model="starter", error="The PNG ends too early.")


def test_csv_reads_back_with_awkward_names() -> None:
    rows = list(csv.DictReader(io.StringIO(predictions_csv([GOOD, BROKEN]))))
    assert [tuple(row) for row in rows] == [COLUMNS, COLUMNS]
    assert rows[0] == {
        "position": "1",
        "filename": AWKWARD,
        "class": "cat",
        "confidence": "0.75",
        "calibrated": "true",
        "known": "true",
        "known_score": "0.25",
        "engine": "openvino-int8",
        "model": "starter",
        "value_range": "",
        "error": "",
        "top5": "cat 0.7500; dog 0.2500",
    }
    assert (rows[1]["class"], rows[1]["confidence"], rows[1]["top5"]) == ("error", "0.0", "")
    assert (rows[1]["calibrated"], rows[1]["known"], rows[1]["known_score"]) == ("false", "", "")
    assert rows[1]["error"] == "The PNG ends too early."


def test_no_text_runs_as_a_formula_in_a_spreadsheet_and_json_keeps_it_as_it_is() -> None:
    label = "@SUM(A1)"
    hostile = Prediction(0, "=1+1.png", (ClassScore(label, 0.5), ClassScore("-1", 0.5)), "openvino-int8", "starter")
    (row,) = csv.DictReader(io.StringIO(predictions_csv([hostile])))
    assert (row["filename"], row["class"]) == ("'=1+1.png", "'@SUM(A1)")
    assert row["top5"] == "'@SUM(A1) 0.5000; '-1 0.5000"
    assert (row["position"], row["confidence"]) == ("1", "0.5"), "numbers stay numbers"
    (item,) = json.loads(predictions_json([hostile]))
    assert (item["filename"], item["class"]) == ("=1+1.png", label)


def test_an_image_that_shows_none_of_the_classes_says_so_beside_the_nearest() -> None:
    unknown = replace(GOOD, known_score=0.02)
    (row,) = json.loads(predictions_json([unknown]))
    assert (row["class"], row["known"], row["known_score"]) == ("cat", False, 0.02)
    (cells,) = csv.DictReader(io.StringIO(predictions_csv([unknown])))
    assert (cells["class"], cells["known"], cells["known_score"]) == ("cat", "false", "0.02")


def test_whose_range_of_values_an_image_was_scaled_by_is_told_with_its_answer() -> None:
    scaled = [replace(GOOD, value_range="stack"), replace(GOOD, value_range="image"), GOOD]
    assert [row["value_range"] for row in json.loads(predictions_json(scaled))] == ["stack", "image", None]
    assert [row["value_range"] for row in csv.DictReader(io.StringIO(predictions_csv(scaled)))] == [
        "stack",
        "image",
        "",
    ]


def test_json_keeps_names_and_the_five_best() -> None:
    text = predictions_json([GOOD, BROKEN])
    rows = json.loads(text)
    assert "图" in text, "names stay readable"
    assert rows[0]["filename"] == AWKWARD
    assert [(row["calibrated"], row["known"], row["known_score"]) for row in rows] == [
        (True, True, 0.25),
        (False, None, None),
    ]
    assert rows[0]["top5"] == [{"class": "cat", "confidence": 0.75}, {"class": "dog", "confidence": 0.25}]
    assert rows[1]["top5"] == []


def test_nothing_is_a_header_or_an_empty_list() -> None:
    assert predictions_csv([]) == ",".join(COLUMNS) + "\n"
    assert json.loads(predictions_json([])) == []
