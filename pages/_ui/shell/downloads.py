"""Buttons that give a file, made when it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePath

import streamlit as st

from core.stacks.stack import ImageStack

_TYPES = {
    ".csv": "text/csv",
    ".html": "text/html",
    ".json": "application/json",
    ".md": "text/markdown",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".zip": "application/zip",
}


def download_button(
    label: str,
    make: Callable[[], str | bytes],
    filename: str,
    *,
    icon: str = ":material/download:",
    key: str | None = None,
    disabled: bool = False,
    help: str | None = None,  # noqa: A002 - as Streamlit calls it
) -> None:
    """A button whose press makes the file and gives it to the browser under ``filename``, whose ending says its type.

    The page is not drawn anew: a run that begins beside the download can take its file away.
    """
    st.download_button(
        label,
        make,
        filename,
        _TYPES[PurePath(filename).suffix],
        icon=icon,
        key=key,
        disabled=disabled,
        help=help,
        on_click="ignore",
    )


def filename_of(stack: ImageStack, ending: str) -> str:
    """What a file about ``stack`` is called: ``photos.zip`` and ``results.csv`` make ``photos-results.csv``."""
    return f"{stack.name.removesuffix('.zip')}-{ending}"
