"""Decode what the starter is trained on into files that training maps into memory.

    python -m scripts.dev.prepare_starter --data STARTER CALTECH --auxiliary TINY --work FOLDER

STARTER and CALTECH hold ``train/CLASS/*`` and ``val/CLASS/*``; TINY holds ``train/CLASS/images/*`` (Tiny ImageNet). One
in twenty training photos of each class goes to ``watch``, which follows the training; ``val`` is never learnt from and
never followed, and what shows the same as a photo of it is left out of training. Faces and Faces_easy are the same
photos, whole and cut out: a face that either has in ``val`` is in neither's training.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from scripts.dev._packed import pack
from scripts.dev._photos import PhotoFiles, decode, find_photos

WATCHED = 20  # one in so many
SAME = 0.985  # correlation of 16x16 thumbnails: the same photo in another size, crop by a few pixels, or compression
THUMBNAIL = 16
TWINS = ("Faces", "Faces_easy")  # file by file the same photos


def thumbnails(paths: Sequence[Path]) -> NDArray[np.float32]:
    """Unit vectors float32 ``[N, 768]`` that are alike where photos are, whatever their size and brightness."""

    def one(path: Path) -> NDArray[np.float32]:
        small = decode(path).resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX)
        values = np.asarray(small, np.float32).ravel()
        values -= values.mean()
        return values / max(float(np.linalg.norm(values)), 1e-6)

    with ThreadPoolExecutor(2) as pool:
        return np.stack(list(pool.map(one, paths)))


def shown_again(paths: Sequence[Path], unseen: Sequence[Path], same: float = SAME) -> NDArray[np.bool_]:
    """Which of ``paths`` show the same as one of ``unseen``, mirrored or not: bool ``[N]``."""
    against = thumbnails(unseen)
    mirrored = against.reshape(-1, THUMBNAIL, THUMBNAIL, 3)[:, :, ::-1].reshape(len(against), -1)
    against = np.concatenate([against, mirrored])
    found = np.zeros(len(paths), bool)
    for start in range(0, len(paths), 2048):  # products of 2048 by all: tens of MB
        products = thumbnails(paths[start : start + 2048]) @ against.T
        found[start : start + 2048] = products.max(axis=1) >= same
    return found


def twins_of(unseen: Sequence[Path]) -> set[tuple[str, str]]:
    """(class folder, file name) of the twins of ``unseen``, and their own."""
    faces = {path.name for path in unseen if path.parent.name in TWINS}
    return {(folder, name) for folder in TWINS for name in faces}


def watched(labels: NDArray[np.int64], one_in: int = WATCHED) -> NDArray[np.bool_]:
    """One in so many of each class, at least one, evenly over its files: bool ``[N]``."""
    chosen = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        chosen[np.flatnonzero(labels == label)[::one_in]] = True
    return chosen


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; see the module's text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="folders with train/ and val/")
    parser.add_argument("--auxiliary", type=Path, required=True, help="folder with train/CLASS/images/*")
    parser.add_argument("--work", type=Path, required=True, help="where photos/, watch/ and auxiliary/ are written")
    options = parser.parse_args(arguments)
    unseen = find_photos([folder / "val" for folder in options.data]).paths
    files = find_photos([folder / "train" for folder in options.data])
    again, twins = shown_again(files.paths, unseen), twins_of(unseen)
    again |= np.array([(path.parent.name, path.name) in twins for path in files.paths])
    files = files.at(np.flatnonzero(~again))
    watch = watched(files.labels)
    _write(options.work / "photos", files.at(np.flatnonzero(~watch)), int(again.sum()))
    _write(options.work / "watch", files.at(np.flatnonzero(watch)), 0)
    names = sorted(path.name for path in (options.auxiliary / "train").iterdir() if path.is_dir())
    lists = [sorted((options.auxiliary / "train" / name / "images").iterdir()) for name in names]
    paths = [path for files_of_one in lists for path in files_of_one]
    labels = np.repeat(np.arange(len(names)), [len(files_of_one) for files_of_one in lists])
    again = shown_again(paths, unseen)
    auxiliary = PhotoFiles(paths, labels, tuple(names)).at(np.flatnonzero(~again))
    _write(options.work / "auxiliary", auxiliary, int(again.sum()))
    return 0


def _write(folder: Path, files: PhotoFiles, left_out: int) -> None:
    photos = ((decode(path), int(label)) for path, label in zip(files.paths, files.labels, strict=True))
    count = pack(folder, photos, files.classes)
    print(f"{folder.name}: {count:,} photos of {len(files.classes)} classes, {left_out:,} left out", flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
