"""Command lines over core; each runs as ``python -m scripts.NAME``."""
