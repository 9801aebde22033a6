"""One line of log for each finished recognition."""

from __future__ import annotations

import logging

from core.base.logs import ID_SHOWN
from core.recognition.results import Recognition

_log = logging.getLogger(__name__)


def log_recognition(door: str, stack_id: str, recognition: Recognition) -> None:
    """One line for a finished recognition; ``door`` says who asked: ``page`` or ``api``."""
    timing = recognition.timing
    _log.info(
        "recognition door=%s stack=%s model=%s engine=%s precision=%s images=%d failed=%d batch_size=%d "
        "ms=%.1f wait_ms=%.1f infer_ms=%.1f",
        door,
        stack_id[:ID_SHOWN],
        recognition.model,
        recognition.engine,
        recognition.precision,
        timing.images,
        sum(prediction.error is not None for prediction in recognition.predictions),
        timing.batch_size,
        1000 * timing.total_seconds,
        1000 * timing.wait_seconds,
        1000 * timing.infer_seconds,
    )
