"""Files of a model in a real browser: the two of an OpenVINO IR are sent together, or one after the other."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.foreign_models import tiny_ir

pytestmark = pytest.mark.browser


def test_two_files_become_one_model(page: Page, app_server: str, tmp_path: Path) -> None:
    graph = tiny_ir(tmp_path)
    numbers = graph.with_suffix(".bin")
    page.goto(f"{app_server}/optimize")
    field = page.get_by_label("Drop the model here")
    field.set_input_files([graph, numbers, tmp_path / "tiny.onnx"])
    expect(page.get_by_text("Send one model at a time")).to_be_visible()
    field.set_input_files([numbers, graph])
    expect(page.get_by_text("tiny.xml and tiny.bin")).to_be_visible()
    expect(page.get_by_text("Send one model at a time")).to_have_count(0)
    page.get_by_role("button", name="Remove").click()
    field.set_input_files(graph)
    page.get_by_label("Now its .bin").set_input_files(numbers)
    expect(page.get_by_text("tiny.xml and tiny.bin")).to_be_visible()
    expect(page.get_by_label("Network")).to_have_count(0)  # only state dicts are asked for it
