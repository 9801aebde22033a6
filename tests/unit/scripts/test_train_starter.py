"""Training the starter: resumed it is as if it had never ended, whatever a kill leaves behind."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file

from core.base.settings import PROJECT_ROOT
from core.models.card import WEIGHTS_NAME, read_card
from scripts.dev import _checkpoints, train_starter
from scripts.dev._augment import Sampler
from scripts.dev._packed import INDEX, PackedPhotos, pack
from scripts.dev._schedule import PHASES, Phase, at_step, total_steps
from scripts.dev.build_starter import without_auxiliary

STARTER = PROJECT_ROOT / "models" / "starter"
# Rates too low to amplify what noise as photos and batches of 4 do to batch norm.
TINY = (Phase(32, 2, 4, (1e-4, 1e-3)), Phase(48, 1, 0, (1e-3, 0.0)))


def photos_of(folder: Path, counts: tuple[int, ...]) -> None:
    """Noise in different sizes, so many of each class."""
    rng = np.random.default_rng(len(counts))
    labels = [label for label, count in enumerate(counts) for _ in range(count)]
    made = [(Image.fromarray(rng.integers(0, 256, (20 + label, 24, 3), np.uint8)), label) for label in labels]
    pack(folder, made, tuple(f"class {label}" for label in range(len(counts))))


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Sums in the same order each time."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("packed")
    for name, counts in (("photos", (6, 2)), ("watch", (1, 1)), ("auxiliary", (3, 3, 3))):
        photos_of(folder / name, counts)
    return folder


def run(packed: Path, work: Path, until: int | None = None) -> dict[str, np.ndarray]:
    """Train with a checkpoint at each step; the average's weights."""
    training = train_starter.train(packed, work, TINY, batch_size=4, until=until, checkpoint_seconds=0.0)
    return {name: tensor.numpy() for name, tensor in training.average.state_dict().items()}


