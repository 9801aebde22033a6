"""Train the starter model: torchvision's ResNet18 on labelled photos, for hours and in many sittings.

    python -m scripts.dev.prepare_starter --data STARTER CALTECH --auxiliary TINY --work PACKED
    python -m scripts.dev.train_starter --photos PACKED --work FOLDER [--start MODEL]
    python -m scripts.dev.build_starter FOLDER/checkpoint.pt --data STARTER CALTECH
    python -m scripts.dev.evaluate_starter models/starter --data STARTER CALTECH --few-shot STEEL FLOWERS

The second command starts and resumes: a step is made from its number alone, so that after a kill at any moment the
training goes on from its last checkpoint as if nothing had happened. The result is the exponential moving average of
the weights; it is of use at any time, and ``checkpoint.pt`` always has it. ``log.jsonl`` has a line each.
Nothing is chosen by photos of ``val/``, which training never sees.

``--start`` begins with the weights of an installed ResNet18 (its head's rows for classes of the same name, and all
before the head), where training from scratch would take a day to get as far.

The network has two heads in one layer, for the classes of the photos and behind them for those of the auxiliary photos
(Tiny ImageNet, 200 classes at 32 px), which teach it features; the built model has the first alone.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from core.models.card import WEIGHTS_NAME, read_card
from core.models.torchvision_compat import import_torchvision
from scripts.dev import _checkpoints
from scripts.dev._augment import CROP_SCALE, JITTER, Batch, Sampler, ahead, network_inputs
from scripts.dev._packed import PackedPhotos
from scripts.dev._photos import model_inputs
from scripts.dev._schedule import PHASES, Phase, at_step, total_steps

BATCH_SIZE = 64
AUXILIARY_SIDE = 64  # at their own 32 px they would be 1 px wide in the last stage
AUXILIARY_WEIGHT = 0.5  # of their loss: they serve the photos' classes, which the result is for
# Classes have 25 to 1,000 photos. Evenly, the smallest would be repeated 40 times as often and learnt by heart; as they
# are, they would hardly come up. At 0.7 the 12 large classes get about 43% of a batch.
BALANCE = 0.7
WEIGHT_DECAY = 5e-4
MOMENTUM = 0.9
LABEL_SMOOTHING = 0.0  # it draws each class to one point: features transfer worse, probabilities mean less
EMA_DECAY = 0.998  # about the last 500 steps, or 2 passes over the photos
SEED = 20260
CHECKPOINT_SECONDS = 240.0
WATCH_SECONDS = 1800.0


class Training:
    """Network, its average and the optimizer, at a step; ``seconds`` it took so far."""

    def __init__(self, classes: int, auxiliary: int) -> None:
        import torch

        def build() -> Any:
            network = import_torchvision().models.resnet18(num_classes=classes + auxiliary)
            return network.to(memory_format=torch.channels_last)

        torch.manual_seed(SEED)
        self.classes = classes
        self.model, self.average = build(), build()
        self.average.load_state_dict(self.model.state_dict())
        decayed = [weight for weight in self.model.parameters() if weight.ndim > 1]
        plain = [weight for weight in self.model.parameters() if weight.ndim <= 1]  # biases, batch norm: no decay
        groups = [{"params": decayed, "weight_decay": WEIGHT_DECAY}, {"params": plain, "weight_decay": 0.0}]
        self.optimizer = torch.optim.SGD(groups, lr=0.0, momentum=MOMENTUM, nesterov=True)
        self.step, self.seconds, self.start = 0, 0.0, ""

    def begin_with(self, folder: Path, classes: Sequence[str]) -> None:
        """Take over the weights of an installed ResNet18, for what both networks have.

        Args:
            folder: the model's, with card and weights.
            classes: of the photos, in order.
        """
        import torch
        from safetensors.torch import load_file

        card, weights = read_card(folder), load_file(folder / WEIGHTS_NAME)
        mine = self.model.state_dict()
        for name, value in weights.items():
            if not name.startswith("fc."):
                mine[name].copy_(value)
        with torch.no_grad():
            for row, one in enumerate(card.classes):
                if one in classes:
                    for name in ("fc.weight", "fc.bias"):
                        mine[name][classes.index(one)].copy_(weights[name][row])
        self.average.load_state_dict(mine)
        self.start = card.title

    def state(self) -> dict[str, Any]:
        """For ``_checkpoints.save``."""
        parts = {"model": self.model, "average": self.average, "optimizer": self.optimizer}
        weights = {name: part.state_dict() for name, part in parts.items()}
        return weights | {
            "step": self.step,
            "seconds": self.seconds,
            "classes": self.classes,
            "start": self.start,
        }

    def resume(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        for name in ("model", "average", "optimizer"):
            getattr(self, name).load_state_dict(state[name])
        self.step, self.seconds, self.start = state["step"], state["seconds"], state["start"]

    def learn(self, photos: Batch, auxiliary: Batch | None, rate: float) -> tuple[float, float]:
        """One step; the losses of photos and of auxiliary photos (0 without)."""
        import torch

        for group in self.optimizer.param_groups:
            group["lr"] = rate
        generator = torch.Generator().manual_seed(SEED + self.step)
        self.model.train()
        self.optimizer.zero_grad(set_to_none=True)
        loss = self._backward(photos, slice(0, self.classes), 1.0, generator)
        other = 0.0
        if auxiliary is not None:
            # Each kind of photo is normalised by its own statistics; those kept for recognition are the photos'.
            kept = [layer for layer in self.model.modules() if isinstance(layer, torch.nn.BatchNorm2d)]
            momenta = [layer.momentum for layer in kept]
            for layer in kept:
                layer.momentum = 0.0
            other = self._backward(auxiliary, slice(self.classes, None), AUXILIARY_WEIGHT, generator)
            for layer, momentum in zip(kept, momenta, strict=True):
                layer.momentum = momentum
        self.optimizer.step()
        self.step += 1
        self._follow()
        return loss, other

    def _backward(self, batch: Batch, head: slice, weight: float, generator: Any) -> float:
        import torch

        crops, labels = batch
        with torch.autocast("cpu", torch.bfloat16):
            logits = self.model(network_inputs(crops, generator))[:, head].float()
        loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(labels), label_smoothing=LABEL_SMOOTHING)
        (loss * weight).backward()  # type: ignore[no-untyped-call]
        return loss.item()

    def _follow(self) -> None:
        """Move the average; in the first steps faster, as the network's beginning is nothing to remember."""
        import torch

        decay = min(EMA_DECAY, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for mine, new in zip(self.average.state_dict().values(), self.model.state_dict().values(), strict=True):
                if mine.dtype.is_floating_point:
                    mine.lerp_(new, 1 - decay)
                else:
                    mine.copy_(new)

    def watch(self, photos: PackedPhotos) -> dict[str, float]:
        """The average's top-1 (0..1) on photos not learnt from, under the app's preprocessing: of all, of classes."""
        import torch

        self.average.eval()
        right = np.zeros(len(photos), bool)
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            for start in range(0, len(photos), 32):
                rows = range(start, min(start + 32, len(photos)))
                inputs = network_inputs(model_inputs([photos.image(row) for row in rows]))
                answers = self.average(inputs)[:, : self.classes].argmax(1).numpy()
                right[rows.start : rows.stop] = answers == photos.labels[rows.start : rows.stop]
        of_classes = [right[photos.labels == label].mean() for label in np.unique(photos.labels)]
        return {"watch_top1": round(float(right.mean()), 4), "watch_classes": round(float(np.mean(of_classes)), 4)}


def train(
    folder: Path,
    work: Path,
    phases: Sequence[Phase] = PHASES,
    *,
    start: Path | None = None,
    batch_size: int = BATCH_SIZE,
    until: int | None = None,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    watch_seconds: float = WATCH_SECONDS,
) -> Training:
    """Run or resume the schedule in ``work`` until it ends, or until step ``until``.

    Args:
        folder: what ``scripts.dev.prepare_starter`` wrote.
        work: for checkpoints and the log.
        phases: the schedule.
        start: folder of a model to begin with, None to begin from scratch; ignored when resuming.
        batch_size: photos in a step.
        until: a step (from 0) before which to stop.
        checkpoint_seconds: between checkpoints.
        watch_seconds: between looks at photos not learnt from.

    Raises:
        SystemExit: another training runs in ``work``.
    """
    photos, watched, auxiliary = (PackedPhotos.open(folder / name) for name in ("photos", "watch", "auxiliary"))
    samplers = Sampler(photos, BALANCE), Sampler(auxiliary, 1.0)
    end = min(total_steps(phases), until or total_steps(phases))

    def prepare(step: int) -> tuple[Batch, Batch | None]:
        phase, rng = at_step(phases, step)[0], np.random.default_rng([SEED, step])
        batch = samplers[0].batch(batch_size, phase.side, rng)
        return batch, samplers[1].batch(phase.auxiliary, AUXILIARY_SIDE, rng) if phase.auxiliary else None

    with _checkpoints.only_one(work):
        training = Training(len(photos.classes), len(auxiliary.classes))
        if (saved := _checkpoints.load(work)) is not None:
            training.resume(saved)
            print(f"resuming at step {training.step:,}", flush=True)
        elif start is not None:
            training.begin_with(start, photos.classes)
        started = saved_at = time.monotonic()
        watched_at, before, first = started - watch_seconds, training.seconds, training.step
        losses: list[tuple[float, float]] = []
        for batch, other in ahead(prepare, training.step, end):
            phase, rate = at_step(phases, training.step)
            losses.append(training.learn(batch, other, rate))
            now = time.monotonic()
            training.seconds = before + now - started
            if now - saved_at < checkpoint_seconds and training.step < end:
                continue
            _checkpoints.save(training.state(), work)
            photos_a_second = (training.step - first) * (batch_size + phase.auxiliary) / max(now - saved_at, 1e-6)
            record = _record(training, end, phase, rate, losses) | {"photos_a_second": round(photos_a_second, 1)}
            if now - watched_at >= watch_seconds or training.step == end:
                record |= training.watch(watched)
                watched_at = now
            with (work / "log.jsonl").open("a", encoding="utf-8") as log:
                log.write(json.dumps(record) + "\n")
            saved_at, first, losses = now, training.step, []
    return training


def _record(
    training: Training, end: int, phase: Phase, rate: float, losses: Sequence[tuple[float, float]]
) -> dict[str, Any]:
    loss, auxiliary = (round(float(value), 4) for value in np.mean(losses, axis=0))
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "step": training.step,
        "of": end,
        "hours": round(training.seconds / 3600, 3),
        "side": phase.side,
        "rate": round(rate, 6),
        "loss": loss,
        "auxiliary_loss": auxiliary,
    }


