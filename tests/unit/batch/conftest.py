"""One Ray cluster of two machines that are none, and one worker with a real model, for all tests of this room."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from core.base.settings import PROJECT_ROOT, Settings
from core.batch.stores import LOCAL
from core.batch.worker import Job, Worker

NODE = {"num_cpus": 1, "object_store_memory": 80 * 1024 * 1024}


def patiently(start: Callable[[], Any]) -> Any:
    """What ``start`` gives. Ray gives a node 30 s to start, whatever else the machine does."""
    for _ in range(4):
        try:
            return start()
        except Exception as error:
            if "timed out during startup" not in str(error):
                raise
    return start()


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[Any]:
    """``ray.cluster_utils.Cluster`` with two nodes of one core each, to which this process is connected."""
    ray = pytest.importorskip("ray", reason="Ray is not installed: pip install -r requirements-batch.txt")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_worker_niceness", "0")
        patch.setenv("RAY_raylet_start_wait_time_s", "120")
        from ray.cluster_utils import Cluster

        made = patiently(lambda: Cluster(initialize_head=True, head_node_args={**NODE, "include_dashboard": False}))
        patiently(lambda: made.add_node(**NODE))
        ray.init(address=made.address, log_to_driver=False, logging_level="error")
        yield made
        ray.shutdown()
        made.shutdown()


@pytest.fixture(scope="session")
def job(model_cache: Path) -> Job:
    """Of the model that ships with the app, on one core, without results."""
    settings = Settings(cache_dir=model_cache, data_dir=model_cache / "data", workers=1)
    return Job(LOCAL, None, PROJECT_ROOT / "models" / "starter", "openvino-int8", settings, cores=1, batch_size=4)


@pytest.fixture(scope="session")
def worker(job: Job) -> Iterator[Worker]:
    """One that has started, in this process."""
    from dataclasses import replace

    made = Worker(replace(job, cores=10_000))  # this process keeps all its cores
    made.start()
    yield made
    made.close()
