"""What viewer and gallery share with Python: where a stack's data is, and what a person looks at and has selected."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import streamlit as st
from streamlit.components.v2.types import ComponentRenderer

from pages._ui.components.contract import ViewData, ViewReport


@dataclass(frozen=True, slots=True)
class StackLinks:
    """Where the browser finds one stack.

    Addresses are relative to the app's base path (no leading slash), so that they hold behind a proxy.
    ``image_url``, ``thumbnail_url``, ``values_url``, ``explanation_url``, ``patient_url`` and ``answer_url`` contain
    ``{index}``.
    ``results_url`` and ``answer_url`` are empty while there are no results; they must change whenever those do, for
    example by a version number in their query.
    ``tag`` names the stack in the address of the page, where anybody may see it; empty, the address is left alone.

    ``teaching_url`` turns Label mode on, for labels and suggestions of ``teaching_revision``; ``alike_url`` belongs to
    it, and contains ``{index}``.
    """

    stack_id: str
    count: int
    index_url: str
    image_url: str
    thumbnail_url: str
    values_url: str
    results_url: str = ""
    answer_url: str = ""
    explanation_url: str = ""
    patient_url: str = ""
    tag: str = ""
    teaching_url: str = ""
    alike_url: str = ""
    teaching_revision: int = 0


@dataclass(frozen=True, slots=True)
class ViewState:
    """The position of the image on show and the positions of the selected ones, ascending, from 0."""

    current: int = 0
    selected: tuple[int, ...] = ()


def encode_ranges(indices: Collection[int]) -> str:
    """``indices`` as ascending ranges: ``{0, 1, 2, 7}`` is ``"0-2,7"``."""
    ordered = sorted(set(indices))
    breaks = [0, *(place + 1 for place, (a, b) in enumerate(pairwise(ordered)) if b != a + 1), len(ordered)]
    runs = [(ordered[start], ordered[end - 1]) for start, end in pairwise(breaks) if end > start]
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)


def decode_ranges(text: str, count: int) -> tuple[int, ...]:
    """The inverse of :func:`encode_ranges`, without anything outside ``0 <= index < count``.

    The text comes from the browser: ranges must ascend, and are cut to ``count`` before they are expanded, so
    that no text makes this take more than ``count`` steps.

    Raises:
        ValueError: the text is not a list of ascending ranges.
    """
    indices: list[int] = []
    previous = -1
    for part in text.split(",") if text else []:
        first_text, dash, last_text = part.partition("-")
        first, last = int(first_text), int(last_text if dash else first_text)
        if not previous < first <= last:
            raise ValueError(f"expected ascending ranges, got {part!r} after {previous}")
        indices.extend(range(first, min(last, count - 1) + 1))
        previous = last
    return tuple(indices)


def exchange(
    renderer: ComponentRenderer,
    *,
    key: str,
    stack: StackLinks,
    view: ViewState,
    version: int,
    height: int,
    reports: bool,
) -> ViewState:
    """Mount a component and return what it last reported for this stack and ``version``, else ``view``.

    The browser owns the state. What Python sends stays the same while the version does, so that a rerun
    caused by the browser sends nothing back to it.
    """
    start_key = f"{key}.start"
    start: ViewReport | None = st.session_state.get(start_key)
    if start is None or (start.stack, start.version) != (stack.stack_id, version):
        start = ViewReport(
            stack=stack.stack_id, version=version, current=view.current, selected=encode_ranges(view.selected)
        )
        st.session_state[start_key] = start
    data = ViewData(
        **start.model_dump(exclude={"taught"}),
        count=stack.count,
        index_url=stack.index_url,
        image_url=stack.image_url,
        thumbnail_url=stack.thumbnail_url,
        values_url=stack.values_url,
        results_url=stack.results_url,
        answer_url=stack.answer_url,
        explanation_url=stack.explanation_url,
        patient_url=stack.patient_url,
        tag=stack.tag,
        teaching_url=stack.teaching_url,
        alike_url=stack.alike_url,
        teaching_revision=stack.teaching_revision,
        height=height,
        reports=reports,
    )
    result = renderer(key=key, data=data.model_dump(), on_view_change=lambda: None)
    return _reported(result.get("view"), stack, version) or view


def _reported(value: Any, stack: StackLinks, version: int) -> ViewState | None:
    """The browser's report, or None where it is about something else or makes no sense."""
    try:
        report = ViewReport.model_validate(value)
        if (report.stack, report.version) != (stack.stack_id, version):
            return None
        current = min(max(report.current, 0), max(stack.count - 1, 0))
        return ViewState(current, decode_ranges(report.selected, stack.count))
    except ValueError:  # of pydantic too
        return None
