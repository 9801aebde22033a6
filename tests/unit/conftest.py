"""What unit tests share."""

from __future__ import annotations

import pytest

from core.models import Model
from tests.fake_worker import SetAccident, use_fake_worker


@pytest.fixture
def fake_worker(starter: Model, monkeypatch: pytest.MonkeyPatch) -> SetAccident:
    """Optimisations take no time; see ``tests.fake_worker``."""
    return use_fake_worker(starter, monkeypatch)
