"""Measuring the engines on this machine: plan, progress, figures, saved runs."""

import streamlit as st

from pages._ui.benchmark.form import environment_card, plan_form, progress
from pages._ui.benchmark.results import benchmark_results
from pages._ui.benchmark.saved import benchmark_comparison, benchmark_downloads, open_saved
from pages._ui.shell.browsers import current_session

session = current_session()
found = session.benchmarks
found.take_report()

st.title("Benchmark")
st.markdown(
    "How fast each engine names your images on this machine, how near that is to the machine's limit, and how often "
    "the engines agree. OpenVINO FP32 stands between the two others to tell the gain of the engine from that of INT8."
)
environment_card(session)

if found.running:
    progress(session, found)
elif session.stack is None:
    st.info("Open a stack on the Viewer page to measure with your own images.", icon=":material/upload_file:")
    st.page_link("viewer.py", label="Go to the viewer", icon=":material/photo_library:")
else:
    plan_form(session, session.stack, found)

if found.report is not None:
    benchmark_results(session, found)
    benchmark_downloads(found.report)
benchmark_comparison(found)
open_saved(found)
