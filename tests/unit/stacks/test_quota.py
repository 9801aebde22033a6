"""What clients may store: each of them, and all together."""

from __future__ import annotations

import random
import shutil
import threading
import tracemalloc
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from core.base.errors import AppError, DiskFull, QuotaExceeded, TooManyStacks
from core.base.settings import MIB, Settings
from core.stacks.quota import IDLE_SECONDS, Place, Quota, Usage, place_to_free

DiskUsage = namedtuple("DiskUsage", ["total", "used", "free"])
EMPTY = Usage(0, 0)


def make(folder: Path, **limits: int) -> Quota:
    return Quota(Settings(**{"min_free_bytes": 0, **limits}), folder)


def test_what_is_taken_is_counted_and_given_back_once(tmp_path: Path) -> None:
    quota = make(tmp_path)
    first, second = quota.open("a"), quota.open("b")
    first.grow(10)
    first.grow(5)
    second.grow(100)
    assert quota.usage == Usage(2, 115)
    first.release()
    first.release()
    assert quota.usage == Usage(1, 100)
    second.release()
    assert quota.usage == EMPTY


def test_room_is_given_back_also_on_a_full_disk_and_never_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quota = make(tmp_path, max_bytes_per_client=100)
    share = quota.open("a")
    share.grow(100)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: DiskUsage(1, 1, 0))
    share.grow(-40)
    assert (quota.usage, share.bytes) == (Usage(1, 60), 60)
    share.release()
    share.grow(-60)
    assert (quota.usage, share.bytes) == (EMPTY, 60)


def test_one_client_may_have_so_many_stacks_and_others_as_many(tmp_path: Path) -> None:
    quota = make(tmp_path, max_stacks_per_client=2)
    first = quota.open("a")
    quota.open("a")
    with pytest.raises(QuotaExceeded, match="You have 2 stacks open") as caught:
        quota.open("a")
    assert (caught.value.status, bool(caught.value.retry_after)) == (429, True)
    quota.open("b")
    first.release()
    quota.open("a")
    assert quota.usage.stacks == 3


def test_all_together_may_have_so_many_stacks(tmp_path: Path) -> None:
    quota = make(tmp_path, max_stacks=2)
    quota.open("a")
    share = quota.open("b")
    with pytest.raises(TooManyStacks, match="as many stacks as it can") as caught:
        quota.open("c")
    assert (caught.value.status, bool(caught.value.retry_after)) == (503, True)
    share.release()
    quota.open("c")


@pytest.mark.parametrize(
    ("limits", "error", "text"),
    [
        ({"max_bytes_per_client": 10 * MIB}, QuotaExceeded, "10 MB one client may store"),
        ({"max_stored_bytes": 10 * MIB}, TooManyStacks, "no room for more images"),
    ],
)
def test_bytes_have_limits_and_a_refusal_takes_nothing(
    tmp_path: Path, limits: dict[str, int], error: type[AppError], text: str
) -> None:
    quota = make(tmp_path, **limits)
    kept = quota.open("a")
    kept.grow(6 * MIB)
    refused = quota.open("a")
    refused.grow(4 * MIB)
    with pytest.raises(error, match=text):
        refused.grow(1)
    assert quota.usage == Usage(2, 10 * MIB)
    refused.release()
    kept.grow(4 * MIB)
    kept.release()
    assert quota.usage == EMPTY


def test_what_is_no_stack_takes_bytes_and_no_place(tmp_path: Path) -> None:
    quota = make(tmp_path, max_stacks=1, max_bytes_per_client=10)
    model = quota.open_without_place("a")
    model.resize(8)
    assert quota.usage == Usage(0, 8)
    stack = quota.open("a")
    with pytest.raises(QuotaExceeded):
        stack.grow(3)
    model.resize(7)
    stack.grow(3)
    assert quota.usage == Usage(1, 10)
    stack.release()
    with pytest.raises(QuotaExceeded):
        model.resize(11)
    assert quota.usage == Usage(0, 7), "a refusal takes nothing"
    model.release()
    for late in (model.grow, model.resize):
        late(5)
    assert quota.usage == EMPTY, "nothing is counted for what is gone"


def test_one_clients_bytes_are_not_anothers(tmp_path: Path) -> None:
    quota = make(tmp_path, max_bytes_per_client=10)
    quota.open("a").grow(10)
    quota.open("b").grow(10)
    assert quota.usage.bytes == 20


