"""Train the starter model: torchvision's ResNet18 from scratch on a folder of labelled photos.

    python -m scripts.train_starter --data FOLDER

FOLDER holds ``train/CLASS/*.jpg`` and ``val/CLASS/*.jpg``. Training resumes from its last finished
epoch when it is started again with the same ``--work`` folder. The final weights are the exponential
moving average after the last epoch: no epoch is ever chosen by its score on ``val/``. At the end the model is
quantized, evaluated and written to ``models/starter`` (``scripts/dev/build_starter.py``).
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from core.base.settings import PROJECT_ROOT
from core.images.preprocessing import STANDARD
from scripts.dev._photos import Photos, load_photos, model_inputs
from scripts.dev.build_starter import build_starter

# Training resolution in pixels and epochs at it. Small pictures first: most of what the network learns
# early is independent of resolution and costs (side / 224)^2 there (progressive resizing, fast.ai 2018).
# The last phases stay below the 224 px of recognition on purpose: random crops enlarge objects, so a
# network trained at ~0.8 of the test side meets them at their test size (FixRes, Touvron et al. 2019).
PHASES = ((96, 18), (128, 18), (160, 12), (192, 5))
BATCH_SIZE = 64
PEAK_LEARNING_RATE = 0.1
WEIGHT_DECAY = 5e-4
MOMENTUM = 0.9
LABEL_SMOOTHING = 0.1
WARMUP_FRACTION = 0.1
EMA_DECAY = 0.998
CROP_SCALE = (0.3, 1.0)  # area of the random crop, as a fraction of the photo
CROP_RATIO = (3 / 4, 4 / 3)
JITTER = 0.3  # brightness, contrast and saturation factors are drawn from 1 +- JITTER
SEED = 20260

Batch = tuple[np.ndarray, np.ndarray]  # crops uint8 [B, side, side, 3], class indices int64 [B]


def random_crop(image: Image.Image, side: int, rng: np.random.Generator) -> np.ndarray:
    """A random resized crop, flipped half of the time: uint8 ``[side, side, 3]`` (Inception's scheme)."""
    width, height = image.size
    for _ in range(10):
        area = width * height * rng.uniform(*CROP_SCALE)
        ratio = math.exp(rng.uniform(math.log(CROP_RATIO[0]), math.log(CROP_RATIO[1])))
        crop_w, crop_h = math.sqrt(area * ratio), math.sqrt(area / ratio)
        if crop_w <= width and crop_h <= height:
            break
    else:
        crop_w = crop_h = float(min(width, height))
    left, top = rng.uniform(0, width - crop_w), rng.uniform(0, height - crop_h)
    box = (left, top, left + crop_w, top + crop_h)
    pixels = np.asarray(image.resize((side, side), Image.Resampling.BILINEAR, box=box))
    return pixels[:, ::-1] if rng.random() < 0.5 else pixels


def batches(photos: Photos, side: int, epoch: int) -> Iterator[Batch]:
    """Shuffled training batches ``(uint8 [B, side, side, 3], int64 [B])``, prepared ahead by one thread."""
    order = np.random.default_rng([SEED, epoch]).permutation(len(photos.images))
    steps = len(order) // BATCH_SIZE

    def prepare(step: int) -> Batch:
        rng = np.random.default_rng([SEED, epoch, step])
        chosen = order[step * BATCH_SIZE : (step + 1) * BATCH_SIZE]
        crops = np.stack([random_crop(photos.images[index], side, rng) for index in chosen])
        return crops, photos.labels[chosen]

    with ThreadPoolExecutor(1) as pool:
        ahead = [pool.submit(prepare, step) for step in range(min(4, steps))]
        for step in range(steps):
            batch = ahead.pop(0).result()
            if step + 4 < steps:
                ahead.append(pool.submit(prepare, step + 4))
            yield batch


def colour_jitter(images: Any) -> Any:
    """Random brightness, contrast and saturation per image; ``images`` is float ``[B, 3, H, W]`` in 0..1."""
    import torch

    def factor() -> Any:
        return 1 + (torch.rand(len(images), 1, 1, 1, device=images.device) * 2 - 1) * JITTER

    images = images * factor()
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    images = mean + (images - mean) * factor()
    grey = images.mean(dim=1, keepdim=True)
    return (grey + (images - grey) * factor()).clamp(0, 1)


def learning_rate(progress: float) -> float:
    """One cycle: linear warm-up, then cosine to zero; ``progress`` runs from 0 to 1 (Smith 2018)."""
    if progress < WARMUP_FRACTION:
        return PEAK_LEARNING_RATE * (0.04 + 0.96 * progress / WARMUP_FRACTION)
    return PEAK_LEARNING_RATE * 0.5 * (1 + math.cos(math.pi * (progress - WARMUP_FRACTION) / (1 - WARMUP_FRACTION)))


def top1(model: Any, photos: Photos, device: str) -> float:
    """Top-1 accuracy (0..1) under the app's own preprocessing."""
    import torch

    model.eval()
    hits = 0
    mean, std = (torch.tensor(v, device=device).view(1, 3, 1, 1) for v in (STANDARD.mean, STANDARD.std))
    with torch.inference_mode(), torch.autocast(torch.device(device).type, torch.bfloat16):
        for start in range(0, len(photos.images), 64):
            pixels = model_inputs(photos.images[start : start + 64])
            inputs = torch.from_numpy(pixels).to(device).permute(0, 3, 1, 2).float() / 255
            answers = model((inputs - mean) / std).argmax(1).cpu().numpy()
            hits += int((answers == photos.labels[start : start + 64]).sum())
    return hits / len(photos.images)


def train(data: Path, work: Path, device: str) -> None:
    """Run (or resume) the whole schedule; leaves ``work/checkpoint.pt`` with the averaged weights in it."""
    import torch

    from core.models.torchvision_compat import import_torchvision

    torchvision = import_torchvision()
    torch.manual_seed(SEED)
    work.mkdir(parents=True, exist_ok=True)
    checkpoint_path = work / "checkpoint.pt"
    train_photos, val_photos = load_photos(data / "train"), load_photos(data / "val")
    print(f"{len(train_photos.images)} training and {len(val_photos.images)} validation photos", flush=True)

    def build() -> Any:
        network = torchvision.models.resnet18(num_classes=len(train_photos.classes))
        return network.to(device, memory_format=torch.channels_last)

    model, average = build(), build()
    average.load_state_dict(model.state_dict())
    decayed = [p for p in model.parameters() if p.ndim > 1]
    plain = [p for p in model.parameters() if p.ndim <= 1]  # biases and batch norm: no weight decay
    groups = [{"params": decayed, "weight_decay": WEIGHT_DECAY}, {"params": plain, "weight_decay": 0.0}]
    optimizer = torch.optim.SGD(groups, lr=PEAK_LEARNING_RATE, momentum=MOMENTUM, nesterov=True)
    first_epoch = 0
    if checkpoint_path.exists():
        saved = torch.load(checkpoint_path, map_location=device, weights_only=True)
        model.load_state_dict(saved["model"])
        average.load_state_dict(saved["average"])
        optimizer.load_state_dict(saved["optimizer"])
        first_epoch = saved["epoch"] + 1
        print(f"resuming at epoch {first_epoch}", flush=True)

    sides = [side for side, epochs in PHASES for _ in range(epochs)]
    steps = len(train_photos.images) // BATCH_SIZE
    for epoch in range(first_epoch, len(sides)):
        torch.manual_seed(SEED + epoch)
        started = time.perf_counter()
        epoch_batches = batches(train_photos, sides[epoch], epoch)
        loss = _train_epoch(model, average, optimizer, epoch_batches, steps, epoch / len(sides))
        record = {"epoch": epoch, "side": sides[epoch], "loss": round(loss, 4)}
        record["seconds"] = round(time.perf_counter() - started, 1)
        if epoch % 4 == 3 or epoch == len(sides) - 1:
            record["val_top1"] = round(top1(average, val_photos, device), 4)
        partial = checkpoint_path.with_suffix(".partial")
        state = {"model": model, "average": average, "optimizer": optimizer}
        torch.save({name: part.state_dict() for name, part in state.items()} | {"epoch": epoch}, partial)
        partial.replace(checkpoint_path)
        print(json.dumps(record), flush=True)


def _train_epoch(
    model: Any, average: Any, optimizer: Any, epoch_batches: Iterator[Batch], steps: int, progress: float
) -> float:
    """One pass over the photos, ``average`` following ``model``; ``progress`` is where the schedule stands (0..1)."""
    import torch
    from torch.nn import functional

    device = next(model.parameters()).device
    mean, std = (torch.tensor(v, device=device).view(1, 3, 1, 1) for v in (STANDARD.mean, STANDARD.std))
    epochs = sum(epochs for _, epochs in PHASES)
    losses = []
    model.train()
    for step, (pixels, labels) in enumerate(epoch_batches):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(progress + step / steps / epochs)
        inputs = torch.from_numpy(pixels).to(device).permute(0, 3, 1, 2).float() / 255
        inputs = ((colour_jitter(inputs) - mean) / std).contiguous(memory_format=torch.channels_last)
        with torch.autocast(device.type, torch.bfloat16):
            logits = model(inputs).float()
        loss = functional.cross_entropy(logits, torch.from_numpy(labels).to(device), label_smoothing=LABEL_SMOOTHING)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())
        with torch.no_grad():
            for mine, new in zip(average.state_dict().values(), model.state_dict().values(), strict=True):
                if mine.dtype.is_floating_point:
                    mine.lerp_(new, 1 - EMA_DECAY)
                else:
                    mine.copy_(new)
    return sum(losses) / len(losses)


