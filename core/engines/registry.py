"""Which engines there are: every module of this package that has ``ENGINES`` brings some. None is loaded here."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

import core.engines
from core.base.errors import EngineUnavailable
from core.engines.engine import EngineDescription, EngineName


@cache
def engines() -> tuple[EngineDescription, ...]:
    """All engines, in the order in which lists show them.

    Raises:
        RuntimeError: two have one name, or not exactly one is the default or the reference.
    """
    found: list[EngineDescription] = []
    for module in iter_modules(core.engines.__path__):
        found += getattr(import_module(f"{core.engines.__name__}.{module.name}"), "ENGINES", ())
    names = [engine.name for engine in found]
    if len(set(names)) < len(names):
        raise RuntimeError(f"Two engines have one name: {', '.join(sorted(names))}")
    for role in ("is_default", "is_reference"):
        if sum(getattr(engine, role) for engine in found) != 1:
            raise RuntimeError(f"Exactly one engine must be described with {role}.")
    return tuple(sorted(found, key=lambda engine: (engine.order, engine.name)))


def engine_names() -> tuple[EngineName, ...]:
    """Names of all engines, in order."""
    return tuple(engine.name for engine in engines())


def describe(name: EngineName) -> EngineDescription:
    """The engine of this name.

    Raises:
        EngineUnavailable: there is none.
    """
    for engine in engines():
        if engine.name == name:
            return engine
    raise EngineUnavailable(f"There is no engine {name!r} here. Choose one of {', '.join(engine_names())}.")


def engine_label(name: EngineName) -> str:
    """For people; also for a name from elsewhere, such as a saved report, that no engine here has."""
    return next((engine.label for engine in engines() if engine.name == name), name)


def default_engine() -> EngineDescription:
    """The one that people and programs get who say nothing."""
    return next(engine for engine in engines() if engine.is_default)


def reference_engine() -> EngineDescription:
    """The one that the others are compared with."""
    return next(engine for engine in engines() if engine.is_reference)