def test_the_server_itself_is_bound_by_the_common_limits_only(tmp_path: Path) -> None:
    quota = make(tmp_path, max_stacks=3, max_stacks_per_client=1, max_bytes_per_client=1, max_stored_bytes=100)
    shares = [quota.open("") for _ in range(3)]
    shares[0].grow(50)
    with pytest.raises(TooManyStacks):
        quota.open("")
    with pytest.raises(TooManyStacks):
        shares[1].grow(51)


def test_the_disk_keeps_its_reserve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[Path] = []

    def usage(folder: Path) -> DiskUsage:
        looked_at.append(folder)
        return DiskUsage(1000, 0, 1000)

    monkeypatch.setattr(shutil, "disk_usage", usage)
    quota = make(tmp_path, min_free_bytes=600)
    share = quota.open("a")
    share.grow(400)
    with pytest.raises(DiskFull, match="nearly full") as caught:
        share.grow(401)
    assert caught.value.status == 507
    assert quota.usage.bytes == 400
    assert set(looked_at) == {tmp_path}


def test_a_client_who_has_left_is_forgotten(tmp_path: Path) -> None:
    """Otherwise every address that ever came would stay in memory."""
    quota = make(tmp_path)
    tracemalloc.start()
    try:
        for number in range(3000):
            share = quota.open(f"client {number}")
            share.grow(1)
            share.release()
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 3000 * 20, "not even the names"


def test_threads_never_pass_a_limit_together_and_leave_nothing_behind(tmp_path: Path) -> None:
    quota = make(tmp_path, max_stacks=5, max_stacks_per_client=3, max_stored_bytes=40, max_bytes_per_client=25)
    over = threading.Event()

    def work(seed: int) -> int:
        dice, refused = random.Random(seed), 0
        for _ in range(150):
            try:
                share = quota.open(f"client {dice.randrange(3)}")
            except AppError:
                refused += 1
                continue
            try:
                for _ in range(dice.randrange(4)):
                    share.grow(dice.randrange(10))
            except AppError:
                refused += 1
            finally:
                usage = quota.usage
                if usage.stacks > 5 or usage.bytes > 40:
                    over.set()
                share.release()
        return refused

    with ThreadPoolExecutor(8) as pool:
        refused = sum(pool.map(work, range(8)))
    assert not over.is_set()
    assert quota.usage == EMPTY
    assert refused, "the limits were never reached"


def places(*described: tuple[str, str, int, float]) -> list[Place]:
    return [Place(stack_id, client, size, idle) for stack_id, client, size, idle in described]


class TestMakingRoom:
    """All places are taken, and somebody else comes."""

    def test_the_client_with_the_most_gives_one_up_the_smallest_and_longest_idle_first(self) -> None:
        taken = places(
            ("a1", "greedy", 50 * MIB, 900.0),
            ("a2", "greedy", 100, 1.0),
            ("a3", "greedy", 100, 5.0),
            ("b1", "modest", 100, 500.0),
        )
        assert place_to_free(taken, "newcomer") == "a3"
        assert place_to_free(taken[:1] + taken[3:] + places(("a4", "greedy", 3 * MIB, 1.0)), "newcomer") == "a1"

    def test_who_has_as_many_as_anybody_gets_no_more(self) -> None:
        taken = places(*((f"{client}{number}", client, 100, 10.0) for client in "ab" for number in range(3)))
        assert place_to_free(taken, "a") is None
        assert place_to_free(taken + places(("a9", "a", 100, 10.0)), "b") is None, "they would only change places"

    def test_many_clients_with_one_each_lose_only_what_they_have_left_alone(self) -> None:
        taken = places(*((f"s{number}", f"client {number}", 100, 10.0) for number in range(5)))
        assert place_to_free(taken, "newcomer") is None
        left_alone = places(("old", "x", 90 * MIB, IDLE_SECONDS), ("older", "y", 90 * MIB, IDLE_SECONDS + 1))
        assert place_to_free(taken + left_alone, "newcomer") == "older"

    def test_the_servers_own_stay(self) -> None:
        own = places(*((f"s{number}", "", 100, 9999.0) for number in range(5)))
        assert place_to_free(own, "newcomer") is None
        assert place_to_free([], "newcomer") is None
