"""What viewer and gallery exchange with Python."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import streamlit as st
from hypothesis import given
from hypothesis import strategies as some

from pages._ui.components.contract import ViewData
from pages._ui.viewer.view import StackLinks, ViewState, decode_ranges, encode_ranges, exchange

COUNT = 200
STACK = StackLinks("abc", COUNT, "index", "images/{index}", "thumbnails/{index}", "values/{index}")


@pytest.mark.parametrize(
    ("indices", "text"),
    [((), ""), ((0,), "0"), ((0, 1, 2, 7), "0-2,7"), ((9, 3, 4, 3), "3-4,9"), (range(10_000), "0-9999")],
)
def test_ranges_are_written_short(indices: Any, text: str) -> None:
    assert encode_ranges(indices) == text


@given(some.sets(some.integers(0, COUNT - 1)))
def test_ranges_are_read_as_they_were_written(indices: set[int]) -> None:
    assert decode_ranges(encode_ranges(indices), COUNT) == tuple(sorted(indices))


def test_ranges_beyond_the_stack_are_cut_before_they_are_expanded() -> None:
    assert decode_ranges(f"198-{10**15}", COUNT) == (198, 199)
    assert decode_ranges("500-600", COUNT) == ()


@pytest.mark.parametrize("text", ["x", "1-", "-1", "3-1", "1,1", "0-9,5-20", "1.5", ",", "0-5,"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"invalid literal|ascending"):
        decode_ranges(text, COUNT)


def test_a_long_text_of_overlapping_ranges_costs_nothing() -> None:
    """Expanded one by one, these would be a million million numbers: without the refusal this test never ends."""
    with pytest.raises(ValueError, match="ascending"):
        decode_ranges(",".join(["0-9999999"] * 100_000), 10_000_000)


class Renderer:
    """Stands for a mounted component: keeps what it was sent, and reports what it is told to."""

    def __init__(self) -> None:
        self.sent: dict[str, Any] = {}
        self.report: Any = None

    def __call__(self, *, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        self.sent = data
        return {"view": self.report}

    def mount(self, view: ViewState, *, stack: StackLinks = STACK, version: int = 1) -> ViewState:
        return exchange(self, key="k", stack=stack, view=view, version=version, height=400, reports=True)  # type: ignore[arg-type]


@pytest.fixture
def renderer(monkeypatch: pytest.MonkeyPatch) -> Renderer:
    monkeypatch.setattr("pages._ui.viewer.view.st", SimpleNamespace(session_state={}, components=st.components))
    return Renderer()


def test_the_browser_is_believed(renderer: Renderer) -> None:
    renderer.report = {"stack": "abc", "version": 1, "current": 5, "selected": "0-2"}
    assert renderer.mount(ViewState()) == ViewState(5, (0, 1, 2))


@pytest.mark.parametrize(
    "report",
    [
        None,
        "nonsense",
        {"stack": "other", "version": 1, "current": 5, "selected": "0"},
        {"stack": "abc", "version": 0, "current": 5, "selected": "0"},
        {"stack": "abc", "version": 1, "current": "x", "selected": "0"},
        {"stack": "abc", "version": 1, "current": 5, "selected": "9-1"},
        {"stack": "abc", "version": 1, "current": 5},
    ],
)
def test_a_report_about_something_else_changes_nothing(renderer: Renderer, report: Any) -> None:
    renderer.report = report
    assert renderer.mount(ViewState(3, (1,))) == ViewState(3, (1,))


def test_a_position_beyond_the_stack_is_brought_back(renderer: Renderer) -> None:
    renderer.report = {"stack": "abc", "version": 1, "current": 10**9, "selected": ""}
    assert renderer.mount(ViewState()) == ViewState(COUNT - 1)


def test_what_is_sent_is_what_the_browser_is_checked_against(renderer: Renderer) -> None:
    renderer.mount(ViewState(3, (1, 2)))
    assert ViewData.model_validate(renderer.sent).model_dump() == renderer.sent


def test_what_is_sent_changes_with_the_version_only(renderer: Renderer) -> None:
    renderer.mount(ViewState(3, (1, 2)))
    sent = renderer.sent
    assert (sent["current"], sent["selected"]) == (3, "1-2")
    renderer.mount(ViewState(9, (4,)))
    assert renderer.sent == sent, "a rerun caused by the browser sends its own change back to it"
    renderer.mount(ViewState(9, (4,)), version=2)
    assert (renderer.sent["current"], renderer.sent["selected"], renderer.sent["version"]) == (9, "4", 2)
    renderer.mount(ViewState(0), stack=StackLinks("def", 3, "", "", "", ""), version=2)
    assert (renderer.sent["stack"], renderer.sent["current"], renderer.sent["selected"]) == ("def", 0, "")
