"""How images become a foreign model's inputs, as the files beside it say: what they leave open is never guessed."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from core.base.errors import PreprocessingUnknown
from core.images.preprocessing import Preprocessing
from core.models.openvino_info import OWN

MAX_BYTES = 4 * 1024 * 1024  # ImageNet's names among it take 60 kB
_PILLOW: dict[object, Literal["bilinear", "bicubic"]] = {2: "bilinear", 3: "bicubic"}


def read_json(path: Path) -> dict[str, Any]:
    """The object in a file of settings.

    Raises:
        PreprocessingUnknown: it is none, or far too large.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise PreprocessingUnknown(f"{path.name} is too large for a file of settings; choose the model's config.")
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise PreprocessingUnknown(f"{path.name} cannot be read as JSON; choose the model's config.") from error
    if not isinstance(found, dict):
        raise PreprocessingUnknown(f"{path.name} holds no settings of a model; choose the model's config.")
    return found


def preprocessing_of(settings: Mapping[str, Any], name: str) -> Preprocessing:
    """What timm's ``config.json`` or ``pretrained_cfg``, Hugging Face's ``preprocessor_config.json``, or a
    ``Preprocessing`` of ours says.

    Args:
        settings: the file's object.
        name: of the file, for messages.

    Raises:
        PreprocessingUnknown: something is missing, or cannot be done here; the sentence says what.
    """
    try:
        if "pretrained_cfg" in settings or {"input_size", "crop_pct"} <= set(settings):
            return _of_timm(settings.get("pretrained_cfg", settings))
        if "image_mean" in settings or "do_normalize" in settings:
            return _of_hugging_face(settings)
        if set(settings) >= {"resize", "crop", "mean", "std"}:
            return Preprocessing.model_validate(settings)
    except KeyError as error:
        raise PreprocessingUnknown(f"{name} does not say {error.args[0]}; give the preprocessing yourself.") from error
    except (ValidationError, TypeError, ValueError, ArithmeticError) as error:
        raise PreprocessingUnknown(f"{name} says something that makes no sense here; give it yourself.") from error
    raise PreprocessingUnknown(f"{name} says nothing of preprocessing; choose another file, or give it yourself.")


def preprocessing_of_info(own: str, info: Mapping[str, str], side: int) -> Preprocessing | None:
    """What the ``rt_info`` of an IR says: ours, or model_api's ``model_info``; None where it says nothing.

    Args:
        own: ``rt_info/aisr/preprocessing``, or empty.
        info: ``rt_info/model_info`` by name.
        side: of the network's input.

    Raises:
        PreprocessingUnknown: it says what cannot be done here.
    """
    if own:
        return preprocessing_of(json.loads(own), f"rt_info/{OWN}")
    if "mean_values" not in info or "scale_values" not in info:
        return None
    kinds = {"standard": "stretch", "crop": "crop"}
    kind = info.get("resize_type", "standard")
    if kind not in kinds:
        raise PreprocessingUnknown(f"The model's rt_info asks for resize_type {kind}, which is not known here.")
    mean, scale = (
        tuple(float(number) / 255 for number in info[key].split()) for key in ("mean_values", "scale_values")
    )
    modes: dict[str, Literal["bilinear", "bicubic"]] = {"LINEAR": "bilinear", "CUBIC": "bicubic"}
    try:
        return Preprocessing(
            resize=side,
            crop=side,
            stretch=kinds[kind] == "stretch",
            interpolation=modes[info.get("interpolation_mode", "LINEAR")],
            # Others hand over BGR images, and say whether they are turned round.
            color_order="RGB" if info.get("reverse_input_channels") in {"True", "YES"} else "BGR",
            mean=mean,
            std=scale,
        )
    except (ValidationError, KeyError) as error:
        raise PreprocessingUnknown(
            "The model's rt_info says something that makes no sense; give it yourself."
        ) from error


def architecture_of(settings: Mapping[str, Any]) -> str:
    """timm's name of the network, which its ``config.json`` says; empty where it does not."""
    named = settings.get("architecture", "")
    return named if isinstance(named, str) else ""


def labels_of(settings: Mapping[str, Any]) -> list[str] | None:
    """Class names of ``id2label`` or ``label_names``; None where there are none."""
    named = settings.get("id2label")
    if isinstance(named, dict) and set(named) == {str(number) for number in range(len(named))}:
        return [str(named[str(number)]) for number in range(len(named))]
    names = settings.get("label_names")
    return [str(name) for name in names] if isinstance(names, list) else None


def _of_timm(cfg: Mapping[str, Any]) -> Preprocessing:
    channels, height, width = cfg["input_size"]
    if channels != 3 or height != width:
        raise PreprocessingUnknown(
            f"The model takes {channels} x {height} x {width}; only square RGB images can be given."
        )
    mode = cfg.get("crop_mode", "center")
    squash = mode == "squash" and cfg["crop_pct"] == 1
    if mode != "center" and not squash:
        raise PreprocessingUnknown(f"The model asks for crop_mode {mode}, which is not known here.")
    return Preprocessing(
        resize=math.floor(height / cfg["crop_pct"]),
        crop=height,
        stretch=squash,
        interpolation=cfg["interpolation"],
        mean=cfg["mean"],
        std=cfg["std"],
    )


def _of_hugging_face(cfg: Mapping[str, Any]) -> Preprocessing:
    factor = cfg.get("rescale_factor", 1 / 255)
    if not cfg.get("do_rescale", True) or abs(factor * 255 - 1) > 1e-3:
        raise PreprocessingUnknown(
            "The model takes values that are not scaled from 0..255 to 0..1; that cannot be given."
        )
    interpolation = _PILLOW.get(cfg["resample"])
    if interpolation is None:
        raise PreprocessingUnknown(f"The model asks for resampling {cfg['resample']}; only 2 and 3 are known here.")
    normal = cfg.get("do_normalize", True)
    size = cfg["size"]
    if isinstance(size, int):
        size = {"height": size, "width": size} if "crop_size" not in cfg else {"shortest_edge": size}
    crop = cfg.get("crop_size")
    crop = crop.get("height") if isinstance(crop, dict) else crop
    stretch = False
    if "shortest_edge" in size:
        resize = size["shortest_edge"]
        if "crop_pct" in cfg and crop is None:  # ConvNeXt's: cut from a larger one below 384
            crop, resize = resize, int(resize / cfg["crop_pct"]) if resize < 384 else resize
            stretch = crop >= 384
        elif not cfg.get("do_center_crop", crop is not None):
            raise PreprocessingUnknown("The model takes images that are not square; that cannot be given.")
    else:
        if size["height"] != size["width"]:
            raise PreprocessingUnknown("The model takes images that are not square; that cannot be given.")
        resize, stretch = size["height"], True
        if crop is not None and cfg.get("do_center_crop", False) and crop != resize:
            raise PreprocessingUnknown("The model stretches images before it crops them; that cannot be given.")
        crop = resize
    return Preprocessing(
        resize=resize,
        crop=crop,
        stretch=stretch,
        interpolation=interpolation,
        mean=cfg["image_mean"] if normal else (0, 0, 0),
        std=cfg["image_std"] if normal else (1, 1, 1),
    )
