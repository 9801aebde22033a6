"""What tests of the pages share."""

from __future__ import annotations

import pytest

from core.runtime import get_runtime
from tests.fake_worker import SetAccident, use_fake_worker


@pytest.fixture
def fake_worker(monkeypatch: pytest.MonkeyPatch) -> SetAccident:
    """Optimisations take no time; see ``tests.fake_worker``."""
    return use_fake_worker(get_runtime().models.get("starter"), monkeypatch)
