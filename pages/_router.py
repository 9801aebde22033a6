"""The frame of every page: configuration, navigation, and the choice of a model."""

from pathlib import Path

import streamlit as st

from pages._ui.inference.model_popover import model_popover
from pages._ui.shell.browsers import current_session, current_visit, tell_other_tabs
from pages._ui.shell.model_in_use import announce_imagenet
from pages._ui.teach.making import adopt_taught
from pages._ui.viewer.open_stacks import go_where_the_link_leads

# Our own file: Streamlit would fetch a symbol from the internet.
ICON = Path(__file__).parent / "_ui" / "shell" / "icon.svg"

st.set_page_config(page_title="AI Image Stack Recognizer", page_icon=str(ICON), layout="wide")

# Streamlit leaves a gap meant for pages without a navigation bar; the first image belongs on the first screen.
# Its tables' own CSV would hold formulas of strangers: our buttons save them as text (core.base.spreadsheet).
st.html(
    "<style>[data-testid='stMainBlockContainer'] { padding: 4.5rem 1rem 2rem; }"
    "@media (min-width: 864px) { [data-testid='stMainBlockContainer'] { padding-inline: 5rem; } }"
    # The choice of a model stands beside the page's title, and takes no row of its own where there is room for both.
    "@media (min-width: 640px) {"
    "[data-testid='stLayoutWrapper']:has(> .st-key-choices) { height: 0; margin-bottom: -1rem; z-index: 2; }"
    ".st-key-choices { pointer-events: none; } .st-key-choices > * { pointer-events: auto; } }"
    "[data-testid='stSliderThumbValue'] { color: inherit; }"  # the accent is too dark to be read on a dark page
    "[data-testid='stElementToolbarButton']:has(button[aria-label^='Download as CSV']) { display: none; }</style>"
)

viewer = st.Page("viewer.py", title="Viewer", icon=":material/photo_library:", default=True)
page = st.navigation(
    [
        viewer,
        st.Page("inference.py", title="Inference", icon=":material/label:"),
        st.Page("review.py", title="Review", icon=":material/compare:"),
        st.Page("teach.py", title="Teach", icon=":material/school:"),
        st.Page("evaluate.py", title="Evaluate", icon=":material/fact_check:"),
        st.Page("optimize.py", title="Optimize", icon=":material/tune:"),
        st.Page("benchmark.py", title="Benchmark", icon=":material/speed:"),
    ],
    position="top",
)
session = current_session()
if current_visit().is_new:
    current_visit().is_new = False
    go_where_the_link_leads(session)
adopt_taught(session)
announce_imagenet(session)
session.drawn_working = session.working
if page != viewer:  # which has it in its row of actions
    with st.container(key="choices", horizontal=True, horizontal_alignment="right"):
        model_popover(session)
page.run()
tell_other_tabs()
