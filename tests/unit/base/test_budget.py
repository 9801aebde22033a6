"""Bytes in flight: never more than there are, each client in turn, and nothing lost however work ends."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.base.budget import SMALL_BYTES, ByteBudget
from core.base.byte_lane import ByteLane, Reservation
from core.base.errors import Busy, Cancelled, TooManyRequests
from core.base.settings import MIB
from tests.helpers import SECONDS, wait_until

TOTAL = 400 * MIB
LARGE = 300 * MIB  # of it, for large work
SMALL = 100 * MIB


def granted(reservations: list[Reservation]) -> list[int]:
    return [number for number, one in enumerate(reservations) if one.granted.done()]


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_whatever_happens_no_more_is_granted_than_there_is_and_nothing_is_lost(data: st.DataObject) -> None:
    budget = ByteBudget(TOTAL)
    sizes = st.integers(0, SMALL_BYTES) | st.integers(SMALL_BYTES + 1, LARGE) | st.just(10 * TOTAL)
    held: list[Reservation] = []
    everything: list[Reservation] = []
    for _ in range(data.draw(st.integers(1, 40))):
        step = data.draw(st.sampled_from(["request", "request", "release", "hasten"]))
        if step == "request" or not held:
            one = budget.request(
                data.draw(sizes), client=data.draw(st.sampled_from("abc")), urgency=data.draw(st.integers(0, 2))
            )
            held.append(one)
            everything.append(one)
        elif step == "release":
            held.pop(data.draw(st.integers(0, len(held) - 1))).release()
        else:
            data.draw(st.sampled_from(held)).hasten(data.draw(st.integers(0, 2)))
        in_use = [one for one in held if one.granted.done()]
        assert budget.used == sum(one.count for one in in_use) <= TOTAL
        assert sum(one.count for one in in_use if one.count > SMALL_BYTES) <= LARGE
    while held:  # whoever waits comes to its turn
        ready = [one for one in held if one.granted.done()]
        assert ready, "nobody is granted anything, and nobody holds anything"
        for one in ready:
            one.release()
            one.release()
            held.remove(one)
    assert budget.used == 0
    assert all(one.granted.done() or one.state == "released" for one in everything)


def test_what_is_larger_than_all_there_is_goes_alone() -> None:
    budget = ByteBudget(TOTAL)
    wanted = [budget.request(count) for count in (50 * MIB, 10 * TOTAL, 50 * MIB)]
    assert granted(wanted) == [0]
    wanted[0].release()
    assert granted(wanted) == [0, 1], "and nothing beside it"
    wanted[1].release()
    assert granted(wanted) == [0, 1, 2]


def test_large_work_is_not_overtaken_by_what_would_fit() -> None:
    budget = ByteBudget(TOTAL)
    wanted = [budget.request(count) for count in (200 * MIB, 200 * MIB, 40 * MIB)]
    assert granted(wanted) == [0], "or the second might wait for ever"


def test_small_work_never_waits_for_large_work_nor_the_other_way_round() -> None:
    budget = ByteBudget(TOTAL)
    large = [budget.request(LARGE) for _ in range(9)]
    small = [budget.request(SMALL_BYTES) for _ in range(4)]
    assert granted(large) == [0]
    assert granted(small) == [0, 1, 2]


def test_clients_take_turns_by_bytes_and_not_by_requests() -> None:
    """One asks for many large images, one for few smaller ones, and each has what it waits for about as often."""
    budget = ByteBudget(TOTAL)
    first = budget.request(LARGE, client="first")
    waiting = [budget.request(200 * MIB, client="greedy") for _ in range(30)]
    waiting += [budget.request(101 * MIB, client="modest") for _ in range(6)]
    order: list[str] = []
    for one in waiting:
        one.granted.add_done_callback(lambda _, client=one.client: order.append(client))
    first.release()
    while running := [one for one in waiting if one.state == "granted"]:
        running[0].release()
    early = Counter(order[:9])
    assert early["modest"] == 6, order
    assert early["greedy"] == 3, order


def test_a_newcomer_is_next_however_many_of_another_wait() -> None:
    budget = ByteBudget(TOTAL)
    holder = budget.request(LARGE, client="old")
    waiting = [budget.request(LARGE, client="old") for _ in range(50)]
    new = budget.request(LARGE, client="new")
    holder.release()
    assert (new.state, granted(waiting)) == ("granted", [])
    new.release()
    assert granted(waiting) == [0]


def test_what_somebody_had_while_nobody_waited_is_not_held_against_them() -> None:
    budget = ByteBudget(TOTAL)
    for _ in range(50):
        budget.request(LARGE, client="old").release()
    holder = budget.request(LARGE, client="new")
    old, new = (budget.request(LARGE, client=client) for client in ("old", "new"))
    holder.release()
    assert (old.state, new.state) == ("granted", "waiting")


def test_within_a_client_the_most_urgent_goes_first_also_when_it_became_so_later() -> None:
    budget = ByteBudget(TOTAL)
    holder = budget.request(LARGE)
    later, usual, hastened = (budget.request(LARGE, urgency=urgency) for urgency in (2, 1, 2))
    hastened.hasten(0)
    hastened.hasten(2)
    order: list[str] = []
    for name, one in (("later", later), ("usual", usual), ("hastened", hastened)):
        one.granted.add_done_callback(lambda _, name=name: order.append(name))
    for one in (holder, hastened, usual, later):
        one.release()
    assert order == ["hastened", "usual", "later"]


def test_no_more_do_large_work_than_is_allowed_however_little_they_need() -> None:
    budget = ByteBudget(TOTAL, large_at_once=2)
    large = [budget.request(SMALL_BYTES + 1, client=str(number)) for number in range(4)]
    small = [budget.request(1) for _ in range(4)]
    assert granted(large) == [0, 1]
    assert granted(small) == [0, 1, 2, 3]
    large[1].release()
    large[3].release()
    assert granted(large) == [0, 1, 2]


def test_turns_go_by_what_work_costs_where_its_bytes_do_not_tell() -> None:
    budget = ByteBudget(TOTAL, large_at_once=1)
    first = budget.request(SMALL_BYTES + 1, client="first")
    waiting = [budget.request(40 * MIB, client="greedy", cost=1000) for _ in range(10)]
    waiting += [budget.request(40 * MIB, client="modest", cost=100) for _ in range(8)]
    order: list[str] = []
    for one in waiting:
        one.granted.add_done_callback(lambda _, client=one.client: order.append(client))
    first.release()
    while running := [one for one in waiting if one.state == "granted"]:
        running[0].release()
    assert order[:9].count("modest") == 8, order


def test_one_client_has_only_so_much_and_keeps_nobody_else_waiting() -> None:
    lane = ByteLane(100, per_client=30)
    greedy = [lane.request(10, client="greedy") for _ in range(20)]
    assert granted(greedy) == [0, 1, 2]
    others = [lane.request(25, client=str(number)) for number in range(3)]
    assert granted(others) == [0, 1], "and all together have no more than there is"
    greedy[0].release()
    assert granted(others) == [0, 1, 2] or granted(greedy) == [0, 1, 2, 3]
    assert lane.used <= 100
    huge = ByteLane(100, per_client=30).request(1_000_000, client="greedy")
    assert (huge.state, huge.count) == ("granted", 30)


def test_what_turns_out_not_to_be_needed_is_given_back_at_once() -> None:
    lane = ByteLane(100)
    first, second = lane.request(90), lane.request(50)
    first.keep(95)
    assert (second.state, lane.used) == ("waiting", 90)
    first.keep(20)
    assert (second.state, lane.used) == ("granted", 70)
    first.release()
    first.keep(0)
    second.release()
    second.keep(10)
    assert lane.used == 0


def test_a_client_has_only_so_many_waiting() -> None:
    budget = ByteBudget(TOTAL)
    holder = budget.request(LARGE, client="a", most_waiting=2)
    waiting = [budget.request(LARGE, client="a", most_waiting=2) for _ in range(2)]
    with pytest.raises(TooManyRequests):
        budget.request(LARGE, client="a", most_waiting=2)
    assert budget.request(LARGE, client="b", most_waiting=2).state == "waiting"
    waiting[0].release()
    assert budget.request(LARGE, client="a", most_waiting=2).state == "waiting"
    holder.release()


def test_a_thread_waits_for_its_bytes_and_gives_them_back_whatever_happens() -> None:
    budget = ByteBudget(TOTAL)
    lock, inside, most = threading.Lock(), 0, 0

    def work(number: int) -> None:
        nonlocal inside, most
        with budget.hold(140 * MIB, client=str(number % 3)):
            with lock:
                inside += 1
                most = max(most, inside)
            with lock:
                inside -= 1
            if number % 2:
                raise ZeroDivisionError

    with ThreadPoolExecutor(8) as pool:
        done = [pool.submit(work, number) for number in range(60)]
        assert sum(isinstance(one.exception(SECONDS), ZeroDivisionError) for one in done) == 30
    assert most <= 2
    assert budget.used == 0


def test_a_thread_that_is_cancelled_stops_waiting() -> None:
    budget = ByteBudget(TOTAL)
    cancelled = threading.Event()

    def wait() -> None:
        with budget.hold(LARGE, cancelled=cancelled):
            raise AssertionError("granted")

    with budget.hold(LARGE), ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(wait)
        cancelled.set()
        assert isinstance(waiting.exception(SECONDS), Cancelled)
    assert budget.used == 0


async def _hold(budget: ByteBudget, left: asyncio.Event, done: Callable[[], None]) -> None:
    async def leave() -> None:
        await left.wait()

    async with budget.held(LARGE, leave()):
        done()


def test_a_coroutine_that_waits_ends_with_its_client_or_when_it_is_cancelled() -> None:
    budget = ByteBudget(TOTAL)

    async def scenario() -> None:
        holder = budget.request(LARGE)
        left, never = asyncio.Event(), asyncio.Event()
        gone = asyncio.create_task(_hold(budget, left, lambda: pytest.fail("granted")))
        cancelled = asyncio.create_task(_hold(budget, never, lambda: pytest.fail("granted")))
        calls: list[int] = []
        patient = asyncio.create_task(_hold(budget, never, lambda: calls.append(1)))
        await asyncio.sleep(0.01)
        left.set()
        with pytest.raises(Cancelled):
            await gone
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        assert not calls
        holder.release()
        await patient
        assert calls == [1]

    asyncio.run(scenario())
    assert budget.used == 0


def test_a_closed_budget_keeps_nobody_waiting() -> None:
    budget = ByteBudget(TOTAL)
    holder = budget.request(LARGE)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(lambda: budget.hold(LARGE).__enter__())
        wait_until(lambda: not waiting.done(), "it waits")
        late = budget.request(LARGE)
        budget.close()
        assert isinstance(late.granted.exception(SECONDS), Busy)
        assert isinstance(waiting.exception(SECONDS), Busy)
    with pytest.raises(Busy):
        budget.request(1)
    holder.release()
    late.release()
    assert budget.used == 0
