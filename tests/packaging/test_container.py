"""The server as the container runs it: user 1000, nothing writable but /tmp and /data, the image's environment only."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from core.base.logs import ID_SHOWN
from core.base.version import VERSION
from tests.builders import photo_png, zip_bytes
from tests.helpers import SECONDS
from tests.packaging.image import copy_context, environment, sandboxed, why_no_sandbox

pytestmark = pytest.mark.skipif(bool(why_no_sandbox()), reason=why_no_sandbox() or "-")
SECRET_NAME = "patient-4711.png"  # noqa: S105
LINE = re.compile(r"time=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z level=(debug|info|warning|error) logger=[\w.]+ \S")


@dataclass
class Container:
    """A running server, and the folders it sees as /app and /data."""

    process: subprocess.Popen[bytes]
    port: int
    app: Path
    data: Path
    log: Path

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def run(self, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run another command in the same image."""
        line = sandboxed(self.app, self.data, command, environment() | variables)
        return subprocess.run(line, capture_output=True, text=True, check=False, timeout=60)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def start() -> Iterator[Container]:
    folder = Path(tempfile.mkdtemp())  # outside pytest's own folder, which other users cannot enter
    app, data = folder / "app", folder / "data"
    app.mkdir()
    data.mkdir()
    copy_context(app)
    port = free_port()
    line = sandboxed(
        app, data, ["scripts/dev/image_start.sh"], environment() | {"PORT": str(port), "AISR_IMAGENET_AT_START": "no"}
    )
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(line, stdout=output, stderr=output)
    started = Container(process, port, app, data, log)
    try:
        wait_until_ready(started)
        yield started
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(folder)


def wait_until_ready(container: Container) -> None:
    deadline = time.monotonic() + SECONDS
    while container.process.poll() is None and time.monotonic() < deadline:
        try:
            if requests.get(f"{container.address}/api/health/ready", timeout=60).status_code == 200:
                return
        except requests.ConnectionError:
            pass
        time.sleep(0.2)
    pytest.fail(f"The server did not get ready:\n{container.log.read_text()[-3000:]}")


@pytest.fixture(scope="module")
def container() -> Iterator[Container]:
    with start() as started:
        yield started


@pytest.fixture(scope="module")
def stack_id(container: Container) -> str:
    """The stack of a client that has uploaded, fetched, asked both engines, and asked for what is not there."""
    client = requests.Session()
    files = {SECRET_NAME: photo_png(64, 64), "b.png": photo_png(64, 64, seed=1), "broken.png": b"\x89PNG"}
    uploaded = client.post(
        f"{container.address}/upload", files={"file": ("secret.zip", zip_bytes(files), "application/zip")}, timeout=60
    ).json()
    for door in ("predict_optimized", "predict"):
        answers = client.post(
            f"{container.address}/{door}", json={"filenames": [SECRET_NAME, "b.png"], "batch_size": 2}, timeout=SECONDS
        ).json()
        assert [answer["filename"] for answer in answers] == [SECRET_NAME, "b.png"]
        assert all(answer["class"] != "error" and 0 < answer["confidence"] <= 1 for answer in answers)
    stack = str(uploaded["stack_id"])
    assert client.get(f"{container.address}/uploaded_images/{SECRET_NAME}", timeout=60).status_code == 200
    assert client.get(f"{container.address}/api/v1/stacks/{stack}/images/99", timeout=60).status_code == 404
    assert client.get(f"{container.address}/uploaded_images/not-{SECRET_NAME}", timeout=60).status_code == 404
    return stack


def test_it_recognises_with_both_engines(container: Container, stack_id: str) -> None:
    assert len(stack_id) > ID_SHOWN
    assert "<title" in requests.get(container.address, timeout=60).text
    assert requests.get(f"{container.address}/api/openapi.json", timeout=60).json()["info"]["version"] == VERSION


def test_it_may_write_where_it_must_and_nowhere_else(container: Container, stack_id: str) -> None:
    done = container.run("bash", "-c", "id -u; touch /data/mine /tmp/mine && echo written; touch /app/x; touch /x")
    assert done.stdout.split() == ["1000", "written"]
    assert done.stderr.count("Read-only file system") == 2
    (container.data / "mine").unlink()
    assert list(container.data.iterdir()) == [], "recognising installs nothing"


def test_the_health_check_tells_a_ready_server_from_none(container: Container) -> None:
    check = ("python", "-m", "scripts.dev.healthcheck")
    assert container.run(*check, PORT=str(container.port)).returncode == 0
    assert container.run(*check, STREAMLIT_SERVER_PORT=str(container.port), PORT="9").returncode == 0
    away = container.run(*check, PORT=str(free_port()))
    assert away.returncode == 1
    assert "Traceback" not in away.stderr


def test_each_request_and_recognition_is_one_line_that_gives_nothing_away(container: Container, stack_id: str) -> None:
    text = container.log.read_text()
    own = [line for line in text.splitlines() if " logger=core." in line]
    assert own
    assert all(LINE.match(line) for line in own)
    assert any("request method=POST route=/upload status=200" in line for line in own)
    assert any("route=/api/v1/stacks/{stack_id}/images/{index} status=404" in line for line in own)
    short = stack_id[:ID_SHOWN]
    engines = [
        re.search(
            rf" recognition door=api stack={re.escape(short)} .*engine=(\S+) .*images=2 failed=0 .* ms=[\d.]+ ", line
        )
        for line in own
    ]
    assert [found[1] for found in engines if found] == ["openvino-int8", "pytorch-fp32"]
    assert stack_id not in text
    assert "patient" not in text
    assert "secret.zip" not in text


def test_told_to_stop_it_stops() -> None:
    with start() as container:
        children = Path(f"/proc/{container.process.pid}/task/{container.process.pid}/children").read_text().split()
        server = next(
            int(child)
            for child in descendants(children)
            if b"streamlit" in Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")[:4]
        )
        os.kill(server, signal.SIGTERM)
        assert container.process.wait(SECONDS) in (0, 128 + signal.SIGTERM)
        assert "Traceback" not in container.log.read_text()


def descendants(processes: list[str]) -> Iterator[str]:
    for process in processes:
        yield process
        yield from descendants(Path(f"/proc/{process}/task/{process}/children").read_text().split())
