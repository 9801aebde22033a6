"""Which page is meant where the page before it still reports."""

from __future__ import annotations

from pages._ui.compat import PageChanges


class Tab:
    """Stands for a session."""


def test_a_report_of_the_page_before_does_not_lead_back() -> None:
    changes, tab = PageChanges(), Tab()
    assert changes.page_of(tab, "viewer", "viewer") == "viewer"
    assert changes.page_of(tab, "viewer", "inference") == "inference"
    assert changes.page_of(tab, "viewer", "viewer") == "inference", "a report, while nothing has begun yet"
    assert changes.page_of(tab, "inference", "inference") == "inference"
    assert changes.page_of(tab, "inference", "viewer") == "viewer", "the way back is one"


def test_the_newest_of_two_ways_counts() -> None:
    changes, tab = PageChanges(), Tab()
    changes.page_of(tab, "viewer", "inference")
    assert changes.page_of(tab, "viewer", "teach") == "teach"
    assert changes.page_of(tab, "viewer", "viewer") == "teach"


def test_a_page_that_never_comes_is_not_asked_for_for_ever() -> None:
    now = 0.0
    changes, tab = PageChanges(lambda: now), Tab()
    changes.page_of(tab, "viewer", "gone")
    now = 60.0
    assert changes.page_of(tab, "viewer", "viewer") == "viewer"


def test_tabs_do_not_know_each_other() -> None:
    changes, one, other = PageChanges(), Tab(), Tab()
    changes.page_of(one, "viewer", "inference")
    assert changes.page_of(other, "viewer", "viewer") == "viewer"
