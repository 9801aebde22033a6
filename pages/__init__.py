"""The Streamlit pages: each reads state, calls core, and draws."""
