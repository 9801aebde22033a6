"""The HTTP API of the whole app, through everything that Streamlit puts around it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import requests

from core.base.settings import PROJECT_ROOT
from core.stacks.sample import make_sample_stack
from tests.builders import photo_png, zip_bytes
from tests.helpers import wait_until

ZIP = {"Content-Type": "application/zip"}


@pytest.fixture(scope="module")
def app(app_server: str) -> str:
    """The app's address, as soon as it predicts."""
    wait_until(lambda: requests.get(f"{app_server}/api/health/ready", timeout=60).status_code == 200, "the model")
    return app_server


@pytest.mark.torch
def test_every_command_of_the_documentation_works(app: str, tmp_path: Path) -> None:
    assert shutil.which("curl"), "curl is missing: install it (Debian: apt install curl)"
    text = (PROJECT_ROOT / "docs" / "api.md").read_text()
    blocks = re.findall(r"```bash\n(.*?)```", text, re.DOTALL)
    commands = [line for block in blocks for line in block.splitlines() if line.strip()]
    assert sum("curl" in command for command in commands) > 15
    make_sample_stack(tmp_path / "stack.zip")
    script = 'curl() { command curl --fail-with-body --silent --show-error --max-time 120 "$@"; }\n' + "".join(
        f"echo '>>> {number}' >&2\n{command}\n" for number, command in enumerate(commands)
    )
    done = subprocess.run(
        ["/usr/bin/env", "bash", "-euo", "pipefail", "-c", script],
        check=False,
        cwd=tmp_path,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "APP": app},
        capture_output=True,
        text=True,
        timeout=300,
    )
    reached = commands[done.stderr.count(">>> ") - 1]
    assert done.returncode == 0, f"{reached}\n{done.stdout[-500:]}\n{done.stderr[-500:]}"
    assert (tmp_path / "original.png").read_bytes()[:33] == (tmp_path / "header.bin").read_bytes()
    for name in ("first.png", "shown.png", "small.jpg", "samples.bin"):
        assert (tmp_path / name).stat().st_size > 500, name


def test_compressed_or_not_a_stream_is_the_same_and_originals_are_never_changed(app: str) -> None:
    original = photo_png(300, 200)
    archive = zip_bytes({f"{number}.png": photo_png(seed=number) for number in range(40)} | {"40.png": original})
    created = requests.post(f"{app}/api/v1/stacks", data=archive, headers=ZIP, timeout=60)
    stack = f"{app}{created.headers['Location']}"
    streams = []
    for encoding in ("gzip", "identity"):
        headers = {"Accept": "application/x-ndjson", "Accept-Encoding": encoding}
        response = requests.post(f"{stack}/predictions", json={"batch_size": 8}, headers=headers, timeout=60)
        assert response.headers.get("Content-Encoding", "identity") == encoding
        streams.append({line["index"]: line["top"][0]["class"] for line in map(json.loads, response.iter_lines())})
    assert streams[0] == streams[1]
    assert sorted(streams[0]) == list(range(41))
    whole = requests.get(f"{stack}/images/40", headers={"Accept-Encoding": "gzip"}, timeout=60)
    assert whole.content == original
    assert "Content-Encoding" not in whole.headers
    part = requests.get(f"{stack}/images/40", headers={"Range": "bytes=100-199"}, timeout=60)
    assert (part.status_code, part.content) == (206, original[100:200])
    again = requests.get(f"{stack}/images/40", headers={"If-None-Match": whole.headers["ETag"]}, timeout=60)
    assert (again.status_code, again.content) == (304, b"")
    assert requests.delete(stack, timeout=60).status_code == 204


def test_failures_keep_their_shape(app: str) -> None:
    for method, path, status in [
        ("GET", "/api/nothing", 404),
        ("GET", "/api/v1/stacks/unknown", 404),
        ("PUT", "/api/v1/stacks", 405),
        ("GET", "/predict", 405),
        ("POST", "/upload", 400),
        ("GET", "/api/v1/stacks/a%0Ab", 404),
        ("GET", "/api/v1/stacks/a/images/0%0A1", 400),
        ("GET", "/uploaded_images/a%0Ab.png", 404),
        ("GET", "/api/no%0D%0Athing", 404),
    ]:
        response = requests.request(method, f"{app}{path}", timeout=60)
        assert (response.status_code, response.headers["Content-Type"]) == (status, "application/problem+json"), path


def test_metrics_name_routes_and_not_addresses(app: str) -> None:
    requests.get(f"{app}/api/v1/stacks/some-secret-id", timeout=60)
    text = requests.get(f"{app}/api/metrics", timeout=60).text
    assert 'route="/api/v1/stacks/{stack_id}"' in text
    assert "some-secret-id" not in text
