"""How often models are right on the open stack, where classes are known, and how true their confidences are."""

import streamlit as st

from core.runtime import get_runtime
from pages._ui.evaluate.form import form
from pages._ui.evaluate.results import evaluation_results
from pages._ui.shell.browsers import current_session
from pages._ui.shell.links import stack_links
from pages._ui.shell.needed import needed_stack
from pages._ui.viewer.beside import gallery_beside_viewer
from pages._ui.viewer.upload import stack_summary

session = current_session()

st.title("Evaluate")
st.markdown(
    "How often is it right? Where the classes of your images are known, from folder names, a CSV, or labels made here, "
    "this page measures it: with intervals, class by class, and with the images that went wrong."
)
stack = needed_stack(session)
stack_summary(stack)
if session.evaluation is None:  # that of a stack one has gone back to, or one begun over HTTP
    session.evaluation = get_runtime().evaluation.job(stack)
form(session, stack)
job = session.evaluation
if job is None or job.evaluation is None or job.report is None:
    st.stop()
evaluation_results(session, stack, job.evaluation, job.report)
gallery_beside_viewer(session, stack_links(stack), key="evaluate")
