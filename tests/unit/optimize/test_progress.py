"""What a person sees of the steps."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from core.base.errors import Cancelled
from core.optimize.progress import StepProgress


def test_steps_to_come_are_there_and_the_running_one_counts_time() -> None:
    steps = StepProgress(["a", "b"], lambda: None)
    assert [(step.title, step.status, step.seconds) for step in steps.states] == [
        ("a", "waiting", 0.0),
        ("b", "waiting", 0.0),
    ]
    steps.begin("a")
    first, second = steps.states[0].seconds, steps.states[0].seconds
    assert 0 < first < second
    steps.tell("file, 1 MB")
    steps.begin("b")
    assert steps.states[0].seconds == steps.states[0].seconds
    assert [(step.status, step.detail) for step in steps.states] == [("done", "file, 1 MB"), ("running", "")]
    steps.end("stopped")
    steps.end("done")
    assert [step.status for step in steps.states] == ["done", "stopped"], "only a running step can end"


def test_images_are_counted_from_several_threads() -> None:
    steps = StepProgress(["a"], lambda: None)
    steps.begin("a", images=1000)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: steps.count(5), range(100)))
    (state,) = steps.states
    assert (state.detail, state.share) == ("image 500 of 1,000", 0.5)
    steps.end("done")
    assert steps.states[0].share is None


@pytest.mark.parametrize("act", [lambda steps: steps.begin("b"), lambda steps: steps.count()])
def test_once_cancelled_nothing_goes_on(act: object) -> None:
    stopped = False

    def check() -> None:
        if stopped:
            raise Cancelled("Stop.")

    steps = StepProgress(["a", "b"], check)
    steps.begin("a", images=2)
    stopped = True
    with pytest.raises(Cancelled):
        act(steps)
    assert steps.states[1].status == "waiting"
