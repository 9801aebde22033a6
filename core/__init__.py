"""What the product does, without any user interface: it never imports streamlit."""
