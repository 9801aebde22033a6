"""The trust gate's judgement of an INT8 model, for people: verdict, figures, and all of them as a table."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from core.optimize.gate import GateReport

_METRIC_WIDTH = 154  # px: two beside each other on a phone, four on a wide page


def verdict(report: GateReport, before: GateReport | None) -> None:
    """Whether INT8 stays close enough to FP32, and whether it was closer before, in a sentence each."""
    same = report.agreement
    text = (
        f"INT8 names the same class as FP32 on {same.top1:.1%} of {same.images:,} images that were not used for "
        f"calibration (95% interval {same.low:.1%} to {same.high:.1%})."
    )
    if report.passed:
        st.success(text, icon=":material/verified:")
    else:
        chance = " With so few images this may be chance; more images decide." if same.high >= report.asked else ""
        st.warning(f"{text} {report.asked:.0%} is asked for.{chance}", icon=":material/warning:")
    if before is not None and report.is_worse_than(before):
        st.warning(
            f"The model in use does better: it names FP32's class on {before.agreement.top1:.1%} of the same images. "
            "Keeping it is advised.",
            icon=":material/trending_down:",
        )


def figures(after: GateReport, before: GateReport | None) -> None:
    """The figures that decide, with what the INT8 model before had on the same images."""
    old, new = before.agreement if before else None, after.agreement
    with st.container(horizontal=True):
        _metric(
            "Agreement",
            f"{new.top1:.1%}",
            f"before {old.top1:.1%}" if old else None,
            "How often INT8 names the same class as FP32. It does not say who is right.",
        )
        _metric(
            "Confidence drift",
            f"{new.mean_drift:.2%}",
            f"before {old.mean_drift:.2%}" if old else None,
            "Mean change of the confidence in the class that FP32 names.",
        )
        _metric(
            "KL divergence",
            f"{new.mean_kl:.4f}",
            f"before {old.mean_kl:.4f}" if old else None,
            "Mean Kullback-Leibler divergence of INT8's confidences from FP32's, in nats; 0 where they are the same.",
        )
        if after.fp32 and after.int8:
            _metric(
                "Top-1 accuracy",
                f"{after.int8.top1:.1%}",
                f"FP32 {after.fp32.top1:.1%}",
                f"Of INT8, on the {after.int8.images:,} judged images whose class is known.",
            )


def _metric(label: str, value: str, beside: str | None, meaning: str) -> None:
    st.metric(
        label,
        value,
        beside,
        delta_color="off",
        delta_arrow="off",
        border=True,
        help=meaning,
        width=_METRIC_WIDTH,
    )


def comparison(after: GateReport, before: GateReport | None) -> None:
    """Before and after as a table; accuracy only where classes are known."""
    reports = {"Before": before, "After": after} if before else {"After": after}
    shown = [report for report in reports.values() if report]
    rows: dict[str, list[str]] = {
        "Agreement with FP32": [f"{one.agreement.top1:.2%}" for one in shown],
        "95% interval (Wilson)": [f"{one.agreement.low:.2%} to {one.agreement.high:.2%}" for one in shown],
        "Images judged": [f"{one.agreement.images:,}" for one in shown],
        "Five best classes in common": [f"{one.agreement.top5:.2%}" for one in shown],
        "Mean confidence drift": [f"{one.agreement.mean_drift:.2%}" for one in shown],
        "Largest confidence drift": [f"{one.agreement.max_drift:.2%}" for one in shown],
        "Mean KL divergence (nats)": [f"{one.agreement.mean_kl:.5f}" for one in shown],
    }
    known = [(one.fp32, one.int8, one.top1_drop or 0.0) for one in shown if one.fp32 and one.int8]
    if known:
        rows["Images with a known class"] = [f"{fp32.images:,}" for fp32, _, _ in known]
        rows["Top-1 accuracy, FP32"] = [f"{fp32.top1:.2%}" for fp32, _, _ in known]
        rows["Top-1 accuracy, INT8"] = [f"{int8.top1:.2%}" for _, int8, _ in known]
        rows["Top-1 accuracy lost (points)"] = [f"{100 * drop:.2f}" for _, _, drop in known]
        rows["Top-5 accuracy, FP32"] = [f"{fp32.top5:.2%}" for fp32, _, _ in known]
        rows["Top-5 accuracy, INT8"] = [f"{int8.top5:.2%}" for _, int8, _ in known]
    st.table(pd.DataFrame(rows, index=pd.Index(list(reports), name="INT8 model")).T)
