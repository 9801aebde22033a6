"""What a session has measured."""

from __future__ import annotations

from dataclasses import dataclass, field

import streamlit as st

from core.benchmark.job import BenchmarkJob
from core.benchmark.report import Report

_KEY = "benchmarks"


@dataclass(eq=False)
class Benchmarks:
    """The benchmark that runs or ran last, and the reports made or opened in this session, oldest first."""

    job: BenchmarkJob | None = None
    reports: list[Report] = field(default_factory=list)
    shown: int = -1  # position in ``reports``

    @property
    def running(self) -> bool:
        """Whether a benchmark is running."""
        return self.job is not None and self.job.status == "running"

    @property
    def report(self) -> Report | None:
        """The report on show."""
        return self.reports[self.shown] if self.reports else None

    def keep(self, report: Report) -> None:
        """Add a report, unless it is there, and show it."""
        if report not in self.reports:
            self.reports.append(report)
        self.shown = self.reports.index(report)


def benchmarks() -> Benchmarks:
    """The benchmarks of the session of the page being drawn; a job that has ended well adds its report."""
    found: Benchmarks = st.session_state.setdefault(_KEY, Benchmarks())
    if found.job is not None and found.job.status == "done" and found.job.report is not None:
        found.keep(found.job.report)
        found.job = None
    return found
