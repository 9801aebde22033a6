"""What is known of a model's images tells unlike ones, says the same for every model, and keeps what it promises."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.base.errors import ModelError
from core.models.card import CARD_NAME, KNOWN_NAME, KnownImages, file_checksum, write_card
from core.models.model import Model
from core.recognition.known import Known, known_of, levels_of, unit_rows, write_known
from core.recognition.results import THRESHOLD
from core.trust.known import AXES, MOST_EXAMPLES, of_classes, of_examples
from tests.unit.teach.clouds import clouds

WIDTH = 40


def by_classes() -> Known:
    learnt, others = clouds(3, 200, seed=0), clouds(3, 1000, seed=1)
    return of_classes(learnt.features, learnt.numbers, others.features)


def by_examples(each: int = 30) -> Known:
    learnt = clouds(3, each, seed=0)
    return of_examples(learnt.features, learnt.mirrored, learnt.numbers)


MAKERS = {"classes": by_classes, "examples": by_examples}


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_images_of_known_classes_are_known_and_others_are_not(make: Callable[[], Known]) -> None:
    known = make()
    new = known.scores(clouds(3, 300, seed=7).features)
    foreign = known.scores(np.random.default_rng(5).normal(size=(300, WIDTH)).astype(np.float32) * 3)
    assert (new >= THRESHOLD).mean() > 1 - 3 * THRESHOLD
    assert (foreign >= THRESHOLD).mean() < 0.1
    assert foreign.max() < np.median(new)


def test_the_threshold_keeps_the_share_it_promises() -> None:
    scores = by_classes().scores(clouds(3, 2000, seed=9).features)
    for kept in (0.99, 0.95, 0.5):
        assert (scores >= 1 - kept).mean() == pytest.approx(kept, abs=0.04)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(1e-3, 1e3))
def test_scores_are_shares_and_grow_with_likeness(seed: int, size: float) -> None:
    known = by_examples(5)
    features = (np.random.default_rng(seed).normal(size=(30, WIDTH)) * size).astype(np.float32)
    likeness, scores = known.likeness(features), known.scores(features)
    assert np.isfinite(scores).all()
    assert ((scores >= 0) & (scores <= 1)).all()
    assert (np.diff(scores[np.argsort(likeness, kind="stable")]) >= 0).all()


def test_even_below_all_known_images_no_two_different_ones_share_a_score() -> None:
    known = by_examples()
    random = np.random.default_rng(3).normal(size=(50, WIDTH)).astype(np.float32)
    scores = known.scores(random)
    assert len(set(scores.tolist())) == len(set(known.likeness(random).tolist())) > 40


def test_far_from_all_that_is_known_the_score_still_falls_and_never_below_zero() -> None:
    known = by_classes()
    away = clouds(3, 1, seed=7).features[:1] * np.float32([[2], [4], [8], [1e6]])
    scores = known.scores(away)
    assert scores[0] > scores[1] > scores[2] >= scores[3] >= 0


def test_an_image_without_any_feature_is_no_trouble() -> None:
    assert np.isfinite(by_classes().scores(np.zeros((2, WIDTH), np.float32))).all()


def test_many_examples_are_thinned_evenly_over_the_classes() -> None:
    known = by_examples(MOST_EXAMPLES)
    assert len(known.references) <= MOST_EXAMPLES
    assert len(known.references) > MOST_EXAMPLES - 3


def test_features_that_do_not_count_change_no_score() -> None:
    learnt = clouds(3, 30, seed=0)
    known = of_examples(learnt.features, learnt.mirrored, learnt.numbers, used=10)
    changed = learnt.features.copy()
    changed[:, 10:] = 99
    assert known.scores(changed).tolist() == known.scores(learnt.features).tolist()


@pytest.fixture
def model(starter: Model, tmp_path: Path) -> Callable[[Known], Model]:
    """The starter's card beside a file of what is known."""

    def make(known: Known, checksum: str = "") -> Model:
        path = tmp_path / KNOWN_NAME
        write_known(known, path)
        checksums = starter.card.checksums | {KNOWN_NAME: checksum or file_checksum(path)}
        facts = KnownImages(images=1, measured=1, source="")
        write_card(starter.card.model_copy(update={"known": facts, "checksums": checksums}), tmp_path)
        return Model(tmp_path, tmp_path / "cache")

    return make


