"""What tests of the pages share."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest
from streamlit.testing.v1 import AppTest

from core.optimize.run import CalibrationPlan
from core.runtime import get_runtime
from tests.fake_worker import SetAccident, use_fake_worker
from tests.helpers import SECONDS
from tests.ui.app import ROUTER, close


@pytest.fixture
def app() -> Iterator[AppTest]:
    """The app on its first page, as a new visitor has it."""
    app = AppTest.from_file(ROUTER, default_timeout=SECONDS).run()
    yield app
    close(app)


@pytest.fixture
def fake_worker(monkeypatch: pytest.MonkeyPatch) -> SetAccident:
    """Optimisations take no time; see ``tests.fake_worker``."""
    return use_fake_worker(get_runtime().models.get("starter"), monkeypatch)


@pytest.fixture
def low_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    """INT8 always passes."""
    monkeypatch.setattr("pages._ui.optimize.form.CalibrationPlan", partial(CalibrationPlan, asked=0.0))
