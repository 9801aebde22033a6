"""Attacks by heavy work: started by many, and left behind."""

from __future__ import annotations

import contextlib
import threading
import time

import psutil

from scripts.dev.attacks.registry import AttackOutcome, Target, attack
from scripts.dev.attacks.visitor import Visitor, connection_to_page

VISITORS = 4
LOOK_SECONDS = 15.0
END_SECONDS = 180.0  # a browser that has lost its connection has two minutes to come back


@attack("abandoned calibrations", "four visitors of as many addresses start a calibration each, and leave")
def abandoned_calibrations(target: Target) -> AttackOutcome:
    """Each takes a process of 1.5 GB for as long as it lasts."""
    started: list[str] = []
    most = 0
    with contextlib.ExitStack() as connections:
        opened = [
            connections.enter_context(connection_to_page(target, f"127.0.3.{number + 1}")) for number in range(VISITORS)
        ]

        def calibrate(number: int) -> None:
            with contextlib.suppress(Exception):  # a page that is refused or too slow is the server's defence
                visitor = Visitor(opened[number])
                visitor.press("Try a sample stack")
                visitor.go_to("optimize")
                visitor.press("Calibrate on this stack")
                started.append(visitor.text)

        threads = [threading.Thread(target=calibrate, args=(number,), daemon=True) for number in range(VISITORS)]
        for thread in threads:
            thread.start()
        most = max(most, _most_workers(target, LOOK_SECONDS))
        for thread in threads:
            thread.join(LOOK_SECONDS)
        most = max(most, _most_workers(target, LOOK_SECONDS))
    left = time.monotonic()
    while _workers(target) and time.monotonic() - left < END_SECONDS:
        time.sleep(1)
    seconds, behind = time.monotonic() - left, _workers(target)
    waiting = sum("Waiting for a turn" in text for text in started)
    return AttackOutcome(
        len(started) > 1 and most == 1 and not behind,
        f"{len(started)} started, {most} at a time, {waiting} told that they wait; "
        f"{behind} run {seconds:.0f} s after the visitors have left",
    )


def _workers(target: Target) -> int:
    with contextlib.suppress(psutil.Error):
        children = psutil.Process(target.pid).children()
        return sum("core.optimize.worker" in " ".join(child.cmdline()) for child in children)
    return 0


def _most_workers(target: Target, seconds: float) -> int:
    """The most at once, within the next seconds."""
    most, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        most = max(most, _workers(target))
        time.sleep(0.2)
    return most
