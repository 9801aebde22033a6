"""Measure what a stack of each format costs, against PNG and against decoding with Pillow.

Photos come from a ZIP of JPEGs (``--photos``), enlarged or as they are; the microscope's and the scanner's images are
made up. CPU seconds are those of all cores together: other work on the machine hardly changes them, and ratios within
one run less still.

python -m scripts.measure_formats --photos photos.zip --camera 60 --small 600 --pages 2000 --slices 500
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import psutil
import tifffile
from numpy.typing import NDArray
from PIL import Image

from core.base.settings import Settings
from core.engines.registry import default_engine
from core.models.registry import ModelRegistry
from core.recognition.classifier import Classifier
from core.stacks.sample_volumes import ct_image
from core.stacks.stack import ImageStack
from core.stacks.store import StackStore

CAMERA_SIZE, SMALL_SIZE = (4000, 3000), (500, 375)
DIFFERENT = 20  # photos; the others of a stack repeat them
SIDE = 512  # of pages and slices
SHOWN = 50  # images that are asked for as a viewer does


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; see the module's text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True, metavar="PHOTOS.zip")
    parser.add_argument("--camera", type=int, default=60, help="JPEGs of 12 megapixels")
    parser.add_argument("--small", type=int, default=600, help="JPEGs of 500x375, and as many PNGs")
    parser.add_argument("--pages", type=int, default=2000, help="of a TIFF, 512x512 of 16 bits")
    parser.add_argument("--slices", type=int, default=500, help="of a CT, 512x512")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(work_dir=Path(folder) / "work", cache_dir=Path(folder) / "cache", max_stored_bytes=2**34)
        store, registry = StackStore(settings), ModelRegistry(settings)
        classifier = Classifier(registry.get(registry.default_name), default_engine().name)
        classifier.predict([np.zeros((300, 300, 3), np.uint8)])
        _photos(options.photos, options.camera, options.small, classifier, store)
        _volume("TIFF", _tiff(Path(folder), options.pages), store)
        _volume("CT", _slices(Path(folder), options.slices), store)
        store.close()
    return 0


def _photos(path: Path, camera: int, small: int, classifier: Classifier, store: StackStore) -> None:
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if name.lower().endswith((".jpg", ".jpeg"))]
        photos = [Image.open(io.BytesIO(archive.read(name))).convert("RGB") for name in names[:DIFFERENT]]
    large = [_saved(photo.resize(CAMERA_SIZE, Image.Resampling.LANCZOS), "JPEG", quality=90) for photo in photos]
    large = [large[number % len(large)] for number in range(camera)]
    ours, found = _timed(lambda: classifier.predict(large))
    others, wanted = _timed(lambda: [classifier.predict([_by_pillow(data)])[0] for data in large])
    same = sum(one.top[0].label == other.top[0].label for one, other in zip(found, wanted, strict=True))
    _tell(f"{camera} JPEGs of 12 megapixels, bytes to answers", ours, camera)
    _tell("the same, decoded whole by Pillow", others, camera)
    print(f"  {others / ours:.1f} times as much; {same} of {camera} answers are the same")
    little = [photo.resize(SMALL_SIZE, Image.Resampling.LANCZOS) for photo in photos]
    took = {}
    for kind in ("JPEG", "PNG"):
        files = [_saved(photo, kind) for photo in little]
        data = _zipped((f"{number}.{kind.lower()}", files[number % len(files)]) for number in range(small))
        took[kind], stack = _timed(partial(_created, store, data))
        _tell(f"{small} {kind}s of 500x375, from the ZIP to thumbnails and model inputs", took[kind], small)
        store.delete(stack.id)
    print(f"  JPEG takes {took['JPEG'] / took['PNG']:.2f} of PNG")


def _volume(kind: str, path: Path, store: StackStore) -> None:
    """Opened in place, looked through as a viewer does, and prepared."""
    opened, stack = _timed(lambda: store.open(path, path.name))
    print(f"{kind}: {path.stat().st_size / 1e6:,.0f} MB")
    _tell(f"{len(stack):,} images opened", opened, len(stack))
    order = [stack.entries[index].name for index in range(len(stack))]
    print(f"  from {order[0]} to {order[-1]}")
    places = np.random.default_rng(0).integers(0, len(stack), SHOWN)
    shown, _ = _timed(lambda: [stack.picture(int(index)) for index in places])
    _tell("one shown", shown, SHOWN)
    before = psutil.Process().memory_info().rss
    prepared, _ = _timed(lambda: _prepared(stack))
    _tell("all prepared", prepared, len(stack))
    print(f"  memory grew by {(psutil.Process().memory_info().rss - before) / 1e6:.0f} MB")
    store.delete(stack.id)
    path.unlink()


def _tiff(folder: Path, pages: int) -> Path:
    random, path, packed = np.random.default_rng(0), folder / "pages.tif", folder / "pages.zip"
    with tifffile.TiffWriter(path, bigtiff=True) as writer:
        for _ in range(pages):
            writer.write(_noise(random), metadata=None, photometric="minisblack")
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        archive.write(path, path.name)
    path.unlink()
    return packed


def _slices(folder: Path, slices: int) -> Path:
    """Names go the other way than positions."""
    random, packed = np.random.default_rng(0), folder / "slices.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for number in range(1, slices + 1):
            archive.writestr(f"IM{number:05}", ct_image(_noise(random) // 16, number, -float(number)))
    return packed


def _noise(random: np.random.Generator) -> NDArray[np.uint16]:
    """Smooth shapes under noise, so that it is neither empty nor incompressible."""
    coarse = Image.fromarray(random.integers(2000, 60000, (8, 8)).astype(np.float32)).resize((SIDE, SIDE))
    return (np.asarray(coarse) + random.normal(0, 50, (SIDE, SIDE))).clip(0, 65535).astype(np.uint16)


def _prepared(stack: ImageStack) -> ImageStack:
    for _, job in stack.prepare_ahead(range(len(stack))):
        job.result()
    return stack


def _created(store: StackStore, data: bytes) -> ImageStack:
    return _prepared(store.create(io.BytesIO(data), "a.zip"))


def _by_pillow(data: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def _saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _zipped(files: Iterator[tuple[str, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files:
            archive.writestr(name, data)
    return buffer.getvalue()


Result = TypeVar("Result")


def _timed(work: Callable[[], Result]) -> tuple[float, Result]:
    """CPU seconds, and what it gave."""
    started = time.process_time()
    found = work()
    return time.process_time() - started, found


def _tell(what: str, seconds: float, count: int) -> None:
    print(f"{what}: {seconds:.2f} s of CPU time, {1000 * seconds / max(count, 1):.2f} ms each", flush=True)


if __name__ == "__main__":
    sys.exit(main())
