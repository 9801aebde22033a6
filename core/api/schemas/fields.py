"""Types of fields that several requests have, checked as JSON comes in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from core.engines.registry import engine_names

# The engines' names as a type: requests are checked against it, and the API's document lists them.
if TYPE_CHECKING:
    EngineChoice = str
else:
    EngineChoice = Literal[engine_names()]


def _is_text(value: str) -> str:
    """Refuse half of a surrogate pair: JSON can say it (``"\\ud800"``), but no answer could repeat it."""
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("this is no valid text") from None
    return value


def _is_no_boolean(value: Any) -> Any:
    """Refuse ``true`` and ``false``, which Python takes for 1 and 0."""
    if isinstance(value, bool):
        raise ValueError("this is no number")
    return value


Text = Annotated[str, AfterValidator(_is_text)]
Number = Annotated[int, BeforeValidator(_is_no_boolean)]
Count = Annotated[int, Field(ge=1), BeforeValidator(_is_no_boolean)]
Position = Annotated[Number, Field(json_schema_extra={"minimum": 0})]
AT_LEAST_ONE: dict[str, Any] = {"minItems": 1}  # none is refused with a sentence of its own
