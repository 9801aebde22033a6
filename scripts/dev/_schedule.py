"""The schedule of the starter's training: what a step is made of, and its learning rate, from its number alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Phase:
    """Steps of one kind.

    Attributes:
        side: pixels of the photos' crops.
        steps: how many.
        auxiliary: auxiliary photos in a step, 0 for none.
        rates: learning rate at its start and at its end; half a cosine leads from one to the other.
    """

    side: int
    steps: int
    auxiliary: int
    rates: tuple[float, float]


# Small pictures first: most of what a network learns early does not depend on resolution, and a step costs side^2
# (progressive resizing, fast.ai 2018). The last phase stays below the 224 px of recognition on purpose: random crops
# enlarge objects, so a network trained at about 0.75 of the side meets them at their size (FixRes, Touvron et al. '19).
# The auxiliary photos have 32 px; they are most of what the first phases learn from, as their 100,000 teach features,
# and accompany the others, so that these are not unlearnt for a few thousand photos of 113 classes.
# Within a round, learning rates fall from phase to phase, as one cosine would; the average of the weights is of use at
# any cut.
# To go on after the end, append phases: earlier steps keep their meaning, and training resumes at the new ones.
PHASES = (
    Phase(side=96, steps=100, auxiliary=96, rates=(0.002, 0.03)),  # warm-up of the heads
    Phase(side=96, steps=800, auxiliary=96, rates=(0.03, 0.022)),
    Phase(side=128, steps=900, auxiliary=64, rates=(0.022, 0.008)),
    Phase(side=160, steps=500, auxiliary=32, rates=(0.008, 0.0)),
    # Once more from a middling rate: it was not at its end, and no class is learnt by heart yet.
    Phase(side=128, steps=60, auxiliary=64, rates=(0.0, 0.015)),
    Phase(side=128, steps=1500, auxiliary=64, rates=(0.015, 0.006)),
    Phase(side=160, steps=900, auxiliary=32, rates=(0.006, 0.0)),
)


def total_steps(phases: Sequence[Phase]) -> int:
    """Of all phases."""
    return sum(phase.steps for phase in phases)


def at_step(phases: Sequence[Phase], step: int) -> tuple[Phase, float]:
    """The phase of a step (from 0) and its learning rate.

    Raises:
        IndexError: the step is after the end.
    """
    within = step
    for phase in phases:
        if within < phase.steps:
            first, last = phase.rates
            return phase, last + (first - last) * 0.5 * (1 + math.cos(math.pi * within / phase.steps))
        within -= phase.steps
    raise IndexError(step)
