"""The steps of a job, with their times."""

from __future__ import annotations

import html
from collections.abc import Sequence

import streamlit as st

from core.optimize.progress import StepState
from pages._ui.shell.messages import escape

REFRESH_SECONDS = 0.5  # how often a page looks at what is running
_MARKS = {"waiting": "○", "running": "▸", "done": "✓", "stopped": "✕"}


def steps_progress(steps: Sequence[StepState], waiting: str = "") -> None:
    """One bar for all steps, and what the running one does, or that the job waits."""
    done = sum(step.status == "done" for step in steps)
    current = next((step for step in steps if step.status == "running"), None)
    share = (done + (current.share or 0.0 if current else 0.0)) / len(steps)
    name, detail = (current.title, current.detail) if current else ("Starting", "")
    doing = f"Step {min(done + 1, len(steps))} of {len(steps)} · " + escape(f"{name}: {detail}" if detail else name)
    st.progress(min(share, 1.0), text=escape(waiting) if waiting else doing)


def steps_table(steps: Sequence[StepState]) -> None:
    """Each step with its time and what came of it."""
    rows = "".join(
        f'<tr style="{"opacity:.6" if step.status == "waiting" else ""}">'
        f'<td style="padding:.15rem .6rem .15rem 0">{_MARKS[step.status]}</td>'
        f'<td style="padding:.15rem 1rem .15rem 0;white-space:nowrap">{html.escape(step.title)}</td>'
        '<td style="padding:.15rem 1rem .15rem 0;text-align:right;white-space:nowrap;'
        f'font-variant-numeric:tabular-nums">{f"{step.seconds:.1f} s" if step.seconds else ""}</td>'
        f'<td style="padding:.15rem 0;width:100%">{html.escape(step.detail)}</td></tr>'
        for step in steps
    )
    st.html(
        '<table style="border-collapse:collapse;font-size:.9rem"><thead style="position:absolute;clip-path:inset(50%)">'
        f"<tr><th>State</th><th>Step</th><th>Time</th><th>Result</th></tr></thead><tbody>{rows}</tbody></table>"
    )
