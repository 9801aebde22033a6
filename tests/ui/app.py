"""The pages as a script: what a test holds and does."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest

from pages._ui.shell.session import Session


def session(app: AppTest) -> Session:
    found = app.session_state["session"]
    assert isinstance(found, Session)
    return found


def run(app: AppTest) -> AppTest:
    """Draw the page, without an error."""
    app.run()
    assert not app.exception
    return app
