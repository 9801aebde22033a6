"""What Python and the browser tell each other."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from pydantic import ValidationError

from pages._ui.components.assets import FOLDER
from pages._ui.components.contract import MESSAGES, UploadReport, ViewReport, json_schema

TYPES = (FOLDER / "shared" / "contract.d.ts").read_text(encoding="utf-8")


def interface(name: str) -> set[str]:
    """The fields that TypeScript's checker knows of a message."""
    body = re.search(rf"export interface {name} {{(.*?)^}}", TYPES, re.DOTALL | re.MULTILINE)
    assert body, name
    return set(re.findall(r"^  (\w+)\??:", body.group(1), re.MULTILINE))


def test_the_browser_is_checked_against_the_fields_that_python_has() -> None:
    """Whether their types agree as well, scripts/check.sh sees: it makes the file anew."""
    schema = json_schema()
    for name, definition in schema["$defs"].items():
        assert interface(name) == set(definition["properties"]), name
    assert set(schema["properties"]) == {message.__name__ for message in MESSAGES}


def test_no_field_is_a_row_of_positional_values() -> None:
    assert "prefixItems" not in json.dumps(json_schema())


@pytest.mark.parametrize(
    ("message", "value"),
    [
        (ViewReport, {"stack": "a", "version": 1, "current": 0}),
        (ViewReport, {"stack": "a", "version": 1, "current": 0, "selected": "", "more": 1}),
        (ViewReport, {"stack": "a", "version": 1, "current": None, "selected": ""}),
        (ViewReport, ["a", 1, 0, ""]),
        (UploadReport, {"stack": ["a"]}),
        (UploadReport, {"id": "a"}),
    ],
)
def test_a_report_of_another_shape_is_refused(message: Any, value: Any) -> None:
    with pytest.raises(ValidationError):
        message.model_validate(value)
