"""Training the last stage and the head on labelled images, as a process of its own: PyTorch is imported here alone.

What comes before the last stage is computed once for each copy of an image and kept, so a step costs a few
milliseconds an image. The statistics of batch normalisation stay the backbone's: a few dozen images have none to give.
The head is trained over standardised features, as it was fitted: steps of equal size over raw ones, of which some vary
a thousand times more than others, can undo the fit (docs/performance.md).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.base.worker_main import Events, serve
from core.images.preprocessing import Preprocessing
from core.models.architectures import ARCHITECTURES, load_network
from core.teach.copies import lit, shifted

EPOCHS = 10
COPIES = 4  # of each image: as it is; shifted, with other light; and the same mirrored
BATCH = 16
LEARNING_RATE = 2e-4  # of the last stage
HEAD_RATE = 2e-3


def train(
    events: Events,
    network: str,
    weights: str,
    preprocessing: dict[str, Any],
    inputs: str,
    numbers: str,
    lessons: Sequence[dict[str, Any]],
    out: str,
) -> None:
    """Train once for each lesson, each time from the backbone's weights and a head of its own.

    Args:
        events: told ``progress`` with ``done`` and ``total`` epochs.
        network: a name of ``ARCHITECTURES``.
        weights: of it.
        preprocessing: of the model inputs.
        inputs: .npy of model inputs uint8 ``[N, H, W, 3]``.
        numbers: .npy of classes int64 ``[N]``.
        lessons: each with ``rows`` to learn from, and ``head``, a .npz with ``weight``, ``bias``, ``mean`` and
            ``spread`` of the head fitted on them.
        out: folder for ``0.npz`` and so on: trained parameters by name, and ``logits`` float32 ``[N, classes]`` of all.
    """
    import torch

    torch.manual_seed(0)
    given, classes = np.load(inputs), torch.from_numpy(np.load(numbers))
    model, _ = load_network(ARCHITECTURES[network], Path(weights))
    prepared = Preprocessing.model_validate(preprocessing)
    trunk = _Trunk(model, prepared)
    copies = [trunk.look(_copy(given, number)) for number in range(COPIES)]
    done = 0
    for number, lesson in enumerate(lessons):
        model, _ = load_network(ARCHITECTURES[network], Path(weights))
        with np.load(lesson["head"]) as head:
            tail = _Tail(model, {name: torch.from_numpy(head[name]) for name in head.files})
        for _ in _epochs(tail, copies, classes, torch.tensor(lesson["rows"])):
            done += 1
            events.send("progress", done=done, total=EPOCHS * len(lessons))
        with torch.inference_mode():
            logits = torch.cat(
                [tail(*(part[start : start + BATCH] for part in copies[0])) for start in range(0, len(given), BATCH)]
            )
        np.savez(Path(out) / f"{number}.npz", logits=logits.numpy(), **tail.trained())


def _copy(inputs: NDArray[np.uint8], number: int) -> NDArray[np.uint8]:
    """Copy 0 is the image, 1 its mirror image; 2 and 3 are those shifted and lit otherwise."""
    made = inputs[:, :, ::-1] if number % 2 else inputs
    return made if number < 2 else lit(shifted(made, number), number)


class _Trunk:
    """The network up to its third stage: maps of that in half precision, and pooled outputs of the stages before."""

    def __init__(self, model: Any, preprocessing: Preprocessing) -> None:
        import torch

        self._model = model.to(memory_format=torch.channels_last)
        self._mean = torch.tensor(preprocessing.mean).view(1, 3, 1, 1)
        self._std = torch.tensor(preprocessing.std).view(1, 3, 1, 1)

    def look(self, inputs: NDArray[np.uint8]) -> tuple[Any, Any]:
        import torch

        model, maps, pooled = self._model, [], []
        with torch.inference_mode():
            for start in range(0, len(inputs), BATCH):
                batch = torch.from_numpy(np.ascontiguousarray(inputs[start : start + BATCH])).permute(0, 3, 1, 2)
                found = model.maxpool(
                    model.relu(model.bn1(model.conv1((batch.float() / 255 - self._mean) / self._std)))
                )
                means = []
                for stage in (model.layer1, model.layer2, model.layer3):
                    found = stage(found)
                    means.append(found.mean((2, 3)))
                maps.append(found.half())
                pooled.append(torch.cat(means, 1))
        return torch.cat(maps).clone(), torch.cat(pooled).clone()


class _Tail:
    """The last stage, and the head over standardised features of all stages or of the last alone."""

    def __init__(self, model: Any, head: Mapping[str, Any]) -> None:
        """``head`` has ``weight`` and ``bias`` over raw features, and their ``mean`` and ``spread``."""
        import torch

        self._stage = model.layer4.to(memory_format=torch.channels_last)
        self._last_alone = model.fc.in_features == 512
        self._mean, self._spread = head["mean"], head["spread"]
        self._weight = (head["weight"] * self._spread).requires_grad_()
        self._bias = (head["bias"] + head["weight"] @ self._mean).requires_grad_()
        self.groups: list[dict[str, Any]] = [
            {"params": list(self._stage.parameters()), "lr": LEARNING_RATE},
            {"params": [self._weight, self._bias], "lr": HEAD_RATE},
        ]

    def __call__(self, maps: Any, pooled: Any) -> Any:
        import torch

        last = self._stage(maps.float().contiguous(memory_format=torch.channels_last)).mean((2, 3))
        features = last if self._last_alone else torch.cat([pooled, last], 1)
        return (features - self._mean) / self._spread @ self._weight.T + self._bias

    def trained(self) -> dict[str, Any]:
        """The parameters, float32 arrays by their names in the network, whose head looks at raw features."""
        weight = (self._weight / self._spread).detach()
        found = {f"layer4.{name}": value.detach().contiguous() for name, value in self._stage.named_parameters()}
        found |= {"fc.weight": weight, "fc.bias": (self._bias - weight @ self._mean).detach()}
        return {name: value.numpy() for name, value in found.items()}


def _epochs(tail: _Tail, copies: Sequence[tuple[Any, Any]], classes: Any, rows: Any) -> Any:
    """Train; yields after each epoch. Each takes another copy of every image."""
    import torch

    optimizer = torch.optim.AdamW(tail.groups, weight_decay=0.01)
    steps, rates = EPOCHS * -(-len(rows) // BATCH), [group["lr"] for group in tail.groups]
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rates, total_steps=steps, pct_start=0.2)
    loss = torch.nn.CrossEntropyLoss()
    for epoch in range(EPOCHS):
        maps, pooled = copies[epoch % COPIES]
        order = rows[torch.randperm(len(rows))]
        for start in range(0, len(order), BATCH):
            batch = order[start : start + BATCH]
            optimizer.zero_grad()
            loss(tail(maps[batch], pooled[batch]), classes[batch]).backward()
            optimizer.step()
            schedule.step()
        yield


if __name__ == "__main__":
    # Before PyTorch is imported; see core.runtime.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    serve({"train": train})