@pytest.fixture(scope="module")
def uninterrupted(packed: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    return run(packed, tmp_path_factory.mktemp("uninterrupted"))


@pytest.fixture(scope="module")
def interrupted(packed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a training that ended after its second step."""
    folder = tmp_path_factory.mktemp("interrupted")
    run(packed, folder, until=2)
    return folder


@pytest.mark.torch
@pytest.mark.parametrize("left", ["whole", "half", "none"], ids=lambda left: f"newest checkpoint {left}")
def test_a_resumed_training_gives_the_same_weights(
    packed: Path, uninterrupted: dict[str, np.ndarray], interrupted: Path, tmp_path: Path, left: str
) -> None:
    shutil.copytree(interrupted, tmp_path, dirs_exist_ok=True)
    newest = tmp_path / _checkpoints.NEWEST
    if left == "half":
        newest.write_bytes(newest.read_bytes()[: newest.stat().st_size // 2])
    if left == "none":
        newest.unlink()
    (tmp_path / "checkpoint.partial").write_bytes(b"a kill left this")
    resumed = run(packed, tmp_path)
    assert all(np.array_equal(resumed[name], value) for name, value in uninterrupted.items())
    steps = [json.loads(line)["step"] for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert steps == ([1, 2, 3] if left == "whole" else [1, 2, 2, 3])


@pytest.mark.torch
def test_what_is_finished_is_not_trained_again_and_more_phases_go_on(packed: Path, tmp_path: Path) -> None:
    done = run(packed, tmp_path)
    again = train_starter.train(packed, tmp_path, TINY, batch_size=4)
    assert all(np.array_equal(done[name], tensor.numpy()) for name, tensor in again.average.state_dict().items())
    longer = train_starter.train(packed, tmp_path, (*TINY, Phase(32, 1, 4, (1e-3, 1e-3))), batch_size=4)
    assert longer.step == total_steps(TINY) + 1
    assert not np.array_equal(done["conv1.weight"], longer.average.state_dict()["conv1.weight"].numpy())


@pytest.mark.torch
def test_the_heads_and_their_statistics_are_apart(packed: Path) -> None:
    """Auxiliary photos move no statistics and not the other head; photos not theirs."""
    auxiliary = Sampler(PackedPhotos.open(packed / "auxiliary"), 1.0)
    photos = Sampler(PackedPhotos.open(packed / "photos"), 1.0)
    alone, both = train_starter.Training(2, 3), train_starter.Training(2, 3)
    before = alone.model.fc.weight.detach().clone().numpy()
    batch = photos.batch(4, 16, np.random.default_rng(0))
    alone.learn(batch, None, 0.1)
    both.learn(batch, auxiliary.batch(4, 64, np.random.default_rng(0)), 0.1)
    after = alone.model.fc.weight.detach().numpy()
    decay = 1 - 0.1 * train_starter.WEIGHT_DECAY * (1 + train_starter.MOMENTUM)
    assert np.allclose(after[2:], before[2:] * decay, atol=1e-7)
    assert not np.allclose(after[:2], before[:2] * decay, atol=1e-4)
    assert not np.allclose(both.model.fc.weight.detach().numpy()[2:], before[2:] * decay, atol=1e-4)
    statistics = [
        {name: tensor.numpy() for name, tensor in training.model.state_dict().items() if "running" in name}
        for training in (alone, both)
    ]
    assert all(np.array_equal(value, statistics[1][name]) for name, value in statistics[0].items())


def test_two_trainings_do_not_share_a_folder(tmp_path: Path) -> None:
    with _checkpoints.only_one(tmp_path), pytest.raises(SystemExit, match="Another training"):
        _checkpoints.only_one(tmp_path).__enter__()
    with _checkpoints.only_one(tmp_path):
        pass


def test_the_schedule_changes_without_a_jump() -> None:
    rates = [at_step(PHASES, step)[1] for step in range(total_steps(PHASES))]
    assert rates[0] < max(rates) / 10
    assert rates.index(max(rates)) == PHASES[0].steps, "nothing after the warm-up goes higher"
    assert max(abs(first - second) for first, second in pairwise(rates)) < 0.001
    assert rates[-1] < 1e-6
    with pytest.raises(IndexError):
        at_step(PHASES, len(rates))


@pytest.mark.parametrize(("balance", "share"), [(1.0, 0.75), (0.0, 0.5), (0.5, 3**0.5 / (3**0.5 + 1))])
def test_classes_come_up_in_the_asked_balance(packed: Path, balance: float, share: float) -> None:
    photos = PackedPhotos.open(packed / "photos")
    drawn = Sampler(photos, balance).draw(4000, np.random.default_rng(0))
    assert (photos.labels[drawn] == 0).mean() == pytest.approx(share, abs=0.005)
    assert set(drawn.tolist()) == set(range(len(photos)))


def test_packed_photos_are_read_back_and_half_packed_ones_not_at_all(packed: Path, tmp_path: Path) -> None:
    photos = PackedPhotos.open(packed / "photos")
    assert len(photos) == 8
    assert photos.image(7).size == (24, 21)
    rng = np.random.default_rng(2)
    assert np.array_equal(np.asarray(photos.image(0)), rng.integers(0, 256, (20, 24, 3), np.uint8))
    shutil.copytree(packed / "photos", tmp_path / "half")
    (tmp_path / "half" / INDEX).unlink()
    with pytest.raises(OSError, match=INDEX):
        PackedPhotos.open(tmp_path / "half")


@pytest.mark.torch
def test_the_built_model_has_the_photos_head_alone() -> None:
    training = train_starter.Training(2, 3)
    state = without_auxiliary(training.average.state_dict(), 2)
    assert state["fc.weight"].shape == (2, 512)
    assert state["fc.bias"].shape == (2,)
    assert state["conv1.weight"].shape == (64, 3, 7, 7)


@pytest.mark.torch
def test_it_begins_with_what_another_model_knows_of_the_same_classes() -> None:
    training, weights = train_starter.Training(3, 2), load_file(STARTER / WEIGHTS_NAME)
    cat = read_card(STARTER).classes.index("cat")
    training.begin_with(STARTER, ("a class of its own", "another", "cat"))
    for network in (training.model, training.average):
        state = network.state_dict()
        body = {name for name in weights if not name.startswith("fc.")}
        assert all(np.array_equal(state[name], weights[name].to(state[name].dtype)) for name in body)
        assert np.array_equal(state["fc.weight"][2], weights["fc.weight"][cat].float())
        assert not np.array_equal(state["fc.weight"][1], weights["fc.weight"][1].float()), "another class's row"
