"""Which page is meant where the page before it still reports."""

from __future__ import annotations

from streamlit.proto.ClientState_pb2 import ClientState

from pages._ui.compat import PageChanges

COMMON = ("engine",)  # widgets of the sidebar


class Tab:
    """Stands for a session."""


def way_to(page: str) -> ClientState:
    """What a browser sends for a click on a page's link."""
    asked = ClientState(page_script_hash=page)
    for name in COMMON:
        asked.widget_states.widgets.add(id=name, int_value=1)
    return asked


def report_of(page: str) -> ClientState:
    """What it sends when somebody does something on a page, or a component tells something by itself."""
    asked = way_to(page)
    asked.widget_states.widgets.add(id=f"gallery of {page}", int_value=1)
    return asked


def test_a_report_of_the_page_before_does_not_lead_back() -> None:
    changes, tab = PageChanges(), Tab()
    assert changes.page_of(tab, "viewer", report_of("viewer")) == "viewer"
    assert changes.page_of(tab, "viewer", way_to("inference")) == "inference"
    assert changes.page_of(tab, "viewer", report_of("viewer")) == "inference", "while nothing has begun yet"
    assert changes.page_of(tab, "inference", report_of("viewer")) == "inference", "while the browser does not know it"
    assert changes.page_of(tab, "inference", report_of("viewer")) == "inference"
    assert changes.page_of(tab, "inference", report_of("inference")) == "inference"
    assert changes.page_of(tab, "inference", way_to("viewer")) == "viewer", "the way back is one"


def test_what_a_part_of_the_page_before_asks_by_itself_does_not_lead_back() -> None:
    for facts in ({"fragment_id": "progress"}, {"is_auto_rerun": True}):
        changes, tab = PageChanges(), Tab()
        changes.page_of(tab, "viewer", way_to("inference"))
        asked = way_to("viewer")
        for name, value in facts.items():
            setattr(asked, name, value)
        assert changes.page_of(tab, "inference", asked) == "inference"


def test_whoever_turns_back_at_once_is_led_back() -> None:
    changes, tab = PageChanges(), Tab()
    changes.page_of(tab, "viewer", way_to("inference"))
    assert changes.page_of(tab, "inference", way_to("viewer")) == "viewer"
    assert changes.page_of(tab, "viewer", report_of("viewer")) == "viewer"


def test_the_newest_of_two_ways_counts() -> None:
    changes, tab = PageChanges(), Tab()
    changes.page_of(tab, "viewer", way_to("inference"))
    assert changes.page_of(tab, "viewer", way_to("teach")) == "teach"
    assert changes.page_of(tab, "viewer", report_of("viewer")) == "teach"
    assert changes.page_of(tab, "teach", report_of("inference")) == "inference", "nobody has come from there"

    changes.page_of(tab, "viewer", way_to("inference"))
    changes.page_of(tab, "inference", way_to("teach"))
    assert changes.page_of(tab, "teach", report_of("viewer")) == "teach"
    assert changes.page_of(tab, "teach", report_of("inference")) == "teach"


def test_a_page_that_never_comes_is_not_asked_for_for_ever() -> None:
    now = 0.0
    changes, tab = PageChanges(lambda: now), Tab()
    changes.page_of(tab, "viewer", way_to("gone"))
    now = 60.0
    assert changes.page_of(tab, "viewer", report_of("viewer")) == "viewer"


def test_tabs_do_not_know_each_other() -> None:
    changes, one, other = PageChanges(), Tab(), Tab()
    changes.page_of(one, "viewer", way_to("inference"))
    assert changes.page_of(other, "viewer", report_of("viewer")) == "viewer"