def recipe() -> dict[str, str]:
    """How the model was trained, for its card."""
    return {
        "epochs": ", ".join(f"{epochs} at {side} px" for side, epochs in PHASES),
        "optimizer": f"SGD, Nesterov momentum {MOMENTUM}, weight decay {WEIGHT_DECAY}, batches of {BATCH_SIZE}",
        "schedule": f"one cycle, peak learning rate {PEAK_LEARNING_RATE}",
        "regularisation": f"label smoothing {LABEL_SMOOTHING}, random resized crops of {CROP_SCALE[0]:.0%} to "
        f"{CROP_SCALE[1]:.0%} of the area, flips, colour jitter {JITTER}",
        "final weights": f"exponential moving average with decay {EMA_DECAY} after the last epoch",
    }


def main() -> None:
    """Command line; see the module's text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with train/ and val/")
    parser.add_argument("--work", type=Path, default=Path("runs/starter"), help="checkpoints (default: %(default)s)")
    parser.add_argument("--models", type=Path, default=PROJECT_ROOT / "models", help="where starter/ is written")
    parser.add_argument("--device", default=None, help="cpu, cuda, mps (default: the best there is)")
    options = parser.parse_args()
    import torch

    device = options.device or ("cuda" if torch.cuda.is_available() else "cpu")
    train(options.data, options.work, device)
    build_starter(options.work / "checkpoint.pt", options.data, options.models / "starter", recipe())


if __name__ == "__main__":
    main()
