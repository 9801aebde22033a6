"""What the server can recognise with, and whether it is ready to."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from core.api.schemas.fields import EngineChoice


class EngineInfo(BaseModel):
    """One way to run a model."""

    name: EngineChoice
    title: str
    available: bool = Field(description="whether what it needs is installed")
    loaded: bool = Field(description="whether its first prediction would be answered at once")
    calibrated: bool = Field(description="whether its confidences say how often such answers are right")
    tells_unknown: bool = Field(description="whether its answers say if an image shows one of the classes at all")


class ModelInfo(BaseModel):
    """An installed model."""

    name: str
    title: str
    description: str
    architecture: str
    classes: list[str]
    default: bool
    engines: list[EngineInfo]


class DamagedModelInfo(BaseModel):
    """An installed model that cannot be used, and why."""

    name: str
    reason: str


class ModelList(BaseModel):
    """The installed models, the default one first."""

    models: list[ModelInfo]
    damaged: list[DamagedModelInfo]


class Health(BaseModel):
    """Whether the server answers (``live``) and predicts at once (``ready``)."""

    status: Literal["live", "ready", "starting"]
