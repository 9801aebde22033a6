"""Workers on Ray: on this machine, or on all machines of a cluster. The only module that knows Ray.

Its actors and not Ray Data: a job must know which file has ended a worker, and that a part is there once and for all,
which a data set that computes blocks anew by itself does not tell. Nothing but paths and counts goes through Ray:
workers read images and write rows by themselves.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from core.base.cpu import usable_cores
from core.base.errors import EngineUnavailable, StoreUnreachable
from core.base.settings import MIB
from core.batch.run import Call, Done
from core.batch.stores import brief
from core.batch.worker import Job, Worker

AT_ONCE = 2  # calls a worker has: the one it does, and the next, so that it never waits for the driver
LOOK_SECONDS = 10.0  # how often it is looked whether machines have come
_OBJECT_STORE_BYTES = 100 * MIB  # paths and counts


@contextmanager
def cluster(address: str | None) -> Iterator[None]:
    """Be connected to a cluster: the one at ``address``, one that this process has, or else one of this machine alone.

    Raises:
        EngineUnavailable: Ray is not installed.
        StoreUnreachable: there is no cluster at the address.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is reported to anybody
    os.environ.setdefault("RAY_worker_niceness", "0")  # as whoever starts the command has it, and not Ray's own 15
    os.environ.setdefault("RAY_raylet_start_wait_time_s", "120")  # a busy machine takes longer than 30
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # Ray's own default to come; it warns otherwise
    try:
        import ray
    except ImportError as error:
        raise EngineUnavailable("Ray is not installed: pip install -r requirements-batch.txt") from error
    if ray.is_initialized():
        yield
        return
    local = {"num_cpus": max(1, int(usable_cores())), "object_store_memory": _OBJECT_STORE_BYTES,
             "include_dashboard": None}  # fmt: skip
    options: dict[str, Any] = {"address": address} if address else {"address": "local", **local}
    try:
        ray.init(**options, log_to_driver=False, logging_level="error", namespace="aisr-batch")
    except Exception as error:  # as Ray raises where a node has taken too long to start
        raise StoreUnreachable(
            f"No Ray cluster can be had ({address or 'on this machine'}): {brief(error)}."
        ) from error
    try:
        yield
    finally:
        ray.shutdown()


@dataclass(slots=True)
class _Actor:
    handle: Any
    ready: bool = False
    calls: deque[tuple[Any, Call]] = field(default_factory=deque)


class RayCrew:
    """Workers as actors of Ray; see ``core.batch.run.Crew``. Needs to be connected (``cluster``)."""

    def __init__(
        self, job: Job, *, workers: int | None = None, memory: int | None = None, kind: type[Worker] = Worker
    ) -> None:
        """Begin to start them.

        Args:
            workers: how many; None takes as many as all machines have cores for, also of those that come later.
            memory: bytes that each may take, by which Ray places them.
            kind: what they are made of.
        """
        import ray

        self._ray: Any = ray
        self._job = job
        self._workers = workers
        options: dict[str, Any] = {"num_cpus": job.cores, "max_restarts": 0, "max_task_retries": 0}
        if memory:
            options["memory"] = memory
        self._make = ray.remote(kind).options(**options).remote
        self._actors: list[_Actor] = []
        self._ended: deque[Done] = deque()
        self._looked = 0.0
        self._fill_up()

    @property
    def free(self) -> int:
        """See ``Crew.free``."""
        return sum(AT_ONCE - len(actor.calls) for actor in self._actors if actor.ready)

    def give(self, call: Call) -> None:
        """See ``Crew.give``."""
        actor = min((actor for actor in self._actors if actor.ready), key=lambda actor: len(actor.calls))
        self._send(actor, call)

    def next(self, timeout: float) -> Done | None:
        """See ``Crew.next``."""
        if self._ended:
            return self._ended.popleft()
        if time.monotonic() - self._looked > LOOK_SECONDS:
            self._fill_up()
        first = {actor.calls[0][0]: actor for actor in self._actors if actor.calls}
        if not first:
            time.sleep(timeout)
            return None
        ready, _ = self._ray.wait(list(first), num_returns=1, timeout=timeout)
        return self._take(first[ready[0]]) if ready else None

    def close(self) -> None:
        """End them, whatever they do; parts that are not whole are nobody's."""
        for actor in self._actors:
            with suppress(Exception):
                self._ray.kill(actor.handle)
        self._actors.clear()

    def _take(self, actor: _Actor) -> Done:
        from ray.exceptions import RayError, RayTaskError

        reference, call = actor.calls.popleft()
        try:
            result = self._ray.get(reference)
        except RayTaskError as error:
            cause = getattr(error, "cause", None)
            return Done(call, error=cause if isinstance(cause, Exception) else error)
        except RayError:  # the worker, or the machine it was on, is gone
            self._bury(actor)
            return Done(call, died=True, suspect=True)
        if call.method == "start":
            actor.ready = True
        return Done(call, result)

    def _bury(self, actor: _Actor) -> None:
        self._actors.remove(actor)
        with suppress(Exception):
            self._ray.kill(actor.handle)  # it may only be out of reach
        self._ended.extend(Done(call, died=True) for _, call in actor.calls)
        self._fill_up()

    def _fill_up(self) -> None:
        """Have as many as wanted, and no more than there is room for where nobody says how many."""
        self._looked = time.monotonic()
        wanted = self._workers or max(1, self._room())
        while len(self._actors) < wanted:
            actor = _Actor(self._make(self._job))
            self._actors.append(actor)
            self._send(actor, Call("start", ()))

    def _room(self) -> int:
        nodes = [node for node in self._ray.nodes() if node["Alive"]]
        return sum(int(node["Resources"].get("CPU", 0)) // self._job.cores for node in nodes)

    def _send(self, actor: _Actor, call: Call) -> None:
        reference = getattr(actor.handle, call.method).remote(*call.arguments)
        actor.calls.append((reference, call))
