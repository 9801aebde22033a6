"""Below a path of its own behind nginx, with the example configuration: pages, components, uploads, the API."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Browser, Response, expect

from core.base.settings import MIB, PROJECT_ROOT, Settings
from scripts.dev._app_server import app_server
from tests.builders import photo_png, zip_bytes
from tests.helpers import SECONDS, wait_until
from tests.packaging.test_container import free_port

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/bin")
BASE = "/recognizer"
pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed (Debian: apt install nginx-light)")

MAIN = """
daemon off;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{}}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/site.conf;
}}
"""


@dataclass(frozen=True)
class Site:
    """The app as the world sees it, and the folder of its stacks."""

    address: str
    work: Path
    log: Path


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The address of the app behind nginx; only the ports are not those of the example."""
    folder = tmp_path_factory.mktemp("proxy")
    example = (PROJECT_ROOT / "deploy" / "nginx.conf").read_text()
    environment = {
        "AISR_WORK_DIR": str(folder / "work"),
        "AISR_CACHE_DIR": str(folder / "cache"),
        "AISR_TRUSTED_PROXIES": "127.0.0.1",
        "AISR_BATCH_SIZE": "4",
    }
    with app_server(PROJECT_ROOT / "app.py", folder / "app.log", environment=environment, base_path=BASE) as server:
        port = free_port()
        upstream = server.address.removeprefix("http://").removesuffix(BASE)
        changed = example.replace("127.0.0.1:8501", upstream).replace("listen 80;", f"listen 127.0.0.1:{port};")
        assert changed.count(upstream) == changed.count(f"listen 127.0.0.1:{port};") == 1
        (folder / "site.conf").write_text(changed)
        (folder / "nginx.conf").write_text(MAIN.format(folder=folder))
        with (folder / "nginx.log").open("wb") as log:
            nginx = subprocess.Popen([str(NGINX), "-p", folder, "-c", folder / "nginx.conf"], stderr=log)
        try:
            wait_for(port, nginx, folder / "nginx.log")
            yield Site(f"http://127.0.0.1:{port}{BASE}", folder / "work", folder / "app.log")
        finally:
            nginx.terminate()
            nginx.wait(SECONDS)


def wait_for(port: int, nginx: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + SECONDS
    while nginx.poll() is None and time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    pytest.fail(f"nginx did not start:\n{log.read_text()}")


def test_the_api_is_there_and_only_there(site: Site) -> None:
    client = requests.Session()
    name = "ä/1 & 2.png"
    answer = client.post(
        f"{site.address}/upload",
        files={"file": ("a.zip", zip_bytes({name: photo_png()}), "application/zip")},
        timeout=60,
    )
    assert answer.status_code == 200
    assert client.get(f"{site.address}/uploaded_images/{requests.utils.quote(name)}", timeout=60).content == photo_png()
    body = {"filenames": [name], "batch_size": 1}
    predictions = client.post(f"{site.address}/predict_optimized", json=body, timeout=60).json()
    assert predictions[0]["class"] != "error"
    document = client.get(f"{site.address}/api/openapi.json", timeout=60).json()
    assert document["servers"] == [{"url": BASE}]
    page = client.get(f"{site.address}/api/docs", timeout=60).text
    assert f"{BASE}/api/openapi.json" in page
    root = site.address.removesuffix(BASE)
    assert client.post(f"{root}/upload", timeout=60).status_code in (403, 404, 405)
    assert client.get(f"{root}/api/health/live", timeout=60).status_code in (403, 404)
    assert client.get(root + BASE, timeout=60).url == f"{site.address}/"


def begin_upload(site: Site, size: int) -> socket.socket:
    """An upload of ``size`` bytes of which the first megabyte has been sent."""
    host, port = site.address.removeprefix("http://").removesuffix(BASE).split(":")
    connection = socket.create_connection((host, int(port)), 20)
    connection.sendall(
        f"POST {BASE}/api/v1/stacks?name=a.zip HTTP/1.1\r\nHost: x\r\nContent-Type: application/zip\r\n"
        f"Content-Length: {size}\r\n\r\n".encode()
        + bytes(MIB)
    )
    return connection


def test_an_upload_of_any_size_reaches_the_app_while_it_is_sent(site: Site) -> None:
    def arrived() -> int:
        return sum(path.stat().st_size for path in site.work.glob("run-*/*/stack.zip"))

    before = arrived()
    with begin_upload(site, Settings().max_upload_bytes):
        wait_until(lambda: arrived() > before, "the first bytes on the app's disk")
    wait_until(lambda: arrived() == before, "the end of an upload that the client gave up")


@pytest.mark.browser
def test_pages_components_pictures_and_uploads_work_in_a_browser(site: Site, browser: Browser) -> None:
    page = browser.new_page()
    strays: list[str] = []
    failures: list[str] = []

    requested: list[str] = []

    def check(response: Response) -> None:
        requested.append(response.url)
        if not response.url.startswith((f"{site.address}/", "blob:", "data:")):
            strays.append(response.url)
        # A page that is opened by its own address looks for the server beside itself first.
        if response.status >= 400 and f"{BASE}/optimize/_stcore/" not in response.url:
            failures.append(f"{response.status} {response.url}")

    page.on("response", check)
    page.goto(f"{site.address}/")
    page.locator("input[type=file]").set_input_files(
        {
            "name": "a.zip",
            "mimeType": "application/zip",
            "buffer": zip_bytes({f"photo-{number}.png": photo_png(64, 64, seed=number) for number in range(3)}),
        }
    )
    expect(page.locator("[data-ref=canvas]")).to_have_attribute("data-painted", "sharp")
    page.get_by_role("button", name="All (").click()
    expect(page.get_by_text(re.compile("OpenVINO INT8: 3 images"))).to_be_visible()
    page.get_by_role("link", name="Inference").click()
    expect(page).to_have_url(f"{site.address}/inference")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download CSV").click()
    assert "photo-2.png" in Path(download.value.path()).read_text()
    page.get_by_text("The same over HTTP").click()
    expect(page.get_by_text(f"{site.address}/api/v1/stacks/")).to_be_visible()
    documentation = page.get_by_role("link", name="api/docs").get_attribute("href")
    page.goto(str(documentation))
    expect(page.get_by_text("/predict_optimized")).to_be_visible()
    page.goto(f"{site.address}/")
    expect(page.locator("[data-ref=best]").get_by_role("listitem")).to_have_count(5)  # no request is on its way
    page.get_by_role("button", name="1 open").click()
    page.get_by_role("button", name="Close", exact=True).click()
    expect(page.get_by_role("button", name="Try a sample stack")).to_be_visible()
    page.goto(f"{site.address}/optimize")
    page.get_by_test_id("stPageLink-NavLink").click()  # "no stack is open": the way back to the viewer
    expect(page.get_by_role("button", name="Try a sample stack")).to_be_visible()
    expect(page).to_have_url(re.compile(f"^{re.escape(site.address)}/?$"))
    page.close()
    log = site.log.read_text()
    (stack,) = set(re.findall(r"/api/v1/stacks/([\w-]{22})/images", " ".join(requested)))
    assert f" door=page stack={stack[:6]} " in log
    assert stack not in log, "neither our own log nor Streamlit's or uvicorn's tells the key to a stack"
    assert "photo-" not in log
    assert not strays, "everything lies below the path"
    assert not failures
