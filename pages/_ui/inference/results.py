"""Showing what was recognised: figures of a run, the table, one image in detail, downloads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st
from streamlit_image_select import image_select

from core.engines.registry import engine_label
from core.recognition.jobs import RecognitionJob
from core.recognition.report import predictions_csv, predictions_json
from core.recognition.results import Prediction
from core.recognition.stack_results import differs
from core.runtime import get_runtime
from core.stacks.stack import ImageStack
from pages._ui.shell.downloads import download_button, filename_of
from pages._ui.shell.links import absolute, stack_links
from pages._ui.shell.messages import escape, images

# image_select puts every image it is given into the page at once, so it gets a window of them.
_STRIP_LENGTH = 12
_ROW, _HEAD, _TABLE = 56, 38, 400  # CSS pixels of the table: a row, the header with the border, the whole at most
KNOWN_SCORE = (
    "Share of known images that are less like what the model was taught on; low means that it shows none of the classes"
)


def run_metrics(job: RecognitionJob) -> None:
    """Time and rate of each engine in the last run; with two engines, the speed-up and where they differ."""
    runs = [job.recognitions[engine] for engine in job.order.engines]
    with st.container(key="run-metrics", horizontal=True):
        for run in runs:
            timing = run.timing
            st.metric(
                f"{engine_label(run.engine)} · {images(timing.images)}",
                f"{timing.total_seconds:.2f} s",
                f"{timing.images_per_second:,.0f} images/s",
                delta_color="off",
                delta_arrow="off",
                help=f"Model {escape(run.model)}, convolutions in {escape(run.precision)}, batches of "
                f"{timing.batch_size:,}, {timing.wait_seconds:.2f} s of it spent waiting for images to be decoded.",
                border=True,
            )
        if len(runs) == 2:
            first, second = runs
            ratio = second.timing.total_seconds / first.timing.total_seconds
            pairs = list(zip(first.predictions, second.predictions, strict=True))
            flips = sum(differs(pair) for pair in pairs)
            st.metric(
                "Speed-up",
                f"{ratio:.1f}×",
                f"{engine_label(first.engine)} over {engine_label(second.engine)}",
                delta_color="off",
                delta_arrow="off",
                help="Inference only: all images were decoded before either engine began.",
                border=True,
            )
            st.metric(
                "Same answer",
                f"{len(pairs) - flips:,} of {len(pairs):,}",
                f"{flips:,} differ" if flips else "no difference",
                delta_color="off",
                delta_arrow="off",
                help="How often both engines name the same class. It does not say who is right.",
                border=True,
            )


def results_table(stack: ImageStack, found: Mapping[int, Sequence[Prediction]], *, key: str) -> int | None:
    """The answers as a table with thumbnails; the position of the row a person has picked, if any."""
    thumbnails = absolute(stack_links(stack).thumbnail_url)
    engines = get_runtime().recognition.results(stack).engines
    columns: dict[str, list[object]] = {"Image": [thumbnails.format(index=index) for index in found]}
    config: dict[str, Any] = {"Image": st.column_config.ImageColumn(width=64)}
    for engine in engines:
        answers = [next((one for one in predictions if one.engine == engine), None) for predictions in found.values()]
        name, confidence = engine_label(engine), f"Confidence, {engine_label(engine)}"
        columns[name] = [answer and (answer.error or answer.caption) for answer in answers]
        columns[confidence] = [shown_confidence(answer) if answer else None for answer in answers]
        config[name] = st.column_config.TextColumn(width=150, help="The class this engine names first")
        config[confidence] = st.column_config.ProgressColumn(
            "Confidence",
            help=f"{confidence}. {meaning_of_confidence(filter(None, answers))}",
            format="percent",
            min_value=0.0,
            max_value=1.0,
            width=130,
        )
        if any(answer and answer.known_score is not None for answer in answers):
            known = f"Known score, {engine_label(engine)}"
            columns[known] = [answer and answer.known_score for answer in answers]
            config[known] = st.column_config.NumberColumn("Known score", help=KNOWN_SCORE, format="%.2f", width=100)
    if stack.range.images:
        columns["Scaled by"] = [predictions[0].value_range for predictions in found.values()]
        config["Scaled by"] = st.column_config.TextColumn(width=80, help="Whose range of values became black and white")
    if len(engines) > 1:
        columns["Differs"] = [differs(predictions) for predictions in found.values()]
        config["Differs"] = st.column_config.CheckboxColumn(width=70, help="The engines name different classes")
    columns["File"] = [stack.entries[index].name for index in found]
    columns["Position"] = [index + 1 for index in found]
    config["File"] = st.column_config.TextColumn(width="medium")
    config["Position"] = st.column_config.NumberColumn(width=80)
    event = st.dataframe(
        pd.DataFrame(columns),
        column_config=config,
        hide_index=True,
        row_height=_ROW,
        height=min(_TABLE, _HEAD + _ROW * len(found)),
        on_select="rerun",
        selection_mode="single-row",
        key=key,
    )
    rows = event["selection"]["rows"]
    return list(found)[rows[0]] if rows else None


def shown_confidence(answer: Prediction) -> float | None:
    """What is said of the class in front; None where the image shows none of the classes, and after an error.

    How sure the nearest class is says nothing about an image that is unlike all of them.
    """
    return None if answer.error or answer.known is False else answer.confidence


def inspect(stack: ImageStack, found: Mapping[int, Sequence[Prediction]], start: int | None, *, key: str) -> None:
    """One recognised image with each engine's five best classes, picked from a strip of its neighbours."""
    positions = list(found)
    place = positions.index(start) if start is not None and start in found else 0
    first = max(0, min(place - _STRIP_LENGTH // 2, len(positions) - _STRIP_LENGTH))
    window = positions[first : first + _STRIP_LENGTH]
    thumbnails = absolute(stack_links(stack).thumbnail_url)
    chosen = image_select(
        "Pick an image to see its five best classes",
        [thumbnails.format(index=index) for index in window],
        captions=[f"{index + 1}: {found[index][0].caption}" for index in window],
        index=window.index(positions[place]),
        use_container_width=False,
        return_value="index",
        key=f"{key}-{window[0]}-{window[-1]}-{place}",
    )
    index = window[int(chosen)]
    left, right = st.columns([2, 3])
    with left:
        entry = stack.entries[index]
        # Only our own address and a number go into the HTML; the name, which a stranger chose, goes into the caption.
        address = absolute(stack_links(stack).image_url).format(index=index)
        st.html(f'<img src="{address}" alt="Image {index + 1}" style="max-width:100%;max-height:22rem">')
        st.page_link(
            "viewer.py",
            label=f"Open image {index + 1:,} in the viewer",
            icon=":material/photo_library:",
            query_params={"stack": stack.fingerprint, "image": str(index + 1)},
        )
        size = f"{entry.header.width:d} × {entry.header.height:d}"
        st.caption(f"{escape(entry.name)} · {size} · {escape(entry.header.description)}")
    with right:
        top_classes(found[index])


def top_classes(predictions: Sequence[Prediction]) -> None:
    """The five best classes of one image by each engine."""
    for prediction in predictions:
        caveat = "" if prediction.calibrated or prediction.error else " · not calibrated"
        st.markdown(f"**{engine_label(prediction.engine)}** · model {escape(prediction.model)}{caveat}")
        if prediction.error:
            st.warning(escape(prediction.error), icon=":material/broken_image:")
            continue
        if prediction.known is False:
            st.caption(f"{escape(prediction.caption)} · known score {prediction.known_score:.2f}")
        frame = pd.DataFrame(
            {"Class": [s.label for s in prediction.top], "Confidence": [s.confidence for s in prediction.top]}
        )
        confidence = st.column_config.ProgressColumn(
            help=meaning_of_confidence([prediction]), format="percent", min_value=0.0, max_value=1.0
        )
        st.dataframe(frame, column_config={"Confidence": confidence}, hide_index=True, key=f"top-{prediction.engine}")


def meaning_of_confidence(predictions: Iterable[Prediction]) -> str:
    """What a confidence says, for people: how often such answers are right, or nothing of that kind."""
    if all(prediction.calibrated for prediction in predictions if prediction.error is None):
        return "Calibrated: of answers at 80%, about 80% are right, on images like those it was measured on."
    return (
        "Not calibrated: it says which class is likelier, not how often such answers are right. Calibrating on the "
        "Optimize page with images whose classes are known changes that."
    )


def result_downloads(stack: ImageStack, found: Mapping[int, Sequence[Prediction]]) -> None:
    """The answers as CSV and JSON, made when asked for."""
    predictions = [prediction for row in found.values() for prediction in row]
    with st.container(horizontal=True):
        download_button("Download CSV", lambda: predictions_csv(predictions), filename_of(stack, "results.csv"))
        download_button("Download JSON", lambda: predictions_json(predictions), filename_of(stack, "results.json"))
