"""Making the INT8 model: what is in use, calibration on the open stack, and how far INT8 strays from FP32."""

import streamlit as st

from pages._ui.models import add_model
from pages._ui.optimization import attempts, calibration_form, model_facts, progress
from pages._ui.session import current_session

session = current_session()

st.title("Optimize")
st.markdown(
    "The fast engine runs an INT8 copy of the model: exported to ONNX, quantized by NNCF on sample images, and "
    "converted to OpenVINO. Calibrated on images like yours, it stays closest to the original on your images."
)
model_facts(session.model)


if session.stack is None:
    st.info("Open a stack on the Viewer page to calibrate the model on your own images.", icon=":material/upload_file:")
    st.page_link("viewer.py", label="Go to the viewer", icon=":material/photo_library:")
else:
    st.subheader("Calibrate on your stack")
    if session.optimizing:
        progress(session)
    else:
        calibration_form(session, session.stack)
    attempts(session)
add_model(session)
