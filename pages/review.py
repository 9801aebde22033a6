"""Disagreement first: the images that two engines name differently, one after the other, and who is right."""

import streamlit as st

from core.engines.registry import engine_label
from core.runtime import get_runtime
from core.trust.disagreement import flips
from pages._ui.review.flips import flip_details, marking, stepping, tally
from pages._ui.review.why import why_int8_errs
from pages._ui.shell.browsers import current_session
from pages._ui.shell.needed import needed_stack
from pages._ui.viewer.upload import stack_summary

session = current_session()

st.title("Review")
st.markdown("The images that two engines name differently, those first on which both are surest. Who is right?")
stack = needed_stack(session)
stack_summary(stack)
runtime = get_runtime()
results = runtime.recognition.results(stack)
if len(results.engines) < 2:
    st.info(
        "Only one engine has answered, or none. Run inference with *Compare* switched on.", icon=":material/compare:"
    )
    st.page_link("inference.py", label="Go to Inference", icon=":material/label:")
    st.stop()

first, second = results.engines[0], results.engines[-1]
found = flips(results, first, second)
both = len(results.of(first).keys() & results.of(second).keys())
if not found:
    st.success(
        f"{engine_label(first)} and {engine_label(second)} agree on every image.", icon=":material/check_circle:"
    )
    st.stop()

marks = runtime.reviews.marks(stack)
tally(marks.tally(found), len(found), both, (first, second))
place = stepping(len(found))
marking(marks, found[place])
flip_details(stack, found[place])
why_int8_errs(session, stack, found)
