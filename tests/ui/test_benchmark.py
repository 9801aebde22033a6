"""The benchmark page as a script."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.benchmark.formats import report_json
from core.benchmark.report import Sweep, SweepCell
from core.runtime import get_runtime
from pages._ui.benchmark.state import Benchmarks
from pages._ui.shell.session import Session
from tests.builders import photo_png, zip_bytes
from tests.ui.test_pages import ROUTER, SECONDS, session, upload
from tests.unit.benchmark.benchmark_reports import make_report, make_run


@pytest.fixture
def app() -> AppTest:
    return AppTest.from_file(ROUTER, default_timeout=SECONDS).run()


def open_page(app: AppTest) -> AppTest:
    return app.switch_page(str(Path(ROUTER).parent / "benchmark.py")).run()


def benchmarks(app: AppTest) -> Benchmarks:
    found = app.session_state["session"]
    assert isinstance(found, Session)
    return found.benchmarks


def texts(app: AppTest) -> str:
    return "\n".join(element.value for element in (*app.markdown, *app.info, *app.caption, *app.error, *app.warning))


def press(app: AppTest, label: str) -> AppTest:
    return next(button for button in app.button if button.label.startswith(label)).click().run()


def choose(app: AppTest, label: str, values: list[str]) -> None:
    next(field for field in app.multiselect if field.label == label).set_value(values)


def with_stack(app: AppTest, images: int = 2) -> AppTest:
    upload(app, zip_bytes({f"{number}.png": photo_png(seed=number) for number in range(images)}))
    return open_page(app)


def test_without_a_stack_it_shows_the_machine_and_the_way(app: AppTest) -> None:
    open_page(app)
    assert not app.exception
    assert "cores" in texts(app)
    assert "share the machine" in texts(app)
    assert "Open a stack" in texts(app)
    assert not any(button.label == "Run benchmark" for button in app.button)


@pytest.mark.torch
def test_a_small_benchmark_ends_in_figures_and_files(app: AppTest) -> None:
    with_stack(app)
    choose(app, "Engines", ["openvino-int8", "pytorch-fp32"])
    choose(app, "Images", ["3"])
    next(field for field in app.number_input if field.label == "Repeats").set_value(1)
    next(field for field in app.number_input if field.key == "benchmark-batch-size").set_value(2)
    press(app, "Run benchmark")
    job = benchmarks(app).job
    assert job is not None
    assert session(app).job is None, "a benchmark is no recognition of the stack"
    job.wait(SECONDS)
    app.run()
    assert not app.exception
    report = benchmarks(app).report
    assert report is not None, job.message
    assert {(run.engine, run.mode, run.images) for run in report.runs} == {
        (engine, mode, 3) for engine in ("openvino-int8", "pytorch-fp32") for mode in ("inference-only", "end-to-end")
    }
    assert [metric.label for metric in app.metric] == ["Inference only · 3 images", "End to end · 3 images"]
    (table,) = (frame.value for frame in app.dataframe if "Images/s" in frame.value)
    assert set(table["Images"]) == {"3 (repeated)"}, "two images were repeated, and the table says so"
    assert not any("accura" in column.lower() for column in table.columns), "agreement is never called accuracy"
    stack = session(app).stack
    assert stack is not None
    assert get_runtime().recognition.results(stack).engines == (), "measuring answers nothing on the pages"


@pytest.mark.parametrize(
    ("field", "values", "sentence"),
    [
        ("Engines", [], "Choose at least one engine"),
        ("Modes", [], "Choose at least one mode"),
        ("Images", [], "Choose at least one number"),
    ],
)
def test_a_plan_that_cannot_be_measured_gets_a_sentence(
    app: AppTest, field: str, values: list[str], sentence: str
) -> None:
    with_stack(app)
    choose(app, field, values)
    press(app, "Run benchmark")
    assert not app.exception
    assert sentence in texts(app)
    assert benchmarks(app).job is None


def test_cancelling_leaves_a_word_and_no_figures(app: AppTest) -> None:
    with_stack(app)
    choose(app, "Engines", ["openvino-int8"])
    choose(app, "Images", ["600"])
    press(app, "Run benchmark")
    job = benchmarks(app).job
    assert job is not None
    press(app, "Cancel")
    job.wait(SECONDS)
    app.run()
    assert job.status == "cancelled"
    assert "Cancelled" in texts(app)
    assert benchmarks(app).reports == []
    assert any(button.label == "Run benchmark" for button in app.button)


def test_the_best_batch_size_of_a_sweep_can_be_used(app: AppTest) -> None:
    open_page(app)
    cells = tuple(
        SweepCell(batch_size=size, streams=streams, images_per_second=100.0 + size)
        for size in (1, 16)
        for streams in (1, 2)
    )
    sweep = Sweep(engine="openvino-int8", cells=cells, best=cells[2], product_streams=2)
    benchmarks(app).keep(make_report(sweep=sweep))
    app.run()
    assert session(app).batch_size is None
    press(app, "Use batches of 16")
    app.run()
    assert not app.exception
    assert session(app).batch_size == 16
    assert "Batches of 16 are in use" in texts(app)


def test_two_reports_are_compared(app: AppTest) -> None:
    open_page(app)
    benchmarks(app).keep(make_report(runs=(make_run(rate=100.0),)))
    app.run()
    assert not any(field.label == "Before" for field in app.selectbox), "one alone is compared with nothing"
    benchmarks(app).keep(make_report(runs=(make_run(rate=150.0),)))
    app.run()
    assert not app.exception
    (table,) = (frame.value for frame in app.dataframe if "After / before" in frame.value)
    assert table["After / before"].tolist() == pytest.approx([1.5])


def test_a_saved_benchmark_is_opened_and_other_files_are_refused(app: AppTest) -> None:
    open_page(app)
    saved = make_report()
    app.file_uploader[0].set_value(("photo.json", b"{}", "application/json")).run()
    assert "no saved benchmark" in texts(app)
    assert benchmarks(app).reports == []
    app.file_uploader[0].set_value(("saved.json", report_json(saved).encode(), "application/json")).run()
    assert not app.exception
    assert benchmarks(app).reports == [saved]
    assert "no saved benchmark" not in texts(app)


def test_hostile_names_in_a_saved_benchmark_stay_text(app: AppTest) -> None:
    open_page(app)
    benchmarks(app).keep(make_report().model_copy(update={"stack": "<b>[x](http://evil)</b>.zip"}))
    app.run()
    assert not app.exception
    captions = "\n".join(element.value for element in app.caption)
    assert "evil" in captions
    assert "[x](http" not in captions
