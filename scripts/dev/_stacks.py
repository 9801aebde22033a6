"""Image stacks on disk, for the command lines."""

from __future__ import annotations

import tempfile
import zipfile
from pathlib import Path
from typing import BinaryIO


def open_stack_file(path: Path) -> BinaryIO:
    """The ZIP at ``path``, or the folder there as a ZIP, so that both go the same way and get the same names.

    Raises:
        OSError: nothing there, or it cannot be read.
    """
    if not path.is_dir():
        return path.open("rb")
    packed = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for file in sorted(path.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(path).as_posix())
    packed.seek(0)
    return packed
