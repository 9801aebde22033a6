"""The browser's side, and how Streamlit is told of it."""
