"""What the viewer page says of the images that a model gets is true of the model in use."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest

from tests.helpers import SECONDS


def of_another_model() -> None:
    from types import SimpleNamespace

    from core.images.preprocessing import Preprocessing
    from pages._ui.viewer.upload import rendering_note

    rendering_note(SimpleNamespace(model=SimpleNamespace(preprocessing=Preprocessing(resize=320, crop=299))))  # type: ignore[arg-type]


def without_a_model() -> None:
    from core.base.errors import ModelNotFound
    from pages._ui.viewer.upload import rendering_note

    class Session:
        @property
        def model(self) -> object:
            raise ModelNotFound("There is none.")

    rendering_note(Session())  # type: ignore[arg-type]


def test_the_size_is_that_of_the_model_in_use() -> None:
    (text,) = [one.value for one in AppTest.from_function(of_another_model, default_timeout=SECONDS).run().markdown]
    assert "cut to the central 299 × 299 px" in text
    assert "224" not in text


def test_without_a_model_it_speaks_of_the_usual_size() -> None:
    app = AppTest.from_function(without_a_model, default_timeout=SECONDS).run()
    assert not app.exception
    assert "224 × 224 px" in app.markdown[0].value
