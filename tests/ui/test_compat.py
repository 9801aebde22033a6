"""What reaches into Streamlit, against the installed Streamlit."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from streamlit.proto.Common_pb2 import FileURLs
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.uploaded_file_manager import UploadedFile, UploadedFileRec

from pages._ui.compat import release_upload


def test_a_released_upload_is_gone_from_memory_and_still_readable(monkeypatch: pytest.MonkeyPatch) -> None:
    manager = MemoryUploadedFileManager("/upload")
    records = [UploadedFileRec(name, f"{name}.zip", "application/zip", b"content") for name in ("one", "two")]
    for record in records:
        manager.add_file("mine", record)
    context = SimpleNamespace(uploaded_file_mgr=manager, session_id="mine")
    monkeypatch.setattr("pages._ui.compat.get_script_run_ctx", lambda: context)
    uploaded = UploadedFile(records[0], FileURLs())

    release_upload(uploaded)

    assert manager.get_files("mine", ["one", "two"]) == [records[1]]
    assert uploaded.read() == b"content"


def test_outside_a_session_nothing_happens() -> None:
    release_upload(UploadedFile(UploadedFileRec("one", "one.zip", "application/zip", b""), FileURLs()))
