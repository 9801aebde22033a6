"""The head: standardised features and logistic regression, folded into one linear layer. scikit-learn fits it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.base.errors import InvalidRequest
from core.recognition.results import softmax

MIN_CLASSES = 2
MIN_EXAMPLES = 2  # of each class, for a first head
# Measured on steel surfaces and flowers (docs/performance.md): more converged fits are right on no more images.
INVERSE_STRENGTH = 0.05
TOLERANCE = 1e-3
MAX_STEPS = 75


@dataclass(frozen=True, slots=True)
class Examples:
    """What a head learns from.

    Attributes:
        classes: names.
        numbers: of each example, the place of its class in ``classes``; int64 ``[N]``.
        features: float32 ``[N, F]``.
        mirrored: those of the mirror images; float32 ``[N, F]``.
        contents: digests of the images' model inputs, uint8 ``[N, 16]``, zeros where nobody knows; None of none.
    """

    classes: tuple[str, ...]
    numbers: NDArray[np.int64]
    features: NDArray[np.float32]
    mirrored: NDArray[np.float32]
    contents: NDArray[np.uint8] | None = None

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def counts(self) -> NDArray[np.int64]:
        """Examples of each class, int64 ``[C]``."""
        return np.bincount(self.numbers, minlength=len(self.classes)).astype(np.int64)

    def subset(self, rows: NDArray[np.int64]) -> Examples:
        """Those at ``rows``, with all classes."""
        contents = None if self.contents is None else self.contents[rows]
        return Examples(self.classes, self.numbers[rows], self.features[rows], self.mirrored[rows], contents)

    def check(self) -> None:
        """Raise InvalidRequest where there are too few to fit a head."""
        counts = dict(zip(self.classes, self.counts, strict=True))
        if len(counts) < MIN_CLASSES:
            raise InvalidRequest(f"Teaching needs at least {MIN_CLASSES} classes; label images of another one.")
        for name, count in counts.items():
            if count < MIN_EXAMPLES:
                raise InvalidRequest(
                    f"The class {name!r} has {count} labelled {'image' if count == 1 else 'images'} that can be read; "
                    f"each class needs at least {MIN_EXAMPLES}."
                )


@dataclass(frozen=True, slots=True)
class Head:
    """One linear layer over raw features: ``weight`` float32 ``[C, F]``, ``bias`` float32 ``[C]``.

    ``mean`` and ``spread``, float32 ``[F]``, are those of the features it was fitted on; its layer holds them already.
    """

    classes: tuple[str, ...]
    weight: NDArray[np.float32]
    bias: NDArray[np.float32]
    mean: NDArray[np.float32]
    spread: NDArray[np.float32]

    def logits(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Float32 ``[N, C]`` for raw features ``[N, F]``."""
        return features @ self.weight.T + self.bias

    def probabilities(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Float32 ``[N, C]``, each row's sum 1."""
        return softmax(self.logits(features))

    def standardised(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Features ``[N, F]`` in units of their spread among the examples, from their mean."""
        return (features - self.mean) / self.spread


def examples(
    classes: Sequence[str],
    labels: Sequence[str],
    features: NDArray[np.float32],
    mirrored: NDArray[np.float32],
    contents: NDArray[np.uint8] | None = None,
) -> Examples:
    """Examples of the ``classes`` that occur in ``labels``, one an image; arrays as in ``Examples``."""
    occurring = tuple(name for name in classes if name in set(labels))
    place = {name: number for number, name in enumerate(occurring)}
    numbers = np.array([place[label] for label in labels], np.int64)
    return Examples(occurring, numbers, features, mirrored, contents)


def fit(given: Examples, start: Head | None = None) -> Head:
    """Fit a head to examples and their mirror images.

    Args:
        given: at least two examples of each of at least two classes.
        start: a head of the same classes, from which the search begins: after a small change it ends sooner there.

    Raises:
        InvalidRequest: too few examples.
    """
    given.check()
    features = np.concatenate([given.features, given.mirrored])
    mean, spread = features.mean(axis=0), features.std(axis=0)
    spread[spread == 0] = 1
    weight, bias = _regress((features - mean) / spread, np.tile(given.numbers, 2), _begin(start, given, mean, spread))
    folded = weight / spread
    return Head(given.classes, folded, bias - folded @ mean, mean, spread)


def _begin(
    start: Head | None, given: Examples, mean: NDArray[np.float32], spread: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
    """``start``'s layer over features standardised by ``mean`` and ``spread``; None where it is of other classes."""
    if start is None or start.classes != given.classes or start.weight.shape[1] != given.features.shape[1]:
        return None
    return start.weight * spread, start.bias + start.weight @ mean


def _regress(
    features: NDArray[np.float32],
    numbers: NDArray[np.int64],
    begin: tuple[NDArray[np.float32], NDArray[np.float32]] | None,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Weight ``[C, F]`` and bias ``[C]`` of a multinomial logistic regression."""
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    regression = LogisticRegression(C=INVERSE_STRENGTH, tol=TOLERANCE, max_iter=MAX_STEPS, warm_start=True)
    classes = int(numbers.max()) + 1
    if begin is not None:
        weight, bias = begin
        # Of two classes scikit-learn keeps one row, the second class's lead over the first.
        regression.coef_, regression.intercept_ = (
            (weight[1:] - weight[:1], bias[1:] - bias[:1]) if classes == 2 else (weight, bias)
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # after MAX_STEPS it is good enough
        regression.fit(features, numbers)
    weight, bias = np.asarray(regression.coef_, np.float32), np.asarray(regression.intercept_, np.float32)
    if classes == 2:
        half = np.float32(0.5)
        return np.concatenate([-weight, weight]) * half, np.concatenate([-bias, bias]) * half
    return weight, bias
