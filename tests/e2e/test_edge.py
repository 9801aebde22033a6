"""The rules that browsers are told, on every page of the app in a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from scripts.dev._app_server import app_server
from tests.builders import photo_png, zip_bytes
from tests.e2e.contexts import new_context
from tests.e2e.server import ROOT, folders

PASSWORD = "correct horse battery staple"  # noqa: S105 - of this test only
STACK = {
    "name": "a.zip",
    "mimeType": "application/zip",
    "buffer": zip_bytes({f"photo-{number}.png": photo_png(64, 64, seed=number) for number in range(5)}),
}


@contextmanager
def visited(browser: Browser, **options: object) -> Iterator[tuple[Page, list[str], set[str]]]:
    """A page, what it complained about, and the hosts it asked for something."""
    context = new_context(browser, viewport={"width": 1280, "height": 900}, **options)
    page = context.new_page()
    complaints: list[str] = []
    hosts: set[str] = set()

    def hear(message: ConsoleMessage) -> None:
        if message.type == "error" or "Content Security Policy" in message.text:
            complaints.append(message.text)

    page.on("console", hear)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: hosts.add(re.sub(r"^(\w+:(?://[^/]+)?).*", r"\1", request.url)))
    yield page, complaints, hosts
    context.close()


@pytest.mark.browser
@pytest.mark.parametrize("base_path", ["", "/tool"])
def test_pages_ask_nobody_else_and_break_no_rule_of_their_own(
    browser: Browser, tmp_path: Path, model_cache: Path, base_path: str
) -> None:
    """With a password, and below a path of its own; the weights' field and the component from elsewhere included."""
    environment = folders(tmp_path, model_cache) | {"AISR_ACCESS_TOKEN": PASSWORD}
    credentials = {"username": "anybody", "password": PASSWORD}
    with (
        app_server(ROOT / "app.py", tmp_path / "log", environment=environment, base_path=base_path) as server,
        visited(browser, http_credentials=credentials) as (page, complaints, hosts),
    ):
        page.goto(f"{server.address}/")
        page.locator("input[type=file]").set_input_files(STACK)
        expect(page.locator("[data-ref=canvas]")).to_have_attribute("data-painted", "sharp")
        page.get_by_role("button", name="All (").click()
        expect(page.get_by_text(re.compile("OpenVINO INT8: 5 images"))).to_be_visible()
        page.get_by_role("link", name="Inference").click()
        gallery = page.frame_locator("iframe").locator("img").first  # streamlit-image-select, with its web font
        expect(gallery).to_be_visible()
        page.get_by_role("link", name="Optimize").click()
        weights = ROOT / "models" / "starter" / "weights.safetensors"
        page.locator("input[type=file][accept*=safetensors]").set_input_files(weights)
        expect(page.get_by_text("weights.safetensors")).to_be_visible()
        page.get_by_role("link", name="Benchmark").click()
        expect(page.get_by_role("heading", name="Benchmark")).to_be_visible()
        page.goto(f"{server.address}/api/docs")
        expect(page.get_by_text("/predict_optimized")).to_be_visible()
        own = re.sub(r"(//[^/]+).*", r"\1", server.address)
        assert hosts <= {own, "blob:", "data:"}
        assert not complaints
        anonymous = requests.get(f"{server.address}/api/v1/models", timeout=60)
        assert anonymous.status_code == 401
        assert anonymous.headers["content-security-policy"].startswith("default-src 'none'")


@pytest.mark.browser
def test_another_site_can_neither_frame_the_app_nor_post_to_it(browser: Browser, app_server: str) -> None:
    with visited(browser) as (page, _, _):
        # Another port is another origin, as another host would be.
        page.route("http://localhost:9/", lambda route: route.fulfill(body="<body></body>", content_type="text/html"))
        page.goto("http://localhost:9/")
        page.evaluate(
            """address => new Promise(done => {
                const frame = document.createElement("iframe");
                frame.src = address + "/";
                frame.onload = done;
                document.body.append(frame);
            })""",
            app_server,
        )
        assert len(page.frames) == 2
        assert page.frames[1].url.startswith("chrome-error:"), "the browser shows its own page in place of the app"
        status = page.evaluate(
            """address => new Promise(done => {
                const form = document.createElement("form");
                form.method = "post"; form.enctype = "multipart/form-data"; form.action = address + "/upload";
                document.body.append(form);
                done(0); form.submit();
            })""",
            app_server,
        )
        assert status == 0
        expect(page.get_by_text("another web site")).to_be_visible()
