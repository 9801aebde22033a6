"""The log: one line for each thing that happens, whatever happens, and nothing that opens a stack or names a file."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Mapping

import pytest

from core.base.logs import ID_SHOWN, LineFormatter
from core.base.settings import PROJECT_ROOT, Settings
from core.models.model import Model
from core.recognition.jobs import RecognitionJob
from core.recognition.service import Order, RecognitionService
from tests.builders import photo_png
from tests.conftest import MakeStack


def line(message: str, *arguments: object, error: Exception | None = None) -> str:
    exc_info = (type(error), error, None) if error else None
    record = logging.LogRecord("core.api.traffic", logging.INFO, "file", 1, message, arguments, exc_info)
    record.created, record.msecs = 0.25, 250.0
    return LineFormatter().format(record)


def test_a_line_says_when_how_bad_and_who_in_utc() -> None:
    expected = "time=1970-01-01T00:00:00.250Z level=info logger=core.api.traffic request status=200"
    assert line("request status=%d", 200) == expected


@pytest.mark.parametrize("text", ["a\nb", "a\r\nb", "a\n\ntime=forged level=info", "a\u2028b", "a\x85b", "a\x1b[2Jb"])
def test_nothing_that_comes_from_outside_makes_a_second_line(text: str) -> None:
    written = line("x=%s", text)
    assert len(written.splitlines()) == 1
    assert written.isprintable()
    assert "x=a" in written


def test_a_traceback_stays_on_its_line() -> None:
    written = line("unexpected", error=ValueError("why"))
    assert len(written.splitlines()) == 1
    assert "ValueError: why" in written


CONFIGURED = """
import logging
from core.base.logs import configure_logs
configure_logs("{level}")
for level in ("debug", "info", "warning", "error"):
    getattr(logging.getLogger("core.x"), level)(level)
    getattr(logging.getLogger("somebody.else"), level)("else-" + level)
"""


@pytest.mark.parametrize(
    ("level", "own"),
    [
        ("debug", ["debug", "info", "warning", "error"]),
        ("info", ["info", "warning", "error"]),
        ("warning", ["warning", "error"]),
        ("error", ["error"]),
    ],
)
def test_the_level_is_for_our_own_lines_and_libraries_speak_from_warnings_up(level: str, own: list[str]) -> None:
    code = CONFIGURED.format(level=level)
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True)
    said = [text.split()[-1] for text in done.stderr.splitlines()]
    assert [text for text in said if not text.startswith("else")] == own
    assert [text for text in said if text.startswith("else")] == ["else-warning", "else-error"]
    assert done.stdout == ""


def files() -> Mapping[str, bytes]:
    return {"patient-4711.png": photo_png(), "b.png": photo_png(seed=1), "broken.png": photo_png(seed=2)[:-30]}


def test_a_recognition_of_a_page_is_one_line_with_counts_and_times(
    make_stack: MakeStack, starter: Model, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    stack = make_stack(files())
    with caplog.at_level(logging.INFO, "core"):
        job = RecognitionJob(Order(stack, range(len(stack)), starter, ("openvino-int8",)), RecognitionService(settings))
        job.wait()
    assert job.status == "done"
    (message,) = [record.getMessage() for record in caplog.records if "recognition" in record.getMessage()]
    pairs = dict(part.split("=") for part in message.split()[1:])
    assert pairs["door"] == "page"
    assert pairs["stack"] == stack.id[:ID_SHOWN] != stack.id
    assert (pairs["images"], pairs["failed"]) == (str(len(stack)), str(len(stack) - 2))
    assert pairs["engine"] == "openvino-int8"
    assert float(pairs["ms"]) > 0
    assert "patient" not in caplog.text
    assert stack.id not in caplog.text
