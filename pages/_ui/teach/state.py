"""What the Teach page watches: labels of the open stack, and what is learned of them."""

from __future__ import annotations

import streamlit as st

from core.models.model import Model
from core.runtime import get_runtime
from core.stacks.stack import ImageStack
from core.teach.features import Looker
from core.teach.head import MIN_CLASSES, MIN_EXAMPLES
from core.teach.live import LiveTeaching
from pages._ui.shell.messages import escape
from pages._ui.shell.session import Session


def watch(session: Session, stack: ImageStack, backbone: Model | None = None) -> LiveTeaching:
    """What the session learns of ``stack``; anew where another ``backbone`` is to be taught.

    Raises:
        ModelError: the model is missing or damaged.
    """
    if session.live is None or (backbone is not None and backbone != session.backbone):
        before = session.live
        backbone = backbone or session.backbone or get_runtime().models.get()
        looker = looker_of(session, stack, backbone)
        session.live = get_runtime().teaching.watch(looker, further=goes_on(backbone))
        session.backbone = backbone
        if before is not None:
            before.stop()
    return session.live


def looker_of(session: Session, stack: ImageStack, backbone: Model) -> Looker:
    """Who looks at the images with the network that is taught, in turns of this session."""
    return Looker(get_runtime().recognition, stack, backbone, session.client)


def goes_on(backbone: Model) -> bool:
    """Whether a model was taught before: then its examples stay, and the new ones come to them."""
    return backbone.card.teaching is not None


def next_step(live: LiveTeaching) -> None:
    """One sentence about what to do now."""
    counts = live.labels.counts
    missing = {name: MIN_EXAMPLES - count for name, count in counts.items() if count < MIN_EXAMPLES}
    if live.learned.problem:
        st.error(escape(live.learned.problem), icon=":material/error:")
    elif len(counts) < MIN_CLASSES and live.learned.suggestions is None:
        st.info(
            "**1.** Name at least two classes. **2.** Give each at least two examples: choose an image, and press its "
            "number. **3.** The app suggests a class for every other image, and you accept or correct.",
            icon=":material/looks_one:",
        )
    elif missing and live.learned.suggestions is None:
        asked = ", ".join(f"{count:,} of {escape(name)}" for name, count in missing.items())
        st.info(
            f"Still to label before there are suggestions: {asked}. Choose an image and press the number of its class.",
            icon=":material/looks_two:",
        )
    elif live.learned.suggestions is None and live.learned.note:
        st.info(escape(live.learned.note), icon=":material/looks_two:")
    else:
        st.info(
            "Enter accepts the suggestion, a number corrects it; *Review* brings what teaches most first. "
            "Right often enough? Make the model.",
            icon=":material/looks_3:",
        )
