"""Time what a person waits for while they teach, on made-up features of the real size.

CPU seconds are those of all cores together; other work on the machine hardly changes them.

python -m scripts.time_teaching --classes 12 --each 100 --images 20000
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence

import numpy as np

from core.models.architectures import STAGED_RESNET18
from core.teach.evaluate import cross_validate
from core.teach.head import Examples, fit
from core.teach.suggest import Suggester, most_similar

SPREAD = 3.0  # of a class, beside classes 1 apart in each feature: about as hard as photos
REPEATS = 5


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; see the module's text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--classes", type=int, default=12)
    parser.add_argument("--each", type=int, default=100, help="examples of each class")
    parser.add_argument("--images", type=int, default=20_000, help="that get a suggestion")
    options = parser.parse_args(arguments)
    given = made_up(options.classes, options.each, seed=0)
    images = made_up(options.classes, -(-options.images // options.classes), seed=1).features[: options.images]
    fit(given)  # imports scikit-learn
    head = fit(given.subset(np.arange(1, len(given))))
    suggester = Suggester(head, given)
    _tell("fit", lambda: fit(given))
    _tell("fit after one more example", lambda: fit(given, head))
    _tell("cross-validation with its learning curve", lambda: cross_validate(given), repeats=1)
    _tell(f"suggestions for {len(images):,} images", lambda: suggester.suggest(range(len(images)), images))
    _tell(f"the most similar of {len(images):,} images", lambda: most_similar(images, 0, 50))
    return 0


def made_up(classes: int, each: int, *, seed: int) -> Examples:
    """Examples of so many classes, positive and skewed as pooled features are."""
    centres = np.random.default_rng(99).normal(size=(classes, STAGED_RESNET18.features))
    random = np.random.default_rng(seed)
    numbers = np.repeat(np.arange(classes), each)

    def draw() -> np.ndarray:
        noise = SPREAD * random.normal(size=(len(numbers), STAGED_RESNET18.features))
        return np.exp((centres[numbers] + noise) / 4).astype(np.float32)

    return Examples(tuple(f"class {number}" for number in range(classes)), numbers, draw(), draw())


def _tell(what: str, work: Callable[[], object], repeats: int = REPEATS) -> None:
    seconds, busy = [], []
    for _ in range(repeats):
        started, started_busy = time.perf_counter(), time.process_time()
        work()
        seconds.append(time.perf_counter() - started)
        busy.append(time.process_time() - started_busy)
    print(f"{np.median(seconds):8.3f} s {np.median(busy):8.3f} CPU s  {what}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
