"""The stacks of a session: one on show, others put aside."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO

import pytest

from core.runtime import get_runtime
from core.stacks.stack import ImageStack
from pages._ui.shell.session import MOST_OPEN, Session
from tests.builders import photo_png, zip_bytes


@pytest.fixture
def session() -> Iterator[Session]:
    session = Session()
    yield session
    for one in list(session.aside):
        session.close_stack(one.stack.id)
    session.close()


def open_stack(session: Session, name: str, count: int = 3) -> ImageStack:
    session.open(BytesIO(zip_bytes({f"{number}.png": photo_png(seed=number) for number in range(count)})), name)
    assert session.stack is not None
    return session.stack


def is_there(stack: ImageStack) -> bool:
    return stack.id in get_runtime().store.ids


def names(session: Session) -> list[str]:
    return [one.stack.name for one in session.aside]


def test_another_zip_puts_the_first_aside_and_it_comes_back_as_it_was_left(session: Session) -> None:
    first = open_stack(session, "first.zip")
    session.show(2, [0, 2])
    second = open_stack(session, "second.zip")
    assert (session.view.current, session.view.selected) == (0, ())
    version = session.view_version
    session.go_to(first.id)
    assert session.stack is first
    assert (session.view.current, session.view.selected) == (2, (0, 2))
    assert session.view_version > version, "the browser takes what it is sent"
    assert [one.stack for one in session.aside] == [second]


def test_the_one_shown_longest_ago_is_closed_where_there_are_too_many(session: Session) -> None:
    stacks = [open_stack(session, f"{number}.zip") for number in range(MOST_OPEN + 1)]
    assert names(session) == [f"{number}.zip" for number in range(1, MOST_OPEN)]
    assert [is_there(stack) for stack in stacks] == [False] + [True] * MOST_OPEN


def test_closing_takes_one_and_leaves_the_others(session: Session) -> None:
    first, second, third = (open_stack(session, name) for name in ("1.zip", "2.zip", "3.zip"))
    session.close_stack("nobody's")
    session.close_stack(second.id)
    assert (names(session), session.stack) == (["1.zip"], third)
    session.close_stack(third.id)
    assert (names(session), session.stack) == (["1.zip"], None)
    assert [is_there(stack) for stack in (first, second, third)] == [True, False, False]


def test_a_zip_that_is_refused_changes_nothing(session: Session) -> None:
    first = open_stack(session, "first.zip")
    with pytest.raises(Exception, match="no usable image"):
        session.open(BytesIO(zip_bytes({"a.png": b"text"})), "bad.zip")
    assert (session.stack, session.aside) == (first, [])


def test_stacks_that_have_expired_are_let_go_with_a_word(session: Session) -> None:
    first, second = open_stack(session, "1.zip"), open_stack(session, "2.zip")
    get_runtime().store.delete(first.id)
    session.let_go_of_expired()
    assert (session.aside, session.stack, session.upload_error) == ([], second, "")
    get_runtime().store.delete(second.id)
    session.let_go_of_expired()
    assert session.stack is None
    assert "expired" in session.upload_error


def test_what_other_tabs_show_has_changed_only_where_it_has(session: Session) -> None:
    assert session.has_changed()
    assert not session.has_changed()
    open_stack(session, "1.zip")
    assert session.has_changed()
    session.show(1)
    assert session.has_changed()
    session.engine = "pytorch-fp32"
    assert not session.has_changed(), "the next click's business"
