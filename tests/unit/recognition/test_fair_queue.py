"""Turns at the engines: few at a time, fairly, refused at once where too many wait, and never lost."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from threading import Event, Thread

import pytest

from core.base.errors import Busy, Cancelled, TooManyRequests
from core.base.settings import Settings
from core.recognition import fair_queue
from core.recognition.fair_queue import FairQueue, Lane
from tests.helpers import SECONDS, wait_until

Start = Callable[..., Thread]


def make(
    running: int = 1,
    waiting: int = 100,
    per_client: int = 100,
    turn_seconds: float = 0.0,
    clock: Callable[[], float] = time.monotonic,
    heavy_waiting: int = 100,
    heavy_per_client: int = 100,
) -> FairQueue:
    """A queue in which whoever works gives way at once, unless ``turn_seconds`` says otherwise."""
    limits = {"max_running": running, "max_waiting": waiting, "max_waiting_per_client": per_client}
    limits |= {"max_heavy_waiting": heavy_waiting, "max_heavy_waiting_per_client": heavy_per_client}
    return FairQueue(Settings(**limits, turn_seconds=turn_seconds), clock)


class Visitors:
    """Threads that take a turn, note their name in ``served``, and end it at once unless told to ``hold`` it."""

    def __init__(self, queue: FairQueue) -> None:
        self.queue = queue
        self.served: list[str] = []
        self.errors: list[Exception] = []
        self.threads: list[Thread] = []
        self.go_on = Event()

    def enter(
        self,
        client: str,
        stack: str = "s",
        *,
        hold: bool = False,
        cancelled: Event | None = None,
        lane: Lane = "recognition",
    ) -> None:
        """Start a thread and return when it has its turn or its place in the queue."""
        before = self.queue.running + self.queue.waiting + len(self.served) + len(self.errors)

        def visit() -> None:
            try:
                with self.queue.turn(client, stack, cancelled, lane=lane):
                    self.served.append(f"{client}/{stack}")
                    if hold:
                        assert self.go_on.wait(SECONDS)
            except Exception as error:
                self.errors.append(error)

        self.threads.append(Thread(target=visit, daemon=True))
        self.threads[-1].start()
        wait_until(
            lambda: (
                self.queue.running + self.queue.waiting + len(self.served) + len(self.errors) > before
                or not self.threads[-1].is_alive()
            ),
            "a turn or a place",
        )

    def finish(self) -> None:
        self.go_on.set()
        for thread in self.threads:
            thread.join(SECONDS)
            assert not thread.is_alive(), "somebody waits for ever"


@pytest.fixture
def visitors() -> Iterator[Callable[[FairQueue], Visitors]]:
    made: list[Visitors] = []

    def make_visitors(queue: FairQueue) -> Visitors:
        made.append(Visitors(queue))
        return made[-1]

    yield make_visitors
    for one in made:
        one.finish()


def test_a_free_place_is_had_at_once_and_given_back() -> None:
    queue = make(running=2, waiting=0)
    for _ in range(3):
        with queue.turn("a", "1"), queue.turn("a", "2"):
            assert (queue.running, queue.waiting) == (2, 0)
    assert (queue.running, queue.waiting) == (0, 0)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, Cancelled])
def test_work_that_fails_gives_its_turn_back(error: type[BaseException]) -> None:
    queue = make(waiting=0)
    for _ in range(3):
        with pytest.raises(error), queue.turn("a", "1"):
            raise error
    assert (queue.running, queue.waiting) == (0, 0)


def test_the_next_turn_is_the_clients_that_was_served_longest_ago(visitors: Callable[..., Visitors]) -> None:
    """Eight requests of one client do not keep another's one waiting for more than a turn."""
    queue = make()
    people = visitors(queue)
    people.enter("many", "0", hold=True)
    for number in range(1, 8):
        people.enter("many", str(number))
    people.enter("one")
    people.enter("other")
    people.finish()
    assert people.served[:3] == ["many/0", "one/s", "other/s"]
    assert people.served[3:] == [f"many/{number}" for number in range(1, 8)], "first come, first served"


