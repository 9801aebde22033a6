"""A share of images with the interval in which the true one lies, to compute with and to write down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from pydantic import BaseModel, ConfigDict

from core.trust.agreement import wilson_interval


@dataclass(frozen=True, slots=True)
class Share:
    """``right`` of ``images``, and the Wilson 95% interval of their share (0..1)."""

    right: int
    images: int

    @property
    def value(self) -> float:
        """0..1; 0 of no images."""
        return self.right / self.images if self.images else 0.0

    @property
    def low(self) -> float:
        """Lower end of the interval, 0..1."""
        return wilson_interval(self.right, self.images)[0] if self.images else 0.0

    @property
    def high(self) -> float:
        """Upper end of the interval, 0..1."""
        return wilson_interval(self.right, self.images)[1] if self.images else 1.0


class ShareRight(BaseModel):
    """A share with its Wilson 95% interval, all 0..1."""

    model_config = ConfigDict(frozen=True)

    value: float
    low: float
    high: float
    images: int

    @classmethod
    def of(cls, share: Share) -> Self:
        """The same, rounded for a file."""
        return cls(value=round(share.value, 4), low=round(share.low, 4), high=round(share.high, 4), images=share.images)
