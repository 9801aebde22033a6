"""What the tests promise about themselves, whatever they test."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.base.settings import PROJECT_ROOT
from tests.plugin import SLOW_FIRST, complaint, fingerprints, pytest_make_parametrize_id, skipped_line, slowness

# Collects all tests; prints, on the last line, their ids and the digests of their data.
COLLECT = """
import json, pytest
from tests.plugin import fingerprints
class Collected:
    def pytest_collection_finish(self, session):
        self.items = session.items
collected = Collected()
code = pytest.main(["--collect-only", "-qq", "-p", "no:randomly", "-p", "no:cacheprovider", "tests"], [collected])
print()
print(json.dumps([code, [item.nodeid for item in collected.items], fingerprints(collected.items)]))
"""


def test_ids_and_data_are_the_same_in_another_process_at_another_time(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    items = request.session.items
    elsewhere = {
        "TZ": "Asia/Tokyo" if os.environ.get("TZ") != "Asia/Tokyo" else "America/Lima",
        "PYTHONHASHSEED": "7",
        "TMPDIR": str(tmp_path),
        "HOME": str(tmp_path),
    }
    done = subprocess.run(
        [sys.executable, "-c", COLLECT],
        cwd=PROJECT_ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")} | elsewhere,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    code, ids, theirs = json.loads(done.stdout.splitlines()[-1])
    assert code == 0, done.stdout
    assert {item.nodeid for item in items} <= set(ids)
    ours = fingerprints(items)
    assert {name for name in ours if theirs.get(name, ours[name]) != ours[name]} == set()


REFUSED = {
    "bytes": "b'PK'",
    "escaped bytes": "PK\\x03\\x04",
    "a line feed": "a\nb",
    "an accent": "café",
    "a long text": "a" * 121,
    "an object": "<object object at 0x7f9a1c0de730>",
    "a function": "<function choose at 0x7f9a1c0de730>",
    "a day and a time": "made 2026-11-25 10:20",
    "a time": "made at 10:20:05",
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_depends_on_the_process_or_the_time_may_not_stand_in_an_id(kind: str) -> None:
    assert complaint(REFUSED[kind])
    assert pytest_make_parametrize_id(REFUSED[kind], "data") == "data"


@pytest.mark.parametrize("text", ["", "wrong checksum of IDAT", "C:\\photos\\a.zip", "/tmp/escaped.png", "16-bit"])
def test_what_a_person_would_write_may(text: str) -> None:
    assert complaint(text) is None
    assert pytest_make_parametrize_id(text, "data") is None


def test_bytes_are_named_after_their_argument() -> None:
    assert pytest_make_parametrize_id(b"plain", "data") == "data"
    assert pytest_make_parametrize_id(12, "count") is None


def test_a_run_with_such_an_id_is_refused_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "test_bad.py").write_text(
        "import pytest\n@pytest.mark.parametrize('data', [b'PK'], ids=str)\ndef test_a(data): pass\n"
    )
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "tests.plugin",
        "-n",
        "1",
        "--rootdir",
        str(tmp_path),
        "test_bad.py",
    ]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(PROJECT_ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "The id of test_bad.py::test_a holds bytes" in done.stdout
    assert "INTERNALERROR" not in done.stdout
    assert "passed" not in done.stdout


def test_the_line_about_what_was_skipped() -> None:
    assert skipped_line([]) == "Skipped: nothing"
    assert skipped_line(["Skipped: no nginx", "no wheel", "Skipped: no nginx"]) == "Skipped: 3 (2 no nginx; 1 no wheel)"


def test_what_takes_long_comes_first_and_all_of_it_is_there() -> None:
    ordered = ["tests/e2e/test_a.py::b", "tests/api/test_a.py::b", "tests/unit/base/test_a.py::b"]
    places = [slowness(test) for test in ordered]
    assert places == sorted(set(places))
    assert [start for start in SLOW_FIRST if not (PROJECT_ROOT / start).exists()] == []
