"""What pydicom reads of a DICOM file, to be compared with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def frames_by_pydicom(path: Path, most: int) -> tuple[list[NDArray[Any]], str]:
    """True values or RGB of the first frames, ``[H, W]`` or ``[H, W, 3]``, and words about them; none where it fails.

    Of enhanced files it does not know the slope and intercept of each frame.
    """
    from pydicom import dcmread
    from pydicom.pixels.processing import apply_color_lut, apply_modality_lut
    from pydicom.pixels.utils import pixel_array

    try:
        dataset = dcmread(path, force=True)
        kind = dataset.PhotometricInterpretation
        found = np.asarray(pixel_array(dataset))  # of any YBR it makes RGB
        if kind == "PALETTE COLOR":
            found = apply_color_lut(found, dataset)
            found = found if found.dtype == np.uint8 else found >> 8
        elif kind.startswith("MONOCHROME"):
            found = apply_modality_lut(found, dataset) * (255 if dataset.BitsAllocated == 1 else 1)
        whole = found.reshape(-1, *found.shape[-3 if kind[:4] != "MONO" else -2 :])
        return list(whole[:most]), f"{dataset.file_meta.TransferSyntaxUID.name}, {kind}, {len(whole)} frames"
    except Exception as error:
        return [], f"{type(error).__name__}: {error}".partition("\n")[0]
