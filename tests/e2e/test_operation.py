"""The service as the one who runs it sees it: stopping, crashing, signing in, and many people at once."""

from __future__ import annotations

import os
import re
import signal
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import requests
from playwright.sync_api import Browser, Error, Page, expect

from core.recognition.fair_queue import STOP_SECONDS
from scripts.dev._app_server import AppServer, app_server
from tests.builders import photo_png, zip_bytes
from tests.e2e.contexts import new_context
from tests.e2e.server import ROOT, folders
from tests.helpers import SECONDS, wait_until

DOCKER_SECONDS = 10  # from SIGTERM to SIGKILL
ZIP_HEADERS = {"Content-Type": "application/zip"}
_PHOTOS = [photo_png(32, 32, seed=seed) for seed in range(7)]
LONG = zip_bytes({f"{number:04}.png": _PHOTOS[number % 7] for number in range(3000)})


@contextmanager
def serve(folder: Path, model_cache: Path, **settings: str) -> Iterator[AppServer]:
    environment = folders(folder, model_cache) | settings
    with app_server(ROOT / "app.py", folder / "log", environment=environment) as server:
        yield server


def upload(server: AppServer, data: bytes) -> str:
    address = f"{server.address}/api/v1/stacks?name=test.zip"
    response = requests.post(address, data=data, headers=ZIP_HEADERS, timeout=60)
    assert response.status_code == 201
    return str(response.json()["stack_id"])


def begin_upload(server: AppServer) -> socket.socket:
    """An upload that has sent something and will send no more."""
    host, port = server.address.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)))
    connection.sendall(
        b"POST /api/v1/stacks HTTP/1.1\r\nHost: x\r\nContent-Type: application/zip\r\nContent-Length: 9000000\r\n\r\n"
    )
    connection.sendall(bytes(3_000_000))
    return connection


def begin_predictions(server: AppServer, stack: str) -> tuple[threading.Thread, list[int]]:
    """Predictions in small batches, which take long enough to be met in the middle; the status once there is one."""
    statuses: list[int] = []

    def ask() -> None:
        body = {"engine": "openvino-fp32", "batch_size": 1}
        try:
            address = f"{server.address}/api/v1/stacks/{stack}/predictions"
            statuses.append(requests.post(address, json=body, timeout=60).status_code)
        except requests.RequestException:
            statuses.append(0)

    thread = threading.Thread(target=ask)
    thread.start()
    metrics = f"{server.address}/api/metrics"
    wait_until(lambda: "\naisr_recognitions_running 1.0" in requests.get(metrics, timeout=60).text, "its turn")
    return thread, statuses


def wait_for_files(work: Path, count: int) -> None:
    wait_until(lambda: len(list(work.glob("run-*/*/stack.zip"))) >= count, "the upload")


def wait_for_the_end(server: AppServer) -> None:
    def ended() -> bool:
        state = Path(f"/proc/{server.pid}/stat")
        return not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z"

    wait_until(ended, "the end of the process")


def test_told_to_stop_it_ends_what_is_running_and_removes_every_file(
    tmp_path: Path, model_cache: Path, browser: Browser
) -> None:
    with serve(tmp_path, model_cache) as server:
        page = browser.new_page()
        page.goto(server.address)
        page.get_by_role("button", name="Try a sample stack").wait_for()
        stack = upload(server, LONG)
        predicting, statuses = begin_predictions(server, stack)
        connection = begin_upload(server)
        wait_for_files(tmp_path / "work", 2)
        os.kill(server.pid, signal.SIGTERM)
        wait_for_the_end(server)
        predicting.join(SECONDS)
        assert statuses, "a running request gets an answer"
        assert statuses[0] in (200, 503)
        connection.settimeout(SECONDS)
        assert connection.recv(4096).startswith(b"HTTP/1.1 503"), "so does an upload"
        connection.close()
        page.close()
    assert list((tmp_path / "work").iterdir()) == []


def test_requests_end_well_before_docker_kills_the_process() -> None:
    found = re.search(r"^END_REQUESTS_SECONDS = (\d+)", (ROOT / "app.py").read_text(), re.MULTILINE)
    assert found
    assert STOP_SECONDS < int(found[1]) <= DOCKER_SECONDS - 4, "deleting takes time too"


def test_after_a_crash_in_the_middle_of_everything_the_next_start_cleans_up(tmp_path: Path, model_cache: Path) -> None:
    work = tmp_path / "work"
    with serve(tmp_path, model_cache) as server:
        stack = upload(server, LONG)
        predicting, _ = begin_predictions(server, stack)
        connection = begin_upload(server)
        wait_for_files(work, 2)
        os.kill(server.pid, signal.SIGKILL)
        wait_for_the_end(server)
        predicting.join(SECONDS)
        connection.close()
    left = list(work.glob("run-*"))
    assert left, "a killed process cannot clean up"
    with serve(tmp_path, model_cache) as server:
        assert not any(folder.exists() for folder in left)
        assert requests.get(f"{server.address}/api/v1/stacks/{stack}", timeout=60).status_code == 404
        assert upload(server, zip_bytes({"1.png": photo_png()}))


