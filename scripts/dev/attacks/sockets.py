"""Attacks by way of Streamlit: its WebSocket, and its own upload route."""

from __future__ import annotations

import contextlib
import struct
import uuid
from collections import Counter

import requests
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from scripts.dev.attacks.registry import MB, TIMEOUT_SECONDS, AttackOutcome, Target, attack
from scripts.dev.attacks.visitor import connection_to_page


@attack(
    "files in memory", "a page's session that sends 60 files of 4 MB, and one of 200 MB, to Streamlit's upload route"
)
def files_in_memory(target: Target) -> AttackOutcome:
    """Which keeps them in memory until the session ends."""
    statuses: Counter[int] = Counter()
    with connection_to_page(target) as page:
        page.send(BackMsg(rerun_script=ClientState()).SerializeToString())
        message = ForwardMsg()
        while message.WhichOneof("type") != "new_session":
            message.ParseFromString(page.recv(TIMEOUT_SECONDS, decode=False))
        session = message.new_session.initialize.session_id
        with requests.Session() as client:
            token = client.get(f"{target.address}/_stcore/host-config", timeout=TIMEOUT_SECONDS).cookies
            headers = {"X-Xsrftoken": token.get("_streamlit_xsrf") or ""}
            client.get(f"{target.address}/_stcore/health", timeout=TIMEOUT_SECONDS)
            headers["X-Xsrftoken"] = client.cookies.get("_streamlit_xsrf") or ""
            for size in [int(3.9 * MB)] * 60 + [int(200 * MB)]:
                address = f"{target.address}/_stcore/upload_file/{session}/{uuid.uuid4()}"
                with contextlib.suppress(requests.RequestException):
                    answer = client.put(
                        address, files={"file": ("a.csv", bytes(size))}, headers=headers, timeout=TIMEOUT_SECONDS
                    )
                    statuses[answer.status_code] += 1
    taken = statuses[204]
    text = ", ".join(f"{count} × {status}" for status, count in sorted(statuses.items()))
    return AttackOutcome(0 < taken < 10, f"{taken} of 61 were kept ({text})")


@attack("large message", "a WebSocket message of 150 MB that never ends")
def large_message(target: Target) -> AttackOutcome:
    """Its frame is announced, and all but the last byte are sent."""
    size, sent = int(150 * MB), 0
    with connection_to_page(target) as page:
        raw = page.socket
        raw.settimeout(TIMEOUT_SECONDS)
        with contextlib.suppress(OSError):
            raw.sendall(b"\x82" + bytes([0x80 | 127]) + struct.pack("!Q", size) + bytes(4))
            while sent < size - 1_000_000:
                raw.sendall(bytes(1_000_000))
                sent += 1_000_000
        with contextlib.suppress(OSError):
            raw.close()
    return AttackOutcome(sent < size / 5, f"{sent / MB:.0f} MB were taken")
