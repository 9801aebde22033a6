"""What timm's and Hugging Face's files say of preprocessing is done as they say, or refused with a reason."""

from __future__ import annotations

from typing import Any

import pytest

from core.base.errors import PreprocessingUnknown
from core.images.pixels import crop_box
from core.images.preprocessing import STANDARD, Preprocessing
from core.models.foreign.preprocessing_files import (
    architecture_of,
    labels_of,
    preprocessing_of,
    preprocessing_of_info,
)

HALF = (0.5, 0.5, 0.5)
TIMM = {"input_size": [3, 224, 224], "crop_pct": 0.875, "interpolation": "bicubic", "mean": HALF, "std": HALF}
FACE = {"resample": 2, "image_mean": HALF, "image_std": HALF}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"pretrained_cfg": TIMM}, {"resize": 256, "crop": 224, "interpolation": "bicubic"}),
        (TIMM | {"crop_pct": 0.95, "crop_mode": "center"}, {"resize": 235, "crop": 224, "interpolation": "bicubic"}),
        (TIMM | {"crop_pct": 1, "crop_mode": "squash"}, {"resize": 224, "stretch": True, "interpolation": "bicubic"}),
        (FACE | {"size": {"height": 224, "width": 224}}, {"resize": 224, "stretch": True}),
        (FACE | {"size": {"shortest_edge": 256}, "crop_size": {"height": 224, "width": 224}}, {"resize": 256}),
        (FACE | {"size": {"shortest_edge": 224}, "crop_pct": 0.875}, {"resize": 256, "crop": 224}),
        (FACE | {"size": 256, "crop_size": 224, "do_center_crop": True, "rescale_factor": 0.00392156862745098}, {}),
    ],
)
def test_what_is_said_is_done(settings: dict[str, Any], expected: dict[str, Any]) -> None:
    assert preprocessing_of(settings, "config.json") == Preprocessing(mean=HALF, std=HALF, **expected)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({}, "says nothing of preprocessing"),
        (TIMM | {"crop_mode": "border"}, "crop_mode border"),
        (TIMM | {"input_size": [1, 28, 28]}, "square RGB"),
        (TIMM | {"crop_pct": 0}, "makes no sense"),
        (TIMM | {"interpolation": "random"}, "makes no sense"),
        ({name: value for name, value in TIMM.items() if name != "mean"}, "does not say mean"),
        (FACE | {"size": {"height": 224, "width": 200}}, "not square"),
        (FACE | {"size": {"shortest_edge": 256}}, "not square"),
        (FACE | {"size": {"height": 224, "width": 224}, "do_rescale": False}, "not scaled"),
        (FACE | {"size": {"height": 224, "width": 224}, "resample": 0}, "resampling 0"),
        ({"image_mean": HALF, "image_std": HALF, "resample": 2}, "does not say size"),
    ],
)
def test_what_cannot_be_done_is_said(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(PreprocessingUnknown, match=sentence):
        preprocessing_of(settings, "config.json")


def test_the_network_is_what_timm_calls_it() -> None:
    assert architecture_of({"architecture": "vit_tiny_patch16_224"}) == "vit_tiny_patch16_224"
    assert architecture_of({"architectures": ["ViTForImageClassification"]}) == ""
    assert architecture_of({"architecture": ["resnet18"]}) == ""


def test_names_of_classes_are_read_in_their_order() -> None:
    assert labels_of({"id2label": {"1": "dog", "0": "cat"}}) == ["cat", "dog"]
    assert labels_of({"label_names": ["a", "b"]}) == ["a", "b"]
    assert labels_of({"id2label": {"7": "cat"}}) is None


def test_rt_info_that_says_nothing_is_not_guessed() -> None:
    assert preprocessing_of_info("", {"resize_type": "standard"}, 224) is None
    with pytest.raises(PreprocessingUnknown, match="fit_to_window"):
        preprocessing_of_info("", {"mean_values": "0", "scale_values": "1", "resize_type": "fit_to_window"}, 224)
    assert preprocessing_of_info(STANDARD.model_dump_json(), {}, 224) == STANDARD


def test_stretching_takes_the_whole_image_and_leaves_the_keys_of_others() -> None:
    stretched = Preprocessing(resize=224, stretch=True)
    assert crop_box((500, 375), stretched) == (0, 0, 500, 375)
    assert (STANDARD.pixel_key, STANDARD.key) == ("5ade4a915c89", "cc0a5e5c"), "what is kept by them is found again"
    assert stretched.pixel_key != Preprocessing(resize=224).pixel_key
