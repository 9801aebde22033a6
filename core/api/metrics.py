"""What the server counts, for Prometheus (names after its conventions: base units, ``_total`` for counters)."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from core.engines.engine import EngineName
from core.recognition.fair_queue import FairQueue
from core.stacks.store import StackStore


class Metrics:
    """One registry for each application, so that two in one process do not meet."""

    def __init__(self, store: StackStore, queue: FairQueue) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(_State(store, queue))
        ProcessCollector(registry=self.registry)
        self.requests = Counter(
            "aisr_http_requests", "Requests answered by the API.", ["method", "route", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "aisr_http_request_seconds", "Time until the answer began.", ["route"], registry=self.registry
        )
        self.images = Counter(
            "aisr_images_recognized", "Images recognised over HTTP.", ["engine"], registry=self.registry
        )

    def recognized(self, engine: EngineName, images: int) -> None:
        """Count ``images`` answered by ``engine``."""
        self.images.labels(engine).inc(images)


class _State(Collector):
    """What is there now, read when it is asked for."""

    def __init__(self, store: StackStore, queue: FairQueue) -> None:
        self._store = store
        self._queue = queue

    def collect(self) -> list[GaugeMetricFamily]:
        return [
            GaugeMetricFamily("aisr_stacks", "Open stacks.", self._store.usage.stacks),
            GaugeMetricFamily("aisr_stored_bytes", "Bytes granted to open stacks.", self._store.usage.bytes),
            GaugeMetricFamily(
                "aisr_recognitions_running", "Recognitions and other work that have a turn.", self._queue.running
            ),
            GaugeMetricFamily(
                "aisr_recognitions_waiting", "Recognitions and other work that wait for one.", self._queue.waiting
            ),
        ]
