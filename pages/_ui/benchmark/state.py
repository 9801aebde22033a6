"""What a session has measured."""

from __future__ import annotations

from dataclasses import dataclass, field

from core.benchmark.job import BenchmarkJob
from core.benchmark.report import Report


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

    def take_report(self) -> None:
        """Keep what a job that has ended well has measured."""
        if self.job is not None and self.job.status == "done" and self.job.report is not None:
            self.keep(self.job.report)
            self.job = None

    def keep(self, report: Report) -> None:
        """Add a report, unless it is there, and show it."""
        if report not in self.reports:
            self.reports.append(report)
        self.shown = self.reports.index(report)
