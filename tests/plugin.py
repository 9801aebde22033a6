"""What every run promises: its tests are the same in every process and at any time, and what was skipped is said."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Generator, Iterable, Mapping
from dataclasses import fields, is_dataclass
from hashlib import sha256

import numpy as np
import pytest

MAX_ID = 120  # characters of what stands in the brackets
_ADDRESS = re.compile(r"0x[0-9a-f]{6,}|<[\w.<>]+ (object|function)\b|<function\b")  # what ``repr`` says of an object
# Where files take long: browsers and servers, then processes of their own. What comes last should be quick, because the
# other processes have nothing left to do meanwhile.
SLOW_FIRST = (
    *("tests/e2e/", "tests/packaging/", "tests/unit/batch/", "tests/unit/optimize/", "tests/unit/scripts/"),
    *("tests/ui/", "tests/unit/models/", "tests/unit/teach/", "tests/test_plugin.py", "tests/api/"),
)
_CLOCK = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d|\d\d:\d\d:\d\d")


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes, and texts that are long or not plain, are named after their argument; pytest numbers equal names."""
    return argname if isinstance(val, bytes) or (isinstance(val, str) and complaint(val)) else None


@pytest.hookimpl(wrapper=True)
def pytest_pycollect_makeitem() -> Generator[None, object, object]:
    """Refuse a test that chose such an id by itself."""
    made = yield
    for item in made if isinstance(made, list) else ():
        test, _, parameters = item.nodeid.partition("[")
        if found := complaint(parameters.removesuffix("]")):
            raise pytest.Collector.CollectError(f"The id of {test} holds {found}. Give its parameters other ids.")
    return made


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with what takes long, unless a random order was asked for."""
    if not config.pluginmanager.hasplugin("randomly"):
        items.sort(key=lambda item: slowness(item.nodeid))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say in one line what was skipped, and why."""
    if not config.option.collectonly:
        reports = terminalreporter.stats.get("skipped", [])
        terminalreporter.write_line(skipped_line(report.longrepr[2] for report in reports))


def complaint(parameters: str) -> str | None:
    """Why ``parameters`` may not stand in the id of a test; None if they may.

    The workers of a run compare their ids, and give up where one depends on the process or on the time of day.
    """
    if len(parameters) > MAX_ID:
        return f"more than {MAX_ID} characters"
    if not (parameters.isascii() and parameters.isprintable()) or re.search(r"\\[xnrtu0]|^b['\"]", parameters):
        return "bytes, or characters that are not plain"
    if _ADDRESS.search(parameters):
        return "the address of an object"
    if _CLOCK.search(parameters):
        return "a time"
    return None


def slowness(test: str) -> int:
    """The place of a test's folder in ``SLOW_FIRST``."""
    return next((place for place, start in enumerate(SLOW_FIRST) if test.startswith(start)), len(SLOW_FIRST))


def skipped_line(reasons: Iterable[str]) -> str:
    """Such as ``Skipped: 3 (2 nginx is missing; 1 no wheel)``."""
    counts = Counter(reason.removeprefix("Skipped: ") for reason in reasons)
    if not counts:
        return "Skipped: nothing"
    return f"Skipped: {counts.total()} ({'; '.join(f'{count} {reason}' for reason, count in sorted(counts.items()))})"


def fingerprints(items: Iterable[pytest.Item]) -> dict[str, str]:
    """A digest of each constant of the tests' modules, and of the parameters of each of ``items``."""
    constants = {
        f"{module}.{name}": value
        for module, contents in sys.modules.items()
        if module.startswith("tests.")
        for name, value in vars(contents).items()
        if name.isupper()
    }
    parameters = {item.nodeid: item.callspec.params for item in items if hasattr(item, "callspec")}
    return {name: sha256(_plain(value).encode()).hexdigest() for name, value in {**constants, **parameters}.items()}


def _plain(value: object, inside: frozenset[int] = frozenset()) -> str:
    """``value`` as text that is the same in every process; of what is no data only the kind."""
    if value is None or isinstance(value, bytes | str | int | float | complex):
        return repr(value)
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {value.shape} {value.tobytes()!r}"
    parts: Iterable[object] = ()
    if isinstance(value, Mapping):
        parts = value.items()
    elif isinstance(value, list | tuple | set | frozenset):
        parts = value
    elif is_dataclass(value) and not isinstance(value, type):
        parts = [getattr(value, field.name) for field in fields(value)]
    texts = [_plain(part, inside | {id(value)}) for part in parts if id(part) not in inside]
    return f"{type(value).__name__} {sorted(texts) if isinstance(value, set | frozenset) else texts}"
