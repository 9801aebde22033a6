"""Recognition and its results: run, compare engines, inspect one image, download."""

import streamlit as st

from core.recognition.stack_results import differs
from core.runtime import get_runtime
from pages._ui.inference.curl import same_over_http
from pages._ui.inference.results import inspect, result_downloads, results_table, run_metrics
from pages._ui.inference.run_panel import run_panel
from pages._ui.inference.unknown import none_of_these
from pages._ui.shell.browsers import current_session
from pages._ui.shell.needed import needed_stack
from pages._ui.shell.room import reserve
from pages._ui.viewer.upload import stack_summary

session = current_session()

st.title("Inference")
stack = needed_stack(session)
stack_summary(stack)
run_panel(session, stack, key="inference")
reserve({"run-metrics": "8.5rem", "none-of-these": "11.5rem"})
if session.job is not None and session.job.state.phase == "done":
    run_metrics(session.job)

results = get_runtime().recognition.results(stack)
found = results.by_image()
if not found:
    st.info("Nothing is recognised yet. Press one of the buttons above.", icon=":material/label:")
    st.stop()

if len(results.engines) > 1:
    only_different = st.toggle("Only images where the engines differ")
    if only_different:
        found = {index: predictions for index, predictions in found.items() if differs(predictions)}
        if not found:
            st.success("The engines agree on every image.", icon=":material/check_circle:")
            st.stop()
none_of_these(stack, found)
picked = results_table(stack, found, key="results")
result_downloads(stack, found)
if session.job is not None and session.job.order.stack is stack and session.job.state.finished:
    same_over_http(session.job)
inspect(stack, found, picked, key="inspect")