def recipe(step: int, start: str) -> dict[str, str]:
    """How a model of that many steps was trained, for its card; ``start`` titles the model it began with, if any."""
    sides = sorted({phase.side for phase in PHASES})
    return {
        "start": start or "random weights",
        "steps": f"{step:,} of {total_steps(PHASES):,}, at {', '.join(map(str, sides))} px",
        "optimizer": f"SGD, Nesterov momentum {MOMENTUM}, weight decay {WEIGHT_DECAY}, batches of {BATCH_SIZE} photos",
        "schedule": f"warm-up, then falling from {max(phase.rates[0] for phase in PHASES)} in cosines",
        "auxiliary": f"a second head for Tiny ImageNet's 200 classes at {AUXILIARY_SIDE} px, weight {AUXILIARY_WEIGHT}",
        "regularisation": f"label smoothing {LABEL_SMOOTHING}, random resized crops of {CROP_SCALE[0]:.0%} to "
        f"{CROP_SCALE[1]:.0%} of the area, flips, colour jitter {JITTER}",
        "final weights": f"exponential moving average with decay {EMA_DECAY}",
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; see the module's text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True, help="folder of scripts.dev.prepare_starter")
    parser.add_argument("--work", type=Path, default=Path("runs/starter"), help="checkpoints (default: %(default)s)")
    parser.add_argument("--start", type=Path, help="folder of a model to begin with (default: from scratch)")
    parser.add_argument("--until", type=int, help="stop before this step")
    parser.add_argument("--threads", type=int, help="default: all cores")
    options = parser.parse_args(arguments)
    import torch

    if options.threads:
        torch.set_num_threads(options.threads)
    train(options.photos, options.work, start=options.start, until=options.until)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
