"""The pages as a script: what a test holds and does."""

from __future__ import annotations

from pathlib import Path

from streamlit.testing.v1 import AppTest

from pages._ui.shell.session import Session
from tests.helpers import SECONDS

ROUTER = str(Path(__file__).parents[2] / "pages" / "_router.py")


def session(app: AppTest) -> Session:
    found = app.session_state["session"]
    assert isinstance(found, Session)
    return found


def run(app: AppTest) -> AppTest:
    """Draw the page, without an error."""
    app.run()
    assert not app.exception
    return app


def close(app: AppTest) -> None:
    """Close the stack and wait until what ran has ended."""
    jobs = session(app).optimizations
    session(app).close()
    for job in jobs:
        job.wait(SECONDS)
