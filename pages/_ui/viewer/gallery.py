"""The gallery: a grid of thumbnails to open and to select images."""

from __future__ import annotations

from pages._ui.components.declare import declare
from pages._ui.viewer.view import StackLinks, ViewState, exchange

_renderer = declare("gallery")


def gallery(
    *, key: str, stack: StackLinks, view: ViewState, version: int, height: int = 420, reports: bool = False
) -> ViewState:
    """Show the thumbnails of ``stack``; see :func:`pages._ui.viewer.stack_viewer.stack_viewer` for the arguments.

    Beside a viewer of the same stack the gallery shares its state and ``view`` is returned as given. On a page
    without a viewer, ``reports=True`` makes the gallery tell Python about changes itself.
    """
    return exchange(_renderer, key=key, stack=stack, view=view, version=version, height=height, reports=reports)
