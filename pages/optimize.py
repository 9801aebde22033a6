"""Making the INT8 model: what is in use, calibration on the open stack, and how far INT8 strays from FP32."""

import streamlit as st

from core.base.errors import AppError
from pages._ui.optimize.add_model import add_model
from pages._ui.optimize.attempts import earlier_attempts, model_facts, newest_attempt, running_attempt
from pages._ui.optimize.form import calibration_form
from pages._ui.optimize.my_models import my_models
from pages._ui.shell.browsers import current_session
from pages._ui.shell.messages import escape

session = current_session()

st.title("Optimize")
st.markdown(
    "The fast engine runs an INT8 copy of the model: a quarter of the size and several times the speed. Calibrated on "
    "images like yours, it stays closest to the FP32 original on your images."
)
try:
    model_facts(session.model)
    st.subheader("Calibrate on your stack")
    if session.stack is None:
        st.info(
            "Open a stack on the Viewer page, and its images can calibrate the model.", icon=":material/upload_file:"
        )
        st.page_link("viewer.py", label="Go to the viewer", icon=":material/photo_library:")
    elif session.optimizing:
        running_attempt(session)
    else:
        if session.optimizations:
            newest_attempt(session)  # where its progress was
            st.subheader("Calibrate again")
        calibration_form(session, session.stack)
    earlier_attempts(session)
except AppError as error:
    st.error(escape(error), icon=":material/error:")
my_models(session)
add_model(session)
