"""Attacks by files of weights."""

from __future__ import annotations

import io
import json
import pickle
import struct
import zipfile
from collections import Counter
from collections.abc import Callable

import requests

from scripts.dev.attacks.registry import MB, TIMEOUT_SECONDS, AttackOutcome, Target, attack
from scripts.dev.attacks.uploads import session_from

COPIES = 20


def _bytearray_pth() -> bytes:
    """A pickle of some bytes that asks for 2 GB."""
    opcodes = b"\x80\x02c__builtin__\nbytearray\n(J" + struct.pack("<i", 2_000_000_000) + b"tR."
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("archive/data.pkl", opcodes)
        archive.writestr("archive/version", b"3")
    return packed.getvalue()


def _runs_code_pth() -> bytes:
    return b"cos\nsystem\n(S'true'\ntR."


def _many_names_safetensors() -> bytes:
    names = {f"layer{number}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for number in range(100_000)}
    header = json.dumps(names).encode()
    return struct.pack("<Q", len(header)) + header


FILES: dict[str, Callable[[], bytes]] = {
    "bytes.pth": _bytearray_pth,
    "code.pth": _runs_code_pth,
    "names.safetensors": _many_names_safetensors,
    "header.safetensors": lambda: struct.pack("<Q", 2**62) + b"{}",
    "deep.pt": lambda: pickle.dumps(None, 2)[:2] + b"(" * 1_000_000 + b".",
}


@attack("hostile weights", "100 files of weights that claim gigabytes, from five addresses, and one of 600 MB")
def hostile_weights(target: Target) -> AttackOutcome:
    """They are kept on disk until a page asks for a model to be made of them, within the quotas."""
    statuses: Counter[int] = Counter()
    sent = 0
    for number, (name, make) in enumerate(FILES.items()):
        data = make()
        with session_from(f"127.0.4.{number + 1}") as session:
            for _ in range(COPIES):
                sent += len(data)
                statuses[_send(session, target, name, data)] += 1
    with session_from("127.0.4.99") as session:
        over = _send(session, target, "large.pth", bytes(int(600 * MB)))
    kept = sum(path.stat().st_size for path in target.work.rglob("files/*/*") if path.is_file())
    text = ", ".join(f"{count} × {status}" for status, count in sorted(statuses.items()))
    return AttackOutcome(over == 413 and kept <= sent, f"{text}; the large one {over}; {kept / MB:.0f} MB on disk")


def _send(session: requests.Session, target: Target, name: str, data: bytes) -> int:
    address = f"{target.address}/api/v1/files?name={name}"
    headers = {"Content-Type": "application/octet-stream"}
    try:
        return session.post(address, data=data, headers=headers, timeout=TIMEOUT_SECONDS).status_code
    except requests.ConnectionError:
        return 413  # it was told so before it had sent everything, and the connection was closed
