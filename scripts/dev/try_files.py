"""Read image files of others, such as a library's own test files, and compare what comes out with Pillow or pydicom.

``python -m scripts.try_files FOLDER`` looks at every file below the folder whose name is that of a registered
format, or says nothing, and prints what became of each: the same as Pillow gives (of DICOM files, pydicom), refused
with a reason, or **wrong**, which is also an exception that is none of the product's own, more than five seconds, or a
frame whose size is not that of its header. Exit code 1 says that something is wrong. Files that only one of the two can
read are listed to be looked at.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from core.base.errors import ImageError
from core.images.formats import format_of_content, format_of_name, says_nothing
from core.images.formats.format import ImageFormat, InMemory, Pixels, check_size
from core.images.pixels import to_rgb
from scripts.dev._pydicom_judge import frames_by_pydicom

MAX_PIXELS = 100_000_000
MOST_FRAMES = 30  # of a file
SLOW_SECONDS = 5.0


def main(arguments: list[str] | None = None) -> int:
    """Look at all files; 1 where something is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--all", action="store_true", help="print those that are as they should be, too")
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore")
    found: Counter[str] = Counter()
    for path in sorted(path for path in options.folder.rglob("*") if path.is_file()):
        image_format = format_of_name(path.name)
        if image_format is None and says_nothing(path.name):
            image_format = format_of_content(InMemory(path.read_bytes()))
        if image_format is None:
            continue
        verdict, words = _try(path, image_format)
        found[verdict] += 1
        if options.all or verdict not in ("same",):
            print(f"{verdict:8} {path.relative_to(options.folder)}: {words}", flush=True)
    print(", ".join(f"{count} {verdict}" for verdict, count in found.most_common()))
    return 1 if found["wrong"] else 0


def _try(path: Path, image_format: ImageFormat) -> tuple[str, str]:  # noqa: PLR0911
    file = InMemory(path.read_bytes())
    started = time.perf_counter()
    try:
        headers = list(islice(image_format.read_headers(file), MOST_FRAMES))
        for header in headers:
            check_size(header, MAX_PIXELS)
        frames = [image_format.decode(file, frame, max_pixels=MAX_PIXELS) for frame in range(len(headers))]
    except ImageError as error:
        if time.perf_counter() - started > SLOW_SECONDS:
            return "wrong", f"{error} So late."
        return "refused", f"{error} [{_judged(image_format, path, 1)[1]}]"
    except Exception as error:
        return "wrong", f"{type(error).__name__}: {error}"
    if time.perf_counter() - started > SLOW_SECONDS:
        return "wrong", f"{len(frames)} frames, so slowly"
    for header, frame in zip(headers, frames, strict=True):
        if frame.shape[:2] != (header.height, header.width):
            return "wrong", f"{frame.shape} is not {header}"
    others, words = _judged(image_format, path, len(frames))
    kind = f"{len(frames)} x {headers[0].width} x {headers[0].height}, {headers[0].description}"
    if not others:
        return "alone", f"{kind} [{words}]"
    if len(others) != len(frames):
        return "differs", f"{kind}, Pillow has {len(others)} frames"
    differences = [_difference(image_format, frame, other) for frame, other in zip(frames, others, strict=True)]
    return ("same" if max(differences) <= 1 else "differs"), f"{kind}, by {max(differences):.0f}"


def _judged(image_format: ImageFormat, path: Path, most: int) -> tuple[list[NDArray[Any]], str]:
    """The first frames as the judge of the format has them, and its words."""
    judge, name = (frames_by_pydicom, "pydicom") if image_format.name == "DICOM" else (_pillow, "Pillow")
    found, words = judge(path, most)
    return found, f"{name}: {words}"


def _pillow(path: Path, most: int) -> tuple[list[NDArray[np.uint8]], str]:
    try:
        with Image.open(path) as image:
            frames = []
            first = 1 if image.info.get("default_image") else 0  # which is no frame of the animation
            for number in range(first, min(getattr(image, "n_frames", 1), first + most)):
                image.seek(number)
                frames.append(_pillow_rgb(ImageOps.exif_transpose(image)))
            return frames, f"{image.format} {image.mode}, {getattr(image, 'n_frames', 1)} frames"
    except Exception as error:
        return [], f"{type(error).__name__}: {error}"


def _pillow_rgb(image: Image.Image) -> NDArray[np.uint8]:
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        over = Image.new("RGBA", image.size, "white")
        over.alpha_composite(image.convert("RGBA"))
        return np.asarray(over.convert("RGB"))
    if image.mode.startswith(("I", "F")):
        return to_rgb(np.asarray(image)[..., np.newaxis])
    return np.asarray(image.convert("RGB"))


def _difference(image_format: ImageFormat, frame: Pixels, other: NDArray[Any]) -> float:
    """The largest, of 255, or of true values where those are judged; all of it where the sizes differ."""
    if image_format.name == "DICOM":
        values = frame[..., 0] if frame.shape[2] == 1 else frame
        return float(np.abs(values.astype(float) - other).max()) if values.shape == other.shape else 255.0
    rgb = to_rgb(frame)
    return float(np.abs(rgb.astype(int) - other).max()) if rgb.shape == other.shape else 255.0


if __name__ == "__main__":
    sys.exit(main())
