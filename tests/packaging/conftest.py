"""What servers and commands of their own are run with: the browser, and no measuring of batch sizes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.conftest import browser

__all__ = ["browser"]


@pytest.fixture(autouse=True, scope="module")
def _batches_of_eight() -> Iterator[None]:
    """For every process that takes this one's environment; the container has its own, and measures."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AISR_BATCH_SIZE", "8")
        yield
