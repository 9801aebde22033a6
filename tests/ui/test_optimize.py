"""The optimisation page as a script."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from tests.builders import photo_png, zip_bytes
from tests.ui.test_pages import ROUTER, TIMEOUT, session, upload


@pytest.fixture
def app() -> AppTest:
    return AppTest.from_file(ROUTER, default_timeout=TIMEOUT).run()


def open_page(app: AppTest) -> AppTest:
    return app.switch_page(str(Path(ROUTER).parent / "optimize.py")).run()


def texts(app: AppTest) -> str:
    return "\n".join(element.value for element in (*app.markdown, *app.info, *app.caption, *app.success, *app.warning))


def buttons(app: AppTest) -> list[str]:
    return [button.label for button in app.button]


def test_without_a_stack_it_shows_the_model_and_the_way(app: AppTest) -> None:
    open_page(app)
    assert not app.exception
    assert "Starter" in texts(app)
    assert "Open a stack" in texts(app)
    assert "Calibrate on this stack" not in buttons(app)


def test_a_small_stack_is_refused_with_its_size(app: AppTest) -> None:
    upload(app, zip_bytes({f"{number}.png": photo_png(seed=number) for number in range(5)}))
    open_page(app)
    assert not app.exception
    assert "this one has 5" in texts(app)
    assert "Calibrate on this stack" not in buttons(app)


@pytest.mark.torch
def test_calibrate_use_and_go_back(app: AppTest) -> None:
    upload(app, zip_bytes({f"cat/{number}.png": photo_png(seed=number) for number in range(20)}))
    open_page(app)
    next(button for button in app.button if button.label == "Calibrate on this stack").click().run()
    (job,) = session(app).optimizations
    job.wait(240)
    app.run()
    assert not app.exception
    assert job.status == "done"
    assert "names the same class as FP32" in texts(app)
    assert session(app).chosen_model is None, "nothing is put to use by itself"
    next(button for button in app.button if button.label == "Use this model").click().run()
    assert session(app).model is job.model
    assert "In use" in texts(app)
    next(button for button in app.button if button.label == "Go back to the model before").click().run()
    assert session(app).model is job.source
