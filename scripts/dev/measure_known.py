"""Compare scores of how known an image is: which tells photos of other things from those of the starter's classes?

    python -m scripts.measure_known --data FOLDER --foreign FOLDER --judge FOLDER

FOLDER of --data holds ``train/CLASS/*.jpg`` and ``val/CLASS/*.jpg``. Half of the --foreign photos choose, the other
half and those of --judge judge. For each score and set: the area under the ROC curve against known photos, and the
share of foreign photos that pass where 95% of known ones do. Statistics are of training photos, thresholds of 500
photos of ``val/``; the other photos of ``val/`` are the known ones.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.base.settings import get_settings
from core.engines.registry import default_engine, engine_names
from core.models.model import Model
from core.models.registry import ModelRegistry
from core.models.weight_files import safetensors
from core.recognition.known import mean_of_largest, unit_rows
from core.recognition.results import softmax
from core.trust.known import NEAREST, of_classes
from scripts.dev._photos import PhotoFiles, Seen, find_photos, look
from scripts.dev.trust_starter import FITTING, REFERENCES

Values = NDArray[Any]
Score = Callable[[Seen], Values]
# Benchmark photos that show something the starter knows: dogs, and the inside of a church.
SHOW_A_CLASS = (
    *("Pekinese", "terrier", "cairn", "pointer", "cocker_spaniel", "briard", "komondor", "Great_Dane", "malamute"),
    *("pug", "dogsled", "altar"),
)
LAST = slice(448, None)  # the last stage's features
_SHRINKING = 0.01


def scores(learnt: Seen, labels: NDArray[np.int64], fitting: Seen, model: Model) -> dict[str, Score]:
    """Every score by name, made of training photos ``learnt`` with their ``labels``; ours needs ``fitting`` too."""
    mean, spread = learnt.features.mean(axis=0), np.maximum(learnt.features.std(axis=0), 1e-6)
    classes = labels.max() + 1
    means = np.stack([learnt.features[labels == number].mean(axis=0) for number in range(classes)])
    near = _distance(learnt.features - means[labels], means)
    background = _distance(learnt.features - mean, mean[None])
    examples = unit_rows((learnt.features[::2] - mean) / spread)
    weight, bias = _last_layer(model)
    last = learnt.features[:, LAST]
    clip = np.quantile(last, 0.9)
    ours = of_classes(learnt.features, labels, fitting.features)

    def norm(seen: Seen) -> Values:
        return np.asarray(np.linalg.norm(seen.features[:, LAST], axis=1))

    return {
        "softmax": lambda seen: softmax(seen.logits).max(axis=1),
        "max-logit": lambda seen: seen.logits.max(axis=1),
        "energy": lambda seen: _energy(seen.logits),
        "ReAct (energy of features cut at their 90% quantile)": lambda seen: _energy(
            np.minimum(seen.features[:, LAST], clip) @ weight.T + bias
        ),
        "ViM (64 dimensions)": _vim(last, learnt.logits, weight, bias),
        "max-logit over feature norm": lambda seen: seen.logits.max(axis=1) / norm(seen),
        "nearest neighbours": lambda seen: mean_of_largest(
            unit_rows((seen.features - mean) / spread) @ examples.T, NEAREST
        ),
        "Mahalanobis": lambda seen: -near(seen.features).min(axis=1),
        "relative Mahalanobis": lambda seen: background(seen.features)[:, 0] - near(seen.features).min(axis=1),
        "cosine to the class means, whitened": lambda seen: replace(ours, early_axes=None).likeness(seen.features),
        "the same less the distance in early stages (ours)": lambda seen: ours.likeness(seen.features),
    }


def area(known: Values, foreign: Values) -> float:
    """Share of pairs of a known and a foreign photo in which the known one has the higher score; half of ties."""
    ordered = np.sort(foreign)
    below, upto = (np.searchsorted(ordered, known, side=side) for side in ("left", "right"))
    return float((below + upto).mean() / 2 / len(foreign))


def _distance(differences: Values, centres: Values) -> Callable[..., Values]:
    """Squared Mahalanobis distances ``[N, C]`` of features from ``centres``, by the covariance of ``differences``."""
    spread = np.maximum(differences.std(axis=0), 1e-6)
    correlation = (differences / spread).T @ (differences / spread) / len(differences)
    correlation = (1 - _SHRINKING) * correlation + _SHRINKING * np.eye(len(correlation))
    axes = (np.linalg.inv(np.linalg.cholesky(correlation)).T / spread[:, None]).astype(np.float32)

    def distance(features: Values) -> Values:
        rows, places = features @ axes, centres @ axes
        return np.asarray((rows**2).sum(axis=1)[:, None] - 2 * rows @ places.T + (places**2).sum(axis=1))

    return distance


def _vim(last: Values, logits: Values, weight: Values, bias: Values) -> Score:
    origin = -np.linalg.pinv(weight) @ bias
    _, directions = np.linalg.eigh((last - origin).T @ (last - origin))
    residual = directions[:, :-64]

    def length(features: Values) -> Values:
        return np.asarray(np.linalg.norm((features - origin) @ residual, axis=1))

    scale = logits.max(axis=1).mean() / length(last).mean()
    return lambda seen: _energy(seen.logits) - scale * length(seen.features[:, LAST])


def _energy(logits: Values) -> Values:
    most = logits.max(axis=1)
    return np.asarray(most + np.log(np.exp(logits - most[:, None]).sum(axis=1)))


def _last_layer(model: Model) -> tuple[Values, Values]:
    with model.checked_weights().open("rb") as file:
        tensors = safetensors.describe(file, model.weights.stat().st_size)
        weight, bias = (tensors[name].read(file).astype(np.float32) for name in ("fc.weight", "fc.bias"))
    return weight, bias


def _table(found: Mapping[str, Score], fitting: Seen, known: Seen, foreign: Mapping[str, Seen]) -> None:
    print(f"\n| score | {' | '.join(f'{name}: AUROC, passed' for name in foreign)} | known kept |")
    print(f"| --- |{' --- |' * (len(foreign) + 1)}")
    for name, score in found.items():
        threshold, ours = np.quantile(score(fitting), 0.05), score(known)
        cells = [
            f"{area(ours, theirs):.3f}, {(theirs >= threshold).mean():.0%}" for theirs in map(score, foreign.values())
        ]
        print(f"| {name} | {' | '.join(cells)} | {(ours >= threshold).mean():.1%} |")


def _photos(folder: Path) -> list[Path]:
    endings = {".jpg", ".jpeg", ".png"}
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in endings)
    return [path for path in found if not any(part in path.name for part in SHOW_A_CLASS)]


def _split(val: PhotoFiles) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    fit = np.linspace(0, len(val.paths) - 1, min(FITTING, len(val.paths) // 2)).astype(int)
    return fit, np.setdiff1d(np.arange(len(val.paths)), fit)


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line; see the module's text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", type=Path, nargs="+", required=True, help="folders with train/CLASS/* and val/CLASS/*"
    )
    parser.add_argument("--foreign", type=Path, nargs="+", required=True, help="folders of photos of other things")
    parser.add_argument("--judge", type=Path, required=True, help="folder of photos of other things, which only judge")
    parser.add_argument("--engine", choices=engine_names(), default=default_engine().name, help="default: %(default)s")
    options = parser.parse_args(arguments)
    model = ModelRegistry(get_settings()).get("starter")
    engine = model.engine(options.engine)
    train, val = (
        find_photos([folder / "train" for folder in options.data]).some(REFERENCES),
        find_photos([folder / "val" for folder in options.data]),
    )
    seen, (fit, others) = look(engine, val.paths), _split(val)
    mixed = np.random.default_rng(0)
    foreign = look(engine, [path for folder in options.foreign for path in _photos(folder)])
    order = mixed.permutation(len(foreign.logits))
    half = len(order) // 2
    sets = {
        f"{half} that chose": foreign.at(order[:half]),
        f"{len(order) - half} others": foreign.at(order[half:]),
        f"{len(_photos(options.judge))} of {options.judge.name}": look(engine, _photos(options.judge)),
    }
    found = scores(look(engine, train.paths), train.labels, seen.at(fit), model)
    _table(found, seen.at(fit), seen.at(others), sets)


if __name__ == "__main__":
    main()