def test_clients_with_many_requests_take_turns(visitors: Callable[..., Visitors]) -> None:
    queue = make()
    people = visitors(queue)
    people.enter("first", hold=True)
    for client in "aaabbbccc":
        people.enter(client)
    people.finish()
    assert [name[0] for name in people.served[1:]] == list("abcabcabc")


class Hours:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_who_has_used_the_engines_for_long_comes_after_who_has_not(visitors: Callable[..., Visitors]) -> None:
    """Several clients with large stacks do not go round with one that asks for a little again and again."""
    clock = Hours()
    queue = make(clock=clock)
    for client in ("large", "larger"):
        with queue.turn(client, "s"):
            clock.now += 5
    with queue.turn("small", "s"):
        clock.now += 0.2
    people = visitors(queue)
    people.enter("somebody", hold=True)
    for client in ("large", "larger", "small", "small"):
        people.enter(client)
    people.finish()
    assert people.served == ["somebody/s", "small/s", "small/s", "large/s", "larger/s"]


def test_what_a_client_used_long_ago_counts_no_more(visitors: Callable[..., Visitors]) -> None:
    clock = Hours()
    queue = make(clock=clock)
    with queue.turn("large", "s"):
        clock.now += 5
    with queue.turn("small", "s"):
        pass
    clock.now += 60
    people = visitors(queue)
    people.enter("somebody", hold=True)
    for client in ("small", "large"):
        people.enter(client)
    people.finish()
    assert people.served == ["somebody/s", "large/s", "small/s"]


def test_the_stacks_of_one_client_take_turns_too(visitors: Callable[..., Visitors]) -> None:
    """Two people behind one address are one client with two stacks."""
    queue = make()
    people = visitors(queue)
    people.enter("office", "large", hold=True)
    for stack in ["large", "large", "large", "small"]:
        people.enter("office", stack)
    people.finish()
    assert people.served[:2] == ["office/large", "office/small"]


def test_a_full_queue_refuses_at_once_and_takes_again_when_there_is_room(visitors: Callable[..., Visitors]) -> None:
    queue = make(running=1, waiting=2)
    people = visitors(queue)
    people.enter("a", hold=True)
    people.enter("b")
    people.enter("c")
    started = time.monotonic()
    with pytest.raises(Busy) as caught, queue.turn("d", "s"):
        pytest.fail("got a turn")
    assert time.monotonic() - started < 10  # a few microseconds; waiting would end with ``finish`` below only
    assert (caught.value.status, bool(caught.value.retry_after)) == (503, True)
    assert queue.waiting == 2
    people.finish()
    with queue.turn("d", "s"):
        assert sorted(people.served) == ["a/s", "b/s", "c/s"]


def test_a_client_with_too_many_waiting_is_refused_and_another_is_not(visitors: Callable[..., Visitors]) -> None:
    queue = make(running=1, waiting=10, per_client=2)
    people = visitors(queue)
    people.enter("a", hold=True)
    people.enter("a")
    people.enter("a")
    with pytest.raises(TooManyRequests) as caught, queue.turn("a", "s"):
        pytest.fail("got a turn")
    assert (caught.value.status, bool(caught.value.retry_after)) == (429, True)
    people.enter("b")
    assert queue.waiting == 3
    people.finish()
    assert people.served == ["a/s", "b/s", "a/s", "a/s"]


def test_capacity_is_what_can_be_inside_at_once(visitors: Callable[..., Visitors]) -> None:
    queue = make(running=2, waiting=3, heavy_waiting=1)
    people = visitors(queue)
    in_lanes: dict[Lane, int] = {"recognition": 5, "loading": 4, "heavy": 2, "download": 2}
    assert queue.capacity == sum(in_lanes.values())
    for lane, most in in_lanes.items():
        for _ in range(most):
            people.enter("a", hold=True, lane=lane)
        with pytest.raises(Busy), queue.turn("b", "s", lane=lane):
            pytest.fail("got a turn")
    assert not people.errors


