"""A model as a repository for OpenVINO Model Server: ``config.json``, and a numbered folder of its IR."""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from pathlib import Path

from core.base.errors import ModelError
from core.models.model import Model
from core.models.openvino_ir import save_turned_round


def write_repository(model: Model, folder: Path) -> Path:
    """Write ``config.json`` and ``NAME/1/model.xml`` with its ``.bin`` into ``folder``; returns the IR's path.

    The server decodes images to BGR, so its IR takes uint8 BGR images ``[batch, height, width, 3]`` of any size.

    Raises:
        ModelError: the model has no INT8 copy, or is damaged.
        DiskFull, OSError: the files cannot be written.
    """
    if not model.has_int8:
        raise ModelError(f"{model.title} has no INT8 copy yet: calibrate it first.")
    name = model.card.name
    path = folder / name / "1" / "model.xml"
    path.parent.mkdir(parents=True, exist_ok=True)
    save_turned_round(model.int8_ir(), path)
    config = {"model_config_list": [{"config": {"name": name, "base_path": f"/models/{name}"}}]}
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    return path


def pack_repository(model: Model) -> bytes:
    """``write_repository``'s folder as a ZIP.

    Raises:
        ModelError, DiskFull, OSError: as ``write_repository``.
    """
    packed = io.BytesIO()
    with tempfile.TemporaryDirectory() as name, zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        folder = Path(name)
        write_repository(model, folder)
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(folder))
    return packed.getvalue()
