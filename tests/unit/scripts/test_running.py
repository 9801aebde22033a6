"""How commands end: exit code, and one sentence on standard error."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from core.base.background import BackgroundJob
from core.base.errors import ArchiveEmpty, ImageNotFound, Int8NotGoodEnough
from scripts._running import follow, run_command
from tests.helpers import SECONDS


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (ArchiveEmpty("Nothing in it."), 2, "a.zip: Nothing in it.\n"),
        (PermissionError("not yours"), 2, "a.zip: not yours\n"),
        (Int8NotGoodEnough("Too far."), 1, "Too far.\n"),
        (KeyboardInterrupt(), 130, "Stopped.\n"),
    ],
    ids=["error of ours", "of the system", "not good enough", "interrupted"],
)
def test_what_goes_wrong_is_a_sentence_and_a_code(
    capsys: pytest.CaptureFixture[str], error: BaseException, code: int, said: str
) -> None:
    def work() -> int:
        raise error

    assert run_command(work, about="a.zip", interrupted="Stopped.") == code
    assert capsys.readouterr() == ("", said)


def test_a_code_of_the_command_is_its_own_and_nothing_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert [run_command(lambda code=code: code) for code in (0, 1)] == [0, 1]
    assert capsys.readouterr() == ("", "")


def test_a_mistake_of_the_program_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        run_command(lambda: 1 // 0)


class Job(BackgroundJob):
    """Does what it is given."""

    def __init__(self, do: Callable[[BackgroundJob], object]) -> None:
        super().__init__("test")
        self._do = do
        self.start()

    def work(self) -> None:
        self._do(self)


def test_the_end_of_a_job_is_shown_too() -> None:
    seen: list[str] = []
    job = Job(lambda _: None)
    follow(job, lambda: seen.append(job.status))
    assert seen[-1] == "done"


def test_what_ends_a_job_is_raised_as_what_it_was() -> None:
    def fail(_: BackgroundJob) -> None:
        raise ImageNotFound("Gone.")

    with pytest.raises(ImageNotFound, match="Gone"):
        follow(Job(fail))


def test_ctrl_c_ends_the_job_before_it_goes_on() -> None:
    started = threading.Event()

    def wait_for_the_end(job: BackgroundJob) -> None:
        started.set()
        job.cancelled.wait(SECONDS)
        job.check_cancelled()

    def interrupt() -> None:
        started.wait(SECONDS)
        raise KeyboardInterrupt

    job = Job(wait_for_the_end)
    with pytest.raises(KeyboardInterrupt):
        follow(job, interrupt)
    assert job.status == "cancelled"