def test_waiting_can_be_cancelled_and_the_place_is_free_again(visitors: Callable[..., Visitors]) -> None:
    queue = make(running=1, waiting=1)
    people = visitors(queue)
    people.enter("a", hold=True)
    cancelled = Event()
    people.enter("b", cancelled=cancelled)
    cancelled.set()
    wait_until(lambda: bool(people.errors), "the end of waiting")
    assert isinstance(people.errors[0], Cancelled)
    assert (queue.running, queue.waiting) == (1, 0)
    people.enter("c")
    people.finish()
    assert people.served == ["a/s", "c/s"]


def test_long_work_gives_way_after_its_slice_and_comes_back(visitors: Callable[..., Visitors]) -> None:
    now = 0.0
    queue = make(running=1, waiting=1, turn_seconds=1.0, clock=lambda: now)
    people = visitors(queue)
    with queue.turn("long", "s") as turn:
        people.enter("short")
        now = 0.9
        turn.give_way()
        assert people.served == [], "it gave way before its slice was over"
        now = 1.0
        turn.give_way()  # returns although the queue was full: who is inside is never refused
        assert people.served == ["short/s"]
        assert queue.running == 1
        turn.give_way()
    assert queue.running == 0


def test_nobody_waits_so_nobody_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    queue = make()
    with queue.turn("a", "s") as turn:
        monkeypatch.setattr(queue, "_leave", lambda: pytest.fail("left its turn for nobody"))
        turn.give_way()
        monkeypatch.undo()


def test_work_cancelled_while_it_gives_way_holds_no_turn(visitors: Callable[..., Visitors]) -> None:
    queue = make(running=1, waiting=1)
    people = visitors(queue)
    cancelled = Event()
    with pytest.raises(Cancelled), queue.turn("long", "s", cancelled) as turn:
        people.enter("other", hold=True)
        cancelled.set()
        turn.give_way()
    assert queue.running == 1, "only the other one's"
    people.finish()
    assert (queue.running, queue.waiting) == (0, 0)


def test_two_long_ones_share_and_a_short_one_comes_between() -> None:
    queue = make()
    order: list[str] = []

    def work(client: str, steps: int) -> None:
        with queue.turn(client, "s") as turn:
            for _ in range(steps):
                order.append(client)
                turn.give_way()

    with queue.turn("first", "s"):
        threads = [Thread(target=work, args=arguments) for arguments in (("x", 4), ("y", 4), ("z", 1))]
        for count, thread in enumerate(threads, 1):
            thread.start()
            wait_until(lambda count=count: queue.waiting == count, "a place in the queue")
    for thread in threads:
        thread.join(SECONDS)
    assert order == list("xyzxyxyxy")


