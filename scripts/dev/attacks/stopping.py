"""Being told to stop at a bad moment."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import threading
import time
import zipfile
from pathlib import Path

import requests
from PIL import Image

from scripts.dev.attacks.registry import TIMEOUT_SECONDS, AttackOutcome, Target, attack
from scripts.dev.attacks.uploads import ZIP


@attack("stopped while decoding", "SIGTERM while images of 64 megapixels are decoded", alone=True)
def stopped_while_decoding(target: Target) -> AttackOutcome:
    """The process should be gone, with its files, in the ten seconds that docker gives it."""
    image, packed = io.BytesIO(), io.BytesIO()
    Image.new("RGB", (8000, 8000)).save(image, "PNG", compress_level=1)
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for number in range(20):
            archive.writestr(f"{number}.png", image.getvalue())
    created = requests.post(
        f"{target.address}/api/v1/stacks?name=a.zip", data=packed.getvalue(), headers=ZIP, timeout=TIMEOUT_SECONDS
    ).json()
    stack = f"{target.address}/api/v1/stacks/{created['stack_id']}"

    def ask(kind: str) -> None:
        with contextlib.suppress(requests.RequestException):
            requests.get(f"{stack}/images/0/{kind}", timeout=60)

    for kind in ("values", "display", "thumbnail") * 4:
        threading.Thread(target=ask, args=(kind,), daemon=True).start()
    time.sleep(1)
    os.kill(target.pid, signal.SIGTERM)
    started = time.monotonic()
    while _runs(target.pid) and time.monotonic() - started < 40:
        time.sleep(0.1)
    seconds = time.monotonic() - started
    left = sum(path.stat().st_size for path in target.work.rglob("*") if path.is_file())
    return AttackOutcome(seconds <= 10 and left == 0, f"gone after {seconds:.1f} s; {left / 1e6:.0f} MB left on disk")


def _runs(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    return False
