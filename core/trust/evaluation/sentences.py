"""Figures in words, the same on the page, in the report and on the command line."""

from __future__ import annotations

from core.trust.evaluation.report import ComparisonReport, CoverageReport, KnownReport, RunReport, Value
from core.trust.share import ShareRight


def percent(value: float) -> str:
    """``97.4%``; ``80%`` where nothing stands behind the point."""
    return f"{value:.1%}".replace(".0%", "%")


def share_text(found: ShareRight) -> str:
    """``97.4% (96.6% to 98.0%)``."""
    return f"{found.value:.1%} ({found.low:.1%} to {found.high:.1%})"


def interval(found: Value) -> str:
    """``0.017 (0.012 to 0.029)``."""
    return f"{found.value:.3f} ({found.low:.3f} to {found.high:.3f})"


def accuracy_sentence(run: RunReport) -> str:
    """How often a run is right."""
    five = "" if run.top5 is None else f"; among the five best {share_text(run.top5)}"
    return f"{share_text(run.top1)} right of {run.images:,} images{five}."


def coverage_sentence(found: CoverageReport) -> str:
    """What answering only the sure ones would bring."""
    threshold = percent(found.threshold)
    if not found.right.images:
        return f"No image has a confidence of {threshold}."
    return (
        f"Answering only from {threshold} on leaves {percent(found.answered.value)} of images "
        f"({found.answered.low:.1%} to {found.answered.high:.1%}) and {share_text(found.right)} right."
    )


def known_sentence(found: KnownReport, threshold: float) -> str:
    """What passes at a threshold of the known score, and how well known and foreign images are told apart."""
    at = min(found.passing, key=lambda one: abs(one.threshold - threshold))
    kept = f"At a threshold of {at.threshold:.2f}, {share_text(at.known)} of {found.images:,} known images pass"
    if found.area is None:
        return f"{kept}. No image has a label that is none of the classes, so what foreign ones do is not known."
    return (
        f"{kept}, and {share_text(at.foreign)} of {found.foreign:,} whose label is none of the classes. Area under the "
        f"ROC curve: {interval(found.area)}."
    )


def comparison_sentence(found: ComparisonReport) -> str:
    """Who of two is right more often, as far as the images tell."""
    if not found.first_only and not found.second_only:
        return f"{found.first} and {found.second} are right about the same of {found.images:,} images."
    difference = found.difference
    if difference.value:
        better, other, low, high = found.second, found.first, difference.low, difference.high
        if difference.value < 0:  # the interval is that of what is said, not of the opposite
            better, other, low, high = other, better, -high, -low
        lead = (
            f"{better} is right more often than {other} by {abs(difference.value) * 100:.1f} points (95% interval of "
            f"the difference {low * 100:+.1f} to {high * 100:+.1f})"
        )
    else:
        lead = "Both are right equally often"
    only = f"{found.first} alone is right about {found.first_only:,}, {found.second} alone about {found.second_only:,}"
    p_value = "p below 0.0001" if found.p_value < 0.0001 else f"p = {found.p_value:.4f}"
    chance = " That may be chance alone." if difference.value and found.p_value >= 0.05 else ""
    return f"{lead}, of {found.images:,} images: {only}. McNemar's exact test: {p_value}.{chance}"
