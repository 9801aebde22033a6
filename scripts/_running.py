"""What commands have in common: how they end, and how they wait for work in the background."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, TextIO

from core.base.background import BackgroundJob
from core.base.errors import AppError, Int8NotGoodEnough

if TYPE_CHECKING:
    from core.optimize.run import OptimizationJob
    from core.teach.job import TeachingJob

NOT_GOOD_ENOUGH, NOTHING_DONE, INTERRUPTED = 1, 2, 130
_POLL_SECONDS = 0.2


def run_command(work: Callable[[], int], *, about: object = "", interrupted: str = "Interrupted.") -> int:
    """The exit code of ``work``; where that is an error, it is said on standard error in one sentence.

    Args:
        about: what the sentence begins with, such as the file that was given.
        interrupted: the sentence after Ctrl+C.
    """
    try:
        return work()
    except KeyboardInterrupt:
        print(interrupted, file=sys.stderr)
        return INTERRUPTED
    except Int8NotGoodEnough as error:
        print(error, file=sys.stderr)
        return NOT_GOOD_ENOUGH
    except (AppError, OSError) as error:
        print(f"{about}: {error}" if about else error, file=sys.stderr)
        return NOTHING_DONE


def follow(job: BackgroundJob, show: Callable[[], None] = lambda: None) -> None:
    """Wait until a job is done, and ``show`` now and then how far it is; Ctrl+C ends it.

    Raises:
        AppError: it failed; the job's own error where it has one.
    """
    try:
        while job.status == "running":
            job.wait(_POLL_SECONDS)
            show()
    except KeyboardInterrupt:
        job.cancel()
        job.wait()
        raise
    show()
    if job.status != "done":
        raise (job.error or AppError)(job.message)


def printing_steps(job: OptimizationJob | TeachingJob, file: TextIO) -> Callable[[], None]:
    """For ``follow``: prints each step of the job as it ends."""
    shown = 0

    def show() -> None:
        nonlocal shown
        done = [step for step in job.steps if step.status == "done"]
        for step in done[shown:]:
            print(f"{step.seconds:7.2f} s  {step.title}: {step.detail}", file=file, flush=True)
        shown = max(shown, len(done))

    return show
