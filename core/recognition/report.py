"""Results as files: CSV for spreadsheets, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from core.base.spreadsheet import write_csv
from core.recognition.results import Prediction

COLUMNS = (
    *("position", "filename", "class", "confidence", "calibrated", "known", "known_score"),
    *("engine", "model", "value_range", "error", "top5"),
)


def predictions_csv(predictions: Iterable[Prediction]) -> str:
    """One line for each prediction under a header of ``COLUMNS``; positions count from 1, as on the pages.

    No text runs as a formula in a spreadsheet: see ``core.base.spreadsheet``.
    """
    rows = list(map(_row, predictions))
    for row in rows:
        for name in ("calibrated", "known", "known_score"):
            row[name] = "" if row[name] is None else json.dumps(row[name])  # true and false as in JSON
        row["value_range"] = row["value_range"] or ""
        row["top5"] = "; ".join(f"{item['class']} {item['confidence']:.4f}" for item in row["top5"])
    return write_csv(COLUMNS, rows)


def predictions_json(predictions: Iterable[Prediction]) -> str:
    """A list of objects with the keys of ``COLUMNS``; ``top5`` is a list of ``{"class", "confidence"}``."""
    return json.dumps([_row(prediction) for prediction in predictions], indent=1, ensure_ascii=False)


def _row(prediction: Prediction) -> dict[str, Any]:
    return {
        "position": prediction.index + 1,
        "filename": prediction.filename,
        "class": prediction.label,
        "confidence": round(prediction.confidence, 6),
        "calibrated": prediction.calibrated,
        "known": prediction.known,
        "known_score": None if prediction.known_score is None else round(prediction.known_score, 6),
        "engine": prediction.engine,
        "model": prediction.model,
        "value_range": prediction.value_range,
        "error": prediction.error or "",
        "top5": [{"class": score.label, "confidence": round(score.confidence, 6)} for score in prediction.top],
    }
