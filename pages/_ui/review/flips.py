"""Stepping through disagreements, saying who is right, and what came of it."""

from __future__ import annotations

from urllib.parse import urlencode

import streamlit as st

from core.engines.engine import EngineName
from core.engines.registry import engine_label
from core.recognition.results import Prediction
from core.stacks.stack import ImageStack
from core.trust.disagreement import Flip, Mark, Marks, Tally
from pages._ui.inference.results import shown_confidence, top_classes
from pages._ui.shell.links import EXPLANATION, absolute, of_stack
from pages._ui.shell.messages import escape, images

_PLACE = "review-place"


def tally(said: Tally, flips: int, both: int, engines: tuple[EngineName, EngineName]) -> None:
    """How many there are, and what was said of them so far."""
    first = engine_label(engines[0])
    second = engine_label(engines[1])
    line = f"**{flips:,}** of {images(both)} are named differently by {first} and {second}."
    if said.judged and said.low is not None and said.high is not None:
        line += (
            f" Of {said.judged:,} judged: {first} right {said.first:,}, {second} right {said.second:,}, "
            f"neither {said.neither:,}. {first} is right on {said.first / said.judged:.0%} of them "
            f"(95% interval {said.low:.0%} to {said.high:.0%})."
        )
    st.markdown(line)


def stepping(count: int) -> int:
    """Buttons and arrow keys; the place of the flip on show, from 0."""
    place = min(int(st.session_state.get(_PLACE, 0)), count - 1)
    st.session_state[_PLACE] = place

    def go(by: int) -> None:
        st.session_state[_PLACE] = place + by

    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Previous",
            icon=":material/arrow_back:",
            disabled=place == 0,
            shortcut="Left",
            on_click=go,
            args=(-1,),
            key="review-previous",
        )
        st.button(
            "Next",
            icon=":material/arrow_forward:",
            disabled=place == count - 1,
            shortcut="Right",
            on_click=go,
            args=(1,),
            key="review-next",
        )
        st.markdown(f"**{place + 1:,}** of {count:,}", width="content")
    return place


def marking(marks: Marks, flip: Flip) -> None:
    """Who is right; saying it again takes it back."""
    said = marks.of(flip)
    answers: dict[Mark, Prediction | None] = {"first": flip.first, "second": flip.second, "neither": None}
    with st.container(horizontal=True):
        for number, (mark, answer) in enumerate(answers.items(), 1):
            st.button(
                f"{engine_label(answer.engine)} is right" if answer is not None else "Neither is",
                type="primary" if said == mark else "secondary",
                shortcut=str(number),
                on_click=marks.set,
                args=(flip, None if said == mark else mark),
                key=f"review-{mark}",
            )


def flip_details(stack: ImageStack, flip: Flip) -> None:
    """What the model saw, where each engine looked, and the five best classes of both."""
    entry = stack.entries[flip.index]
    st.caption(f"Image {flip.index + 1:,}: {escape(entry.name)}")
    seen, left, right = st.columns(3)
    with seen:
        st.markdown("**What the model saw**")
        _picture(stack, flip.first, "input", "What the model saw")
        st.page_link(
            "viewer.py",
            label=f"Open image {flip.index + 1:,} in the viewer",
            icon=":material/photo_library:",
            query_params={"stack": stack.fingerprint, "image": str(flip.index + 1)},
        )
    for column, answer in ((left, flip.first), (right, flip.second)):
        with column:
            sure = shown_confidence(answer)
            said = escape(answer.caption) + ("**" if sure is None else f"** {sure:.1%}")
            st.markdown(f"**{engine_label(answer.engine)}: {said}")
            _picture(stack, answer, "overlay", f"Where {engine_label(answer.engine)} looked")
            top_classes([answer])


def _picture(stack: ImageStack, answer: Prediction, form: str, text: str) -> None:
    """Only our own address, a percent-encoded query and words of ours go into the HTML."""
    address = absolute(of_stack(EXPLANATION, stack)).format(index=answer.index)
    query = urlencode({"engine": answer.engine, "model": answer.model, "form": form})
    st.html(
        f'<img src="{address}?{query.replace("&", "&amp;")}" alt="{text}" '
        'style="width:100%;max-width:22rem;aspect-ratio:1;border-radius:6px">'
    )
