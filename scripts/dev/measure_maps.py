"""Measure class activation maps: do they point at what they are about, and what does keeping them cost?

    python -m scripts.measure_maps truth --data FOLDER
    python -m scripts.measure_maps cost STACK.zip

FOLDER holds ``val/CLASS/*.jpg``. Truth: two photos of different classes side by side in one square image, the peak of
each class's map should lie in its half. Cost: a recognition that keeps maps against one that does not, in CPU time,
which other work on the machine hardly changes. Exit code 1 where a target is missed.
"""

from __future__ import annotations

import argparse
import random
import resource
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.base.settings import get_settings
from core.engines.engine import EngineName
from core.engines.registry import default_engine, engine_label, engine_names
from core.images.pixels import to_model_input
from core.models.head import read_head
from core.models.model import Model
from core.models.registry import ModelRegistry
from core.recognition.recognize import recognize
from core.stacks.store import StackStore
from core.trust.agreement import wilson_interval
from core.trust.map_folder import MapFolder
from core.trust.maps import maps_of, outputs_for_maps
from scripts._stacks import open_stack
from scripts.dev._photos import load_photos

TRUTH_TARGET = 0.85
COST_TARGET = 0.05
BATCH = 8


def side_by_side(left: Image.Image, right: Image.Image, side: int) -> NDArray[np.uint8]:
    """A square uint8 ``[side, side, 3]`` of the middle columns of two photos, each whole in height."""
    halves = []
    for photo in (left, right):
        square = photo.resize((side, side), Image.Resampling.BILINEAR)
        halves.append(np.asarray(square)[:, side // 4 : side // 4 + side // 2])
    return np.concatenate(halves, axis=1)


def truth(model: Model, engine: EngineName, data: Path, pairs: int, seed: int) -> bool:
    """Print how often peaks lie in their halves; whether that is often enough."""
    photos = load_photos(data / "val")
    if photos.classes != model.card.classes:
        raise SystemExit(f"The folders in {data / 'val'} are not the classes of {model.card.name}.")
    head = read_head(model)
    names = outputs_for_maps(model.stages, head.weight.shape[1])
    rng = random.Random(seed)  # noqa: S311 - which photos are looked at
    hits = []
    for _ in range(pairs):
        first, second = rng.sample(range(len(photos.classes)), 2)
        chosen = [photos.images[rng.choice(np.flatnonzero(photos.labels == label))] for label in (first, second)]
        # As large as what is resized to 256: the crop then takes as much from both sides.
        inputs = to_model_input(side_by_side(chosen[0], chosen[1], model.preprocessing.resize), model.preprocessing)
        found = model.engine(engine).infer(np.stack([inputs]), names)
        maps = maps_of(found, 0, names, head.weight[[first, second]])
        hits += [_peak(maps[0]) < 0.5, _peak(maps[1]) > 0.5]
    low, high = wilson_interval(sum(hits), len(hits))
    print(
        f"{model.card.name}, {engine_label(engine)}: in {pairs} pairs the peak of each class lies in its half "
        f"{np.mean(hits):.1%} of the time (95% interval {low:.1%} to {high:.1%}); "
        f"both at once in {np.mean(np.array(hits).reshape(-1, 2).all(axis=1)):.1%}"
    )
    return bool(np.mean(hits) >= TRUTH_TARGET)


def cost(model: Model, engine: EngineName, path: Path, pairs: int) -> bool:
    """Print what keeping maps adds to a recognition whose images are decoded; whether that is little enough."""
    settings = get_settings()
    store = StackStore(settings)
    try:
        stack = open_stack(store, path)
        with tempfile.TemporaryDirectory() as folder:
            maps = MapFolder(stack, model, Path(folder))

            def seconds(*, keep: bool) -> float:
                before = _cpu_seconds()
                recognize(
                    stack,
                    range(len(stack)),
                    model,
                    engine,
                    settings,
                    batch_size=BATCH,
                    also=maps.also if keep else None,
                )
                maps.written()
                return _cpu_seconds() - before

            seconds(keep=False), seconds(keep=True)  # decode, compile
            added = [seconds(keep=True) / seconds(keep=False) - 1 for _ in range(pairs)]
    finally:
        store.close()
    middle = statistics.median(added)
    print(f"{model.card.name}, {engine_label(engine)}: maps add {middle:.1%} of CPU time (median of {pairs} pairs)")
    return bool(middle <= COST_TARGET)


def _peak(values: NDArray[np.float32]) -> float:
    """Where the highest value's column lies, 0..1 from left to right."""
    return float((int(values.argmax()) % values.shape[1] + 0.5) / values.shape[1])


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return float(used.ru_utime + used.ru_stime)


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; see the module's text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(dest="kind", required=True)
    for kind in ("truth", "cost"):
        added = kinds.add_parser(kind)
        added.add_argument("--model", help="name of an installed model (default: the app's)")
        added.add_argument("--engine", choices=engine_names(), default=default_engine().name)
        added.add_argument("--pairs", type=int, default=300 if kind == "truth" else 10)
    kinds.choices["truth"].add_argument("--data", type=Path, required=True, help="folder with val/CLASS/*")
    kinds.choices["truth"].add_argument("--seed", type=int, default=0)
    kinds.choices["cost"].add_argument("stack", type=Path, metavar="STACK.zip|FOLDER")
    options = parser.parse_args(arguments)
    model = ModelRegistry(get_settings()).get(options.model)
    if options.kind == "truth":
        held = truth(model, options.engine, options.data, options.pairs, options.seed)
    else:
        held = cost(model, options.engine, options.stack, options.pairs)
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