@pytest.mark.parametrize("seed", range(4))
def test_whatever_happens_never_more_than_allowed_run_and_no_turn_is_lost(seed: int) -> None:
    most, waiting = 1 + seed % 3, 6
    queue = make(running=most, waiting=waiting, per_client=4)
    lock = threading.Lock()
    inside = 0
    seen: list[int] = []
    outcomes: list[str] = []

    def step(change: int) -> None:
        nonlocal inside
        with lock:
            inside += change
            seen.append(inside)

    def visit(dice: random.Random) -> str:
        cancelled = Event()
        if dice.random() < 0.2:
            cancelled.set()
        try:
            with queue.turn(f"client {dice.randrange(3)}", f"stack {dice.randrange(3)}", cancelled) as turn:
                for _ in range(dice.randrange(4)):
                    step(+1)
                    if dice.random() < 0.3:
                        time.sleep(0.001)
                    step(-1)
                    turn.give_way()
                if dice.random() < 0.2:
                    raise ValueError
        except (Busy, TooManyRequests, Cancelled, ValueError) as error:
            return type(error).__name__
        return "served"

    def run(number: int) -> None:
        dice = random.Random(1000 * seed + number)
        for _ in range(25):
            outcomes.append(visit(dice))

    threads = [Thread(target=run, args=(number,), daemon=True) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
        assert not thread.is_alive(), "somebody waits for ever"
    assert max(seen) <= most
    assert (queue.running, queue.waiting, inside) == (0, 0, 0)
    assert outcomes.count("served") > 20
    with ExitStack() as turns:
        for number in range(most):
            turns.enter_context(queue.turn("after", str(number)))


def test_only_so_many_clients_are_remembered(visitors: Callable[..., Visitors]) -> None:
    queue = make()
    clients = [f"client {number}" for number in range(fair_queue.REMEMBERED)]
    for client in clients:
        with queue.turn(client, "s"):
            pass
    people = visitors(queue)
    people.enter("somebody", hold=True)
    for client in (clients[-1], clients[0], "somebody new"):
        people.enter(client)
    people.finish()
    assert people.served[1:] == [f"{clients[0]}/s", "somebody new/s", f"{clients[-1]}/s"], "the first is new again"


class TestLanes:
    """Work of other kinds in the same queue."""

    def test_one_heavy_turn_at_a_time_beside_all_recognitions(self, visitors: Callable[..., Visitors]) -> None:
        queue = make(running=2)
        people = visitors(queue)
        for number in range(4):
            people.enter("a", str(number), hold=True, lane="heavy")
        people.enter("downloads", hold=True, lane="download")
        assert sorted(people.served) == ["a/0", "downloads/s"], "one of each"
        with queue.turn("b", "1"), queue.turn("b", "2"):
            assert (queue.running, queue.waiting) == (4, 3)

    def test_heavy_ones_wait_fairly_and_know_how_many_come_first(self, visitors: Callable[..., Visitors]) -> None:
        queue = make()
        people = visitors(queue)
        for number in range(4):
            people.enter("many", str(number), hold=True, lane="heavy")
        people.enter("one", hold=True, lane="heavy")
        assert [queue.ahead(str(number)) for number in range(4)] == [0, 2, 3, 4]
        assert queue.ahead("s") == 1
        assert queue.ahead("nobody's") == 0
        people.finish()
        assert people.served == ["many/0", "one/s", "many/1", "many/2", "many/3"]

    def test_few_heavy_ones_may_wait_and_fewer_of_one_client(self, visitors: Callable[..., Visitors]) -> None:
        queue = make(heavy_waiting=3, heavy_per_client=2)
        people = visitors(queue)
        for number in range(3):
            people.enter("a", str(number), hold=True, lane="heavy")
        with pytest.raises(TooManyRequests), queue.turn("a", "3", lane="heavy"):
            pytest.fail("got a turn")
        people.enter("b", hold=True, lane="heavy")
        with pytest.raises(Busy, match="in a few minutes"), queue.turn("c", "s", lane="heavy"):
            pytest.fail("got a turn")
        with queue.turn("a", "4"):
            assert queue.running == 2, "who waits for heavy work may recognise all the same"

    def test_a_recognition_does_not_give_way_to_heavy_work(self, visitors: Callable[..., Visitors]) -> None:
        queue = make(running=1)
        people = visitors(queue)
        people.enter("a", hold=True, lane="heavy")
        people.enter("a", "2", hold=True, lane="heavy")
        with queue.turn("b", "s") as turn:
            turn.give_way()
            assert people.served == ["a/s"], "it would not have been granted"

    def test_cancelled_while_it_waits_it_says_that_nothing_has_changed(self) -> None:
        queue, cancelled = make(), Event()
        cancelled.set()
        with queue.turn("a", "s", lane="heavy"):
            with pytest.raises(Cancelled, match="Nothing has changed"), queue.turn("b", "s", cancelled, lane="heavy"):
                pytest.fail("got a turn")
            assert queue.waiting == 0
