"""What hangs on a session and ends with it: jobs that run, and folders of its own models."""

from __future__ import annotations

import shutil
from pathlib import Path
from weakref import WeakSet

from core.base.background import BackgroundJob
from core.stacks.quota import QuotaShare

END_SECONDS = 10.0  # what a cancelled job may take to end before its folder is deleted under it


class Holdings:
    """Jobs, and folders with their parts of the client's quota."""

    def __init__(self) -> None:
        self._jobs: WeakSet[BackgroundJob] = WeakSet()
        self._folders: list[tuple[Path, QuotaShare]] = []

    def watch(self, job: BackgroundJob) -> None:
        """Add a job that has been started."""
        self._jobs.add(job)

    def keep(self, folder: Path, share: QuotaShare) -> None:
        """Add a folder, which need not exist yet."""
        self._folders.append((folder, share))

    def drop(self, folder: Path) -> None:
        """Delete one of the folders and give its part of the quota back; others are ignored."""
        found = [(kept, share) for kept, share in self._folders if kept == folder]
        self._folders = [(kept, share) for kept, share in self._folders if kept != folder]
        for kept, share in found:
            shutil.rmtree(kept, ignore_errors=True)
            share.release()

    def cancel(self) -> None:
        """Cancel every job."""
        for job in list(self._jobs):
            job.cancel()

    def end(self) -> None:
        """Cancel every job, then delete every folder and give its part of the quota back."""
        running = list(self._jobs)
        self.cancel()
        for job in running:
            job.wait(END_SECONDS)
        for folder, share in self._folders:
            shutil.rmtree(folder, ignore_errors=True)
            share.release()
