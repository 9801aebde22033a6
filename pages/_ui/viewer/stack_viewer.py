"""The stack viewer: one image at a time, moved through, zoomed and turned in the browser."""

from __future__ import annotations

from pages._ui.components.declare import declare
from pages._ui.viewer.view import StackLinks, ViewState, exchange

_renderer = declare("stack_viewer")


def stack_viewer(*, key: str, stack: StackLinks, view: ViewState, version: int, height: int = 460) -> ViewState:
    """Show ``stack`` and return the image on show and the selection, as the browser last reported them.

    Args:
        key: the component's key; its own for each place it appears in.
        stack: where the browser finds the images.
        view: what the app knows; put on show when the stack or ``version`` is new, otherwise only returned
            until the browser has reported.
        version: raise it to make the browser take ``view``, as after a "select all" button in Python.
        height: height of the image area in CSS pixels; less on a screen that is too low for it.

    The viewer and a gallery of the same stack on the same page stay in step without a rerun. A change reaches
    Python 0.25 s after the last key or click.
    """
    return exchange(_renderer, key=key, stack=stack, view=view, version=version, height=height, reports=True)
