"""The models that are installed: those that ship with the app, and those beside it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from core.base.errors import ModelError, ModelNotFound, NotAllowed
from core.base.settings import Settings
from core.models.card import CARD_NAME
from core.models.install import remove_model
from core.models.model import Model


@dataclass(frozen=True, slots=True)
class DamagedModel:
    """An installed model that cannot be used: ``reason`` is a sentence."""

    name: str
    reason: str


class ModelRegistry:
    """The installed models by name; one that ships with the app wins a name."""

    def __init__(self, settings: Settings, make: Callable[[Path, Path], Model] = Model) -> None:
        """``make`` makes a model of its folder and of the folder for caches."""
        self._settings = settings
        self._make = make
        self._models: dict[str, Model] = {}
        self._lent: dict[str, Path] = {}
        self._lock = threading.Lock()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the installed models, the default one first, damaged ones among them."""
        return tuple(sorted(self._folders(), key=lambda name: (name != self._settings.model, name)))

    @property
    def default_name(self) -> str:
        """The model of those who name none."""
        return self._settings.model

    def installed(self) -> tuple[tuple[Model, ...], tuple[DamagedModel, ...]]:
        """All that can be used, in the order of ``names``, and those that cannot; one never hides the others."""
        models: list[Model] = []
        damaged: list[DamagedModel] = []
        for name in self.names:
            try:
                models.append(self.get(name))
            except ModelNotFound:  # removed meanwhile
                continue
            except ModelError as error:
                damaged.append(DamagedModel(name, str(error)))
        return tuple(models), tuple(damaged)

    def get(self, name: str | None = None) -> Model:
        """A model by name, or the default one.

        Raises:
            ModelNotFound: no such model.
            ModelError: its card is missing or damaged.
        """
        name = name or self._settings.model
        with self._lock:
            if name not in self._models:
                folders = self._folders()
                folder = folders.get(name) or self._lent.get(name)
                if folder is None:
                    raise ModelNotFound(f"There is no model {name!r} here. Installed: {', '.join(folders) or 'none'}.")
                self._models[name] = self._make(folder, self._settings.cache_dir)
            return self._models[name]

    def may_remove(self, model: Model) -> bool:
        """Whether ``model`` is one that people have installed, and not the one of those who name none."""
        return model.folder.parent == self._settings.installed_dir and model.folder.name != self.default_name

    def remove(self, model: Model) -> None:
        """Delete an installed model; who has it loaded goes on with it.

        Raises:
            NotAllowed: it is not one that ``may_remove``.
            OSError: it cannot be removed.
        """
        if not self.may_remove(model):
            raise NotAllowed(f"{model.title} cannot be deleted here: it ships with the app, or it is its default.")
        remove_model(model.folder)
        self.forget(model.folder.name)

    def lend(self, folder: Path) -> None:
        """Have a model that is not installed found by its folder's name, but not listed: the name is the key to it."""
        with self._lock:
            self._lent[folder.name] = folder

    def forget(self, name: str) -> None:
        """Read a model anew when it is next asked for: it was replaced, or it was lent and is gone."""
        with self._lock:
            self._models.pop(name, None)
            self._lent.pop(name, None)

    def _folders(self) -> dict[str, Path]:
        roots = (self._settings.installed_dir, self._settings.models_dir)
        return {card.parent.name: card.parent for root in roots for card in sorted(root.glob(f"*/{CARD_NAME}"))}
