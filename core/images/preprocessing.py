"""How an image becomes the input of a network, as data: it travels in a model's card and is read from there alone."""

from __future__ import annotations

import hashlib
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Triple = tuple[float, float, float]
_OF_PIXELS = {"resize", "crop", "stretch", "interpolation", "color_order"}


class Preprocessing(BaseModel):
    """Resize the shorter side, crop the centre, normalise; the order of torchvision's classification presets.

    The defaults are torchvision's ``ResNet18_Weights.IMAGENET1K_V1.transforms()``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    resize: int = Field(256, gt=0, le=4096, description="pixels the shorter side is resized to, antialiased")
    crop: int = Field(224, gt=0, le=4096, description="side of the square cut from the centre: the network's input")
    stretch: bool = Field(False, description="make the whole image a square instead, whatever its shape")
    interpolation: Literal["bilinear", "bicubic"] = "bilinear"
    color_order: Literal["RGB", "BGR"] = "RGB"
    mean: Triple = Field((0.485, 0.456, 0.406), description="subtracted from each channel, on values 0..1")
    std: Triple = Field((0.229, 0.224, 0.225), description="what each channel is divided by then")

    @model_validator(mode="after")
    def _possible(self) -> Preprocessing:
        if self.crop > self.resize:
            raise ValueError("the crop is larger than the resized image")
        if self.stretch and self.crop != self.resize:
            raise ValueError("an image is stretched to the size of the input")
        if min(self.std) <= 0:
            raise ValueError("a standard deviation is not above 0")
        return self

    @model_validator(mode="before")
    @classmethod
    def _from_words(cls, value: Any) -> Any:
        # Cards written before version 0.2 describe the one preprocessing there was in words.
        return {} if value == _WORDS else value

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Shape of a model input: uint8 ``[crop, crop, 3]``, channels in ``color_order``."""
        return self.crop, self.crop, 3

    @property
    def pixel_key(self) -> str:
        """Short key of what decides the pixels of a model input; models that share it share the inputs of a stack."""
        pixels = self.model_dump_json(include=_OF_PIXELS, exclude=self._unsaid)
        return hashlib.sha256(pixels.encode()).hexdigest()[:12]

    @property
    def key(self) -> str:
        """Short key of all of it; part of the key of whatever has it built in."""
        return hashlib.sha256(self.model_dump_json(exclude=self._unsaid).encode()).hexdigest()[:8]

    @property
    def _unsaid(self) -> set[str]:
        """What came later and is as it was before: the keys of all that is kept stay."""
        return set() if self.stretch else {"stretch"}

    @property
    def fit(self) -> str:
        """How an image comes to the size of an input, for people, as the end of a sentence."""
        if self.stretch:
            return f"stretched to {self.crop} × {self.crop} px"
        return f"scaled to {self.resize} px on its shorter side and cut to the central {self.crop} × {self.crop} px"

    @property
    def words(self) -> str:
        """For people."""
        cut = f"shorter side to {self.resize} px (antialiased {self.interpolation}), centre crop {self.crop}"
        stretched = f"stretched to {self.crop} px (antialiased {self.interpolation})"
        return (
            f"{stretched if self.stretch else cut}, "
            f"{self.color_order}, mean {_numbers(self.mean)}, standard deviation {_numbers(self.std)}"
        )


_WORDS = "shorter side to 256 px (antialiased bilinear), centre crop 224, ImageNet mean and std"

STANDARD = Preprocessing()  # of torchvision's ResNet18, and so of the models that ship with the app


def _numbers(values: Triple) -> str:
    return " ".join(f"{value:g}" for value in values)
