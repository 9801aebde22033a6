"""docs/api.md: its tables are what the code says. That its commands run, tests/e2e/test_http.py shows."""

from __future__ import annotations

import re

from fastapi import FastAPI

from core.api.body_limit import MAX_BODY_BYTES
from core.api.edge.refusals import CODES
from core.api.problems import FRAMEWORK_CODES
from core.base import errors
from core.base.errors import AppError
from core.base.settings import MIB, PROJECT_ROOT, Settings

TEXT = (PROJECT_ROOT / "docs" / "api.md").read_text()

# Only the pages install models.
ONLY_PAGES = {"weights_invalid", "download_failed", "download_interrupted", "download_rejected"}
ONLY_BATCH = {"manifest_invalid", "output_refused", "store_unreachable", "workers_lost"}


def rows(heading: str) -> list[list[str]]:
    """The cells of the table below a heading, without its first two lines."""
    section = TEXT.split(f"## {heading}\n")[1].split("\n## ")[0]
    table = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("|")]
    return table[2:]


def test_every_failure_is_in_the_table_with_its_status() -> None:
    described = {code.strip("`"): int(status) for code, status, _ in rows("Failures")}
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, AppError)]
    expected = (
        {kind.code: kind.status for kind in kinds} | {code: status for status, code in FRAMEWORK_CODES.items()} | CODES
    )
    assert described == {code: status for code, status in expected.items() if code not in ONLY_PAGES | ONLY_BATCH}
    assert list(described.values()) == sorted(described.values())


def test_every_limit_is_its_settings_default() -> None:
    units = {"GiB": 1024 * MIB, "million": 10**6}
    for what, default, setting in rows("Limits"):
        name = setting.strip("`").removeprefix("AISR_").lower()
        number, _, unit = default.partition(" ")
        assert int(number.replace(",", "")) * units.get(unit, 1) == Settings.model_fields[name].default, what
    assert f"{MAX_BODY_BYTES // MIB} MB" in TEXT


def test_every_setting_it_names_exists_and_every_route_is_named(api: FastAPI) -> None:
    for name in re.findall(r"AISR_([A-Z_]+)", TEXT):
        assert name.lower() in Settings.model_fields
    for path in api.openapi()["paths"]:
        known = re.sub(r"\{\w+_id\}", "ID", path).replace("{filename}", "NAME").replace("{index}", "N")
        head, found, tail = known.partition("/images/N")
        assert (
            (known in TEXT)
            or (found and head + found in TEXT and f"`{tail}`" in TEXT)
            or known in ("/api/v1/stacks/ID/predictions",)
        ), path
