"""What the pages' components read: a stack's images and answers, column by column."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fastapi.testclient import TestClient

from core.api.schemas.columns import AnswerColumns, ImageAnswers
from core.engines.engine import EngineName
from core.recognition.results import THRESHOLD, ClassScore, Prediction
from core.recognition.stack_results import StackResults
from tests.api.conftest import NAMES, assert_problem, upload
from tests.builders import zip_bytes
from tests.dicom_files import CT, HOUNSFIELD, dicom


@pytest.fixture
def base(client: TestClient) -> str:
    return f"/api/v1/stacks/{upload(client).json()['stack_id']}"


def test_the_columns_hold_what_the_index_holds(client: TestClient, base: str) -> None:
    columns = client.get(f"{base}/images").json()
    assert columns["names"] == NAMES
    kinds = [columns["kinds"][place]["description"] for place in columns["kind"]]
    rows = zip(columns["names"], columns["widths"], columns["heights"], kinds, columns["file_sizes"], strict=True)
    assert [list(row) for row in rows] == client.get(base).json()["images"]
    assert columns["name_ranks"] is None, "a ZIP's images stand in the order of their names"


def test_a_kind_says_in_fields_what_its_description_says_in_words(client: TestClient, base: str) -> None:
    kinds = client.get(f"{base}/images").json()["kinds"]
    nothing_said = {"windows": [], "inverted": False, "unit": "", "range": None}
    for kind in (
        {"bit_depth": 16, "colour": "grey", "highest": 65535, "description": "16-bit grey"},
        {"bit_depth": 8, "colour": "RGB", "highest": 255, "description": "8-bit RGB"},
    ):
        assert kind | nothing_said in kinds
    assert len({kind["description"] for kind in kinds}) == len(kinds), "each kind stands there once"


def test_a_scan_says_its_unit_and_how_it_wants_to_be_shown(client: TestClient) -> None:
    window = {**HOUNSFIELD, "WindowCenter": [40, -600], "WindowWidth": [401, 1501]}
    files = {
        "a": dicom(CT, **window),
        "b": dicom(CT, **window, PhotometricInterpretation="MONOCHROME1"),
        "c": dicom(CT),
    }
    made = client.post(
        "/api/v1/stacks?name=a.zip", content=zip_bytes(files), headers={"Content-Type": "application/zip"}
    )
    columns = client.get(f"/api/v1/stacks/{made.json()['stack_id']}/images").json()
    found = [columns["kinds"][place] for place in columns["kind"]]
    windows = [{"low": -160.5, "high": 239.5}, {"low": -1350.5, "high": 149.5}]
    assert [(kind["windows"], kind["inverted"], kind["unit"]) for kind in found] == [
        (windows, False, "HU"), (windows, True, "HU"), ([], False, ""),
    ]  # fmt: skip


def test_the_columns_never_change_and_are_nobody_elses(client: TestClient, base: str) -> None:
    response = client.get(f"{base}/images")
    assert response.headers["cache-control"] == "private, max-age=31536000, immutable"
    again = client.get(f"{base}/images", headers={"If-None-Match": response.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    answers = client.get(f"{base}/answers")
    assert (answers.json(), answers.headers["cache-control"]) == ({"labels": [], "runs": []}, "no-store")


@pytest.mark.parametrize("path", ["images", "answers"])
def test_an_unknown_stack_has_none(client: TestClient, path: str) -> None:
    assert_problem(
        client.get(f"/api/v1/stacks/{'0' * 32}/{path}"), 404, "stack_not_found", "does not exist or has expired"
    )


def predicted(index: int, engine: EngineName, label: str, confidence: float, model: str = "starter") -> Prediction:
    return Prediction(index, f"{index}.png", (ClassScore(label, confidence),), engine, model)


def test_answers_by_engine_and_model() -> None:
    results = StackResults()
    results.add([predicted(4, "pytorch-fp32", "dog", 0.5), predicted(7, "pytorch-fp32", "cat", 0.25, "own")])
    results.add([predicted(4, "openvino-int8", "cat", 0.75), predicted(5, "openvino-int8", "cat", 1.0)])
    results.add([Prediction(6, "6.png", (), "openvino-int8", "starter", error="The PNG ends too early.")])
    columns = AnswerColumns.of(results)
    found = {
        (run.engine, run.model): [
            (index, columns.labels[label], confidence)
            for index, label, confidence in zip(run.images, run.classes, run.confidences, strict=True)
        ]
        for run in columns.runs
    }
    assert found == {
        ("OpenVINO INT8", "starter"): [(4, "cat", 0.75), (5, "cat", 1.0)],
        ("PyTorch FP32", "starter"): [(4, "dog", 0.5)],
        ("PyTorch FP32", "own"): [(7, "cat", 0.25)],
    }
    assert columns.runs[0].engine == "OpenVINO INT8", "the first run leads, whichever ran first"
    assert 6 not in {index for run in columns.runs for index in run.images}, "an unreadable image has no answer"
    assert sorted(columns.labels) == ["cat", "dog"]


def test_a_persons_threshold_applies_to_what_was_recognised_before() -> None:
    results = StackResults()
    results.add([replace(predicted(0, "openvino-int8", "cat", 0.5), known_score=0.2, calibrated=True)])
    (run,) = AnswerColumns.of(results).runs
    assert (run.known_scores, run.threshold, run.calibrated) == ([0.2], THRESHOLD, True)
    version = results.version
    results.threshold = 0.3
    (run,) = AnswerColumns.of(results).runs
    assert (run.known_scores, run.threshold) == ([0.2], 0.3)
    assert results.version > version, "the address of the answers is another one"


def test_where_nobody_can_tell_there_are_no_scores() -> None:
    results = StackResults()
    results.add([predicted(0, "openvino-int8", "cat", 0.5)])
    (run,) = AnswerColumns.of(results).runs
    assert (run.known_scores, run.calibrated) == (None, False)


def test_a_later_answer_replaces_an_earlier_one() -> None:
    results = StackResults()
    results.add([predicted(0, "openvino-int8", "cat", 0.5), predicted(1, "openvino-int8", "cat", 0.5)])
    results.add([predicted(0, "openvino-int8", "dog", 0.75, "own")])
    runs = {run.model: run for run in AnswerColumns.of(results).runs}
    assert (runs["own"].images, runs["starter"].images) == ([0], [1])


def test_answers_for_one_image_are_the_best_classes_of_each_engine() -> None:
    top = (ClassScore("cat", 0.7), ClassScore("dog", 0.2))
    int8 = Prediction(3, "3.png", top, "openvino-int8", "starter", calibrated=True, known_score=0.01)
    broken = Prediction(3, "3.png", (), "pytorch-fp32", "own", error="It is damaged.")
    first, second = ImageAnswers.of((int8, broken)).answers
    assert (first.engine, first.engine_name, first.model) == ("OpenVINO INT8", "openvino-int8", "starter")
    assert (first.classes, first.confidences) == (["cat", "dog"], [0.7, 0.2])
    assert (first.calibrated, first.known, first.known_score, first.error) == (True, False, 0.01, None)
    assert (second.classes, second.known, second.error) == ([], None, "It is damaged.")


def test_an_image_without_answers_has_none_and_no_image_is_refused(client: TestClient, base: str) -> None:
    response = client.get(f"{base}/images/0/answers")
    assert (response.json(), response.headers["cache-control"]) == ({"answers": []}, "no-store")
    assert_problem(client.get(f"{base}/images/{len(NAMES)}/answers"), 404, "image_not_found", "there is no image")
