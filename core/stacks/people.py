"""Whose images those of a stack are: told on this computer alone, where whoever runs it wants that."""

from __future__ import annotations

from core.base.errors import NotAllowed
from core.base.reach import names_this_computer
from core.base.settings import Settings
from core.images.formats.format import Fact, FormatOfPeople
from core.stacks.stack import ImageStack

_OFF = (
    "This server tells nobody whose images these are. Whoever runs it can change that with AISR_SHOW_PATIENTS, where "
    "it listens on this computer alone."
)
_MISNAMED = "This is told only to who asks for this computer by its own name, such as localhost."


class People:
    """What ``settings.show_patients`` allows, nothing of it unless ``is_local``; see ``core.base.reach``."""

    def __init__(self, settings: Settings, *, is_local: bool = False) -> None:
        self._wanted = settings.show_patients == "yes" and not settings.cors_origins
        self.is_local = is_local

    def may_know(self, host: str) -> bool:
        """Whether who asks for the server under this name may."""
        return self._wanted and self.is_local and names_this_computer(host)

    def facts(self, stack: ImageStack, index: int, host: str) -> tuple[Fact, ...]:
        """What the file of an image says of its patient; nothing where its format says nothing. It is not kept.

        Raises:
            NotAllowed: it is not told here.
            ImageNotFound: no such position.
            ImageError: the file cannot be read.
        """
        if not (self._wanted and self.is_local):
            raise NotAllowed(_OFF)
        if not names_this_computer(host):
            raise NotAllowed(_MISNAMED)
        stack.check(index)
        image_format = stack.entries[index].format
        return image_format.read_people(stack.file(index)) if isinstance(image_format, FormatOfPeople) else ()