def wide(axes: int | None = AXES) -> Known:
    """Of a ResNet18's 960 features."""
    random = np.random.default_rng(0)
    depth = 960 if axes is None else axes
    return Known(
        mean=random.normal(size=960).astype(np.float32),
        scale=random.random(960).astype(np.float32) + 0.5,
        axes=None if axes is None else random.normal(size=(960, axes)).astype(np.float32),
        references=unit_rows(random.normal(size=(12, depth)).astype(np.float32)),
        nearest=1,
        levels=levels_of(np.linspace(-0.1, 0.6, 500, dtype=np.float32)),
    )


def with_early(known: Known) -> Known:
    random = np.random.default_rng(2)
    axes, means = (random.normal(size=(rows, 16)).astype(np.float32) for rows in (16, 3))
    return replace(known, early_axes=axes, early_means=means, early_weight=0.25)


@pytest.mark.parametrize("known", [wide(), wide(None), with_early(wide())], ids=["axes", "no axes", "early stages"])
def test_it_comes_back_from_its_file(model: Callable[[Known], Model], known: Known) -> None:
    found = known_of(model(known))
    assert found is not None
    features = np.random.default_rng(1).normal(size=(50, 960)).astype(np.float32)
    np.testing.assert_allclose(found.scores(features), known.scores(features), atol=0.01)


def test_the_file_is_small(model: Callable[[Known], Model]) -> None:
    assert (model(wide()).folder / KNOWN_NAME).stat().st_size < 1_000_000


def test_a_model_without_it_tells_nothing(starter: Model, tmp_path: Path) -> None:
    card = json.loads((starter.folder / CARD_NAME).read_bytes()) | {"known": None}
    (tmp_path / CARD_NAME).write_text(json.dumps(card))
    assert known_of(Model(tmp_path, tmp_path / "cache")) is None


HARM: dict[str, Callable[[Known], Known]] = {
    "not a number": lambda known: replace(known, mean=known.mean * np.float32("nan")),
    "infinity": lambda known: replace(known, scale=known.scale / np.float32(0)),
    "other width": lambda known: replace(known, mean=known.mean[:-1]),
    "other axes": lambda known: replace(known, references=known.references[:, :-1]),
    "no references": lambda known: replace(known, references=known.references[:0]),
    "more neighbours than there are": lambda known: replace(known, nearest=13),
    "no neighbour": lambda known: replace(known, nearest=0),
    "levels that fall": lambda known: replace(known, levels=known.levels[::-1]),
    "too few levels": lambda known: replace(known, levels=known.levels[:-1]),
    "early axes of another width": lambda known: replace(with_early(known), early_axes=np.ones((16, 8), np.float32)),
    "no early means": lambda known: replace(with_early(known), early_means=np.ones((0, 16), np.float32)),
    "an early weight below zero": lambda known: replace(with_early(known), early_weight=-1),
    "endless references": lambda known: replace(known, references=np.tile(known.references, (1000, 1))),
}


@pytest.mark.filterwarnings("ignore:divide by zero")
@pytest.mark.parametrize("harm", HARM.values(), ids=HARM)
def test_a_file_that_makes_no_sense_is_refused(model: Callable[[Known], Model], harm: Callable[[Known], Known]) -> None:
    with pytest.raises(ModelError, match=r"known.safetensors of the model starter is damaged; install it again"):
        known_of(model(harm(wide(8))))


def test_a_file_that_is_not_the_cards_is_refused(model: Callable[[Known], Model]) -> None:
    made = model(wide(8))
    path = made.folder / KNOWN_NAME
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(ModelError, match="not the file its card describes"):
        known_of(Model(made.folder, made.cache_dir))
    path.unlink()
    with pytest.raises(ModelError, match="cannot be read"):
        known_of(Model(made.folder, made.cache_dir))


@pytest.mark.parametrize("count", [4, 12, 19, 200, 2000])
def test_of_few_images_the_least_like_is_not_called_unlike(count: int) -> None:
    """Another known image is less like than all of them with a probability of one in ``count`` and one."""
    random = np.random.default_rng(count)
    kept = []
    for _ in range(200):
        likeness, other = random.exponential(size=count), random.exponential()
        levels = levels_of(-likeness.astype(np.float32))
        assert (np.diff(levels) >= 0).all()
        kept.append(-other >= levels[4])  # the level of 5%
    assert np.mean(kept) >= 0.9
