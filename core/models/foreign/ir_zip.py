"""The two files of an OpenVINO IR out of a stranger's ZIP; runs in the worker, which is held to limits."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path, PurePosixPath

from core.base.errors import WeightsInvalid
from core.base.settings import MIB

MOST_ENTRIES = 64  # an IR has two; exporters put configurations and notes beside it
OWN_CARD = "card.json"


def unpack_ir(archive: Path, folder: Path, most_bytes: int) -> Path:
    """Write ``model.xml`` and ``model.bin`` into ``folder``; the path of the first. Names in the ZIP go nowhere.

    Raises:
        WeightsInvalid: it is damaged or locked, does not hold exactly one pair, or one file has over ``most_bytes``.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            entries = [entry for entry in opened.infolist() if not entry.is_dir()]
            if len(entries) > MOST_ENTRIES:
                raise WeightsInvalid("The ZIP holds too many files; pack the model's .xml and .bin alone.")
            if any(PurePosixPath(entry.filename).name == OWN_CARD for entry in entries):
                raise WeightsInvalid(
                    "The ZIP holds a model of this app; unpack it into the models folder of the server's data folder."
                )
            for ending in (".xml", ".bin"):
                found = [entry for entry in entries if entry.filename.lower().endswith(ending)]
                if len(found) != 1:
                    raise WeightsInvalid(f"The ZIP holds {len(found)} {ending} files; pack one .xml and its .bin.")
                _write(opened, found[0], folder / f"model{ending}", most_bytes)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise WeightsInvalid("The ZIP is damaged, locked or of an unusual kind; pack the two files again.") from error
    return folder / "model.xml"


def _write(opened: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path, most_bytes: int) -> None:
    left = most_bytes
    with opened.open(entry) as source, target.open("xb") as file:
        while piece := source.read(MIB):
            left -= len(piece)
            if left < 0:  # whatever its header announces
                raise WeightsInvalid("A file in the ZIP is larger than AISR_MAX_WEIGHTS_BYTES allows; choose another.")
            file.write(piece)
