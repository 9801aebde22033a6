"""The trust gate: how far an INT8 model strays from its FP32 original, on images it was not calibrated on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.trust.agreement import Accuracy, Agreement, accuracy, agreement

# Share of images on which INT8 must name the class FP32 names. One flip in a hundred is what full bias correction
# leaves on ResNet18 at worst, and those are images about which FP32 is undecided itself.
GATE_AGREEMENT = 0.99


@dataclass(frozen=True, slots=True)
class GateReport:
    """INT8 beside FP32 on the same images; the accuracies are None where no labels are known.

    ``asked`` is the share of images (0..1) on which both must name the same class.
    """

    agreement: Agreement
    fp32: Accuracy | None
    int8: Accuracy | None
    asked: float = GATE_AGREEMENT

    @property
    def passed(self) -> bool:
        """Whether the agreement reaches what is ``asked`` for, a share 0..1."""
        return self.agreement.top1 >= self.asked

    def is_worse_than(self, other: GateReport) -> bool:
        """Whether ``other``, judged on the same images, agrees with FP32 on more of them."""
        return other.agreement.top1 > self.agreement.top1

    @property
    def top1_drop(self) -> float | None:
        """Top-1 accuracy lost by INT8, as a share (negative: gained); None without labels."""
        return self.fp32.top1 - self.int8.top1 if self.fp32 and self.int8 else None


def judge(
    fp32: NDArray[np.float32],
    int8: NDArray[np.float32],
    labels: NDArray[np.int64] | None = None,
    asked: float = GATE_AGREEMENT,
) -> GateReport:
    """Compare logits (both float32 ``[N, classes]``); ``labels`` are class indices ``[N]``, -1 where unknown."""
    same = agreement(fp32, int8)
    known = labels is not None and labels >= 0
    if labels is None or not np.any(known):
        return GateReport(same, None, None, asked)
    return GateReport(same, accuracy(fp32[known], labels[known]), accuracy(int8[known], labels[known]), asked)
