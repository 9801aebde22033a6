"""A share of this machine's cores for each worker process, so that no two of them compute on the same ones."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import IO

from core.base.file_lock import open_locked


def claim_cores(count: int, folder: Path | None = None) -> IO[str] | None:
    """Keep this thread, and those it starts, to ``count`` cores that no other process has claimed in ``folder``.

    Decoders and engines then start as many threads as that, which they tell by themselves. The claim ends with the
    file that is returned, or with the process. Nothing is claimed where ``count`` are all there are, or none is free.
    """
    if not hasattr(os, "sched_setaffinity"):
        return None
    cores = sorted(os.sched_getaffinity(0))
    folder = folder or Path(tempfile.gettempdir()) / f"aisr-cores-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    for place in range(len(cores) // count if count < len(cores) else 0):
        held = open_locked(folder / str(place))
        if held is not None:
            os.sched_setaffinity(0, cores[place * count : (place + 1) * count])
            return held
    return None