def test_with_a_secret_a_browser_asks_for_it_once_and_then_everything_works(
    tmp_path: Path, model_cache: Path, browser: Browser
) -> None:
    secret = "a secret of these tests"  # noqa: S105
    with serve(tmp_path, model_cache, AISR_ACCESS_TOKEN=secret) as server:
        stranger = browser.new_page()
        with suppress(Error):  # what a dismissed question comes to, in browsers that can ask
            stranger.goto(server.address)
        refused = requests.get(server.address, timeout=60)
        assert (refused.status_code, refused.headers["www-authenticate"].split()[0]) == (401, "Basic")
        expect(stranger.get_by_role("button", name="Try a sample stack")).to_have_count(0)
        assert requests.post(f"{server.address}/upload", timeout=60).status_code == 401
        stranger.close()

        context = new_context(browser, http_credentials={"username": "me", "password": secret})
        page = context.new_page()
        page.goto(server.address)
        page.locator("input[type=file]").set_input_files(
            {"name": "a.zip", "mimeType": "application/zip", "buffer": zip_bytes({"1.png": photo_png(64, 64)})}
        )
        expect(page.locator("[data-ref=canvas]")).to_have_attribute("data-painted", "sharp")
        context.close()
        allowed = requests.get(
            f"{server.address}/api/v1/models", headers={"Authorization": f"Bearer {secret}"}, timeout=60
        )
        assert allowed.status_code == 200


def test_clients_at_once_get_their_own_answers_and_cannot_reach_each_others(
    tmp_path: Path, model_cache: Path, browser: Browser
) -> None:
    with serve(tmp_path, model_cache) as server:

        def work(number: int) -> tuple[str, list[str]]:
            """A client with images only it has; its stack and what it was answered."""
            names = [f"client-{number}-{image}.png" for image in range(5)]
            client = requests.Session()
            files = {name: photo_png(40, 40, seed=100 * number + image) for image, name in enumerate(names)}
            answer = client.post(
                f"{server.address}/upload", files={"file": ("a.zip", zip_bytes(files), "application/zip")}, timeout=60
            ).json()
            predictions = client.post(
                f"{server.address}/predict_optimized", json={"filenames": names}, timeout=60
            ).json()
            assert all("error" not in prediction for prediction in predictions)
            for name, data in files.items():
                assert client.get(f"{server.address}/uploaded_images/{name}", timeout=60).content == data
            return answer["stack_id"], [prediction["filename"] for prediction in predictions]

        with ThreadPoolExecutor(8) as pool:
            results = list(pool.map(work, range(8)))
        assert len({stack for stack, _ in results}) == 8
        for number, (_, names) in enumerate(results):
            assert names == [f"client-{number}-{image}.png" for image in range(5)]

        mine, theirs = results[0][0], results[1][0]
        client = requests.Session()
        client.cookies.set("aisr_stack", mine)
        for path in (
            "/uploaded_images/client-1-0.png",
            f"/uploaded_images/../{theirs}/client-1-0.png",
            f"/uploaded_images/%2e%2e/{theirs}/stack.zip",
            "/uploaded_images//etc/passwd",
            f"/api/v1/stacks/{theirs[:-1]}/images/0",
            f"/api/v1/stacks/{theirs.lower()}x/images/0",
            f"/api/v1/stacks/{mine}/../{theirs[:-1]}/images/0",
            "/api/v1/stacks",
            "/api/v1/stacks/",
        ):
            answer = client.get(server.address + path, timeout=60)
            # An address that is none of ours gets the page, as every address of the app does.
            assert answer.status_code in (400, 404, 405) or answer.headers["content-type"].startswith("text/html"), path
            assert theirs not in answer.text
        for listing in ("/api/metrics", "/api/v1/models", "/api/openapi.json", "/api/health/ready"):
            assert theirs not in client.get(server.address + listing, timeout=60).text
        forged = requests.Session()
        forged.cookies.set("aisr_stack", "A" * 22)
        assert forged.get(f"{server.address}/uploaded_images/client-1-0.png", timeout=60).status_code == 404

        first, second = new_context(browser), new_context(browser)
        for context, name in ((first, "first"), (second, "second")):
            page = context.new_page()
            page.goto(server.address)
            page.locator("input[type=file]").set_input_files(
                {
                    "name": f"{name}.zip",
                    "mimeType": "application/zip",
                    "buffer": zip_bytes({f"{name}.png": photo_png()}),
                }
            )
            expect(page.locator("[data-ref=canvas]")).to_have_attribute("data-painted", "sharp")
        for context, own, other in ((first, "first", "second"), (second, "second", "first")):
            expect(context.pages[0].get_by_text(f"{own}.png").first).to_be_visible()
            expect(context.pages[0].get_by_text(f"{other}.png")).to_have_count(0)
            assert not [cookie for cookie in context.cookies() if cookie["name"] == "aisr_stack"]
            context.close()


def test_below_a_base_path_pages_images_and_api_work(tmp_path: Path, model_cache: Path, page: Page) -> None:
    environment = folders(tmp_path, model_cache)
    failed: list[str] = []
    page.on("response", lambda response: failed.append(response.url) if response.status >= 400 else None)
    with app_server(ROOT / "app.py", tmp_path / "log", environment=environment, base_path="/tools/viewer") as server:
        page.goto(f"{server.address}/")
        data = zip_bytes({f"{number}.png": photo_png(64, 48, seed=number) for number in range(2)})
        page.locator("input[type=file]").set_input_files(
            {"name": "a.zip", "mimeType": "application/zip", "buffer": data}
        )
        expect(page.locator("[data-ref=canvas]")).to_have_attribute("data-painted", "sharp")
        page.get_by_role("button", name="All (2)").click()
        expect(page.get_by_text("2 images in")).to_be_visible()
        page.get_by_role("link", name="Inference").click()
        page.get_by_text("The same over HTTP").click()
        line = page.get_by_test_id("stCode").inner_text()
        assert f"{server.address}/api/v1/stacks/" in line
        documentation = requests.get(f"{server.address}/api/docs", timeout=60).text
        assert "/tools/viewer/api/openapi.json" in documentation
        assert "https://" not in documentation.replace("https://fastapi", ""), "it must work without the internet"
        root = server.address.removesuffix("/tools/viewer")
        assert requests.get(f"{root}/api/health/live", timeout=60).status_code == 404
    assert failed == []
