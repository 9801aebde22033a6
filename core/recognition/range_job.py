"""Finding the range of a whole stack in the background, for a page that shows progress and offers to cancel."""

from __future__ import annotations

from core.base.background import BackgroundJob
from core.recognition.recognize import find_range
from core.stacks.stack import ImageStack


class RangeJob(BackgroundJob):
    """Looks at the images that were not looked at yet; ``done`` of ``total`` are. It changes no choice."""

    def __init__(self, stack: ImageStack) -> None:
        super().__init__("range")
        self.stack = stack
        self.total = stack.range.images
        self.done = self.total - len(stack.range.awaited)
        self.start()

    def work(self) -> None:
        """See ``find_range``; it takes no turn, because only what is decoded anyway comes sooner."""
        find_range(self.stack, self.cancelled, on_image=self._looked)

    def _looked(self) -> None:
        self.done = min(self.done + 1, self.total)
