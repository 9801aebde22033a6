"""What a folder of results says of the job that wrote it."""

from __future__ import annotations

import os
from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from core.base.errors import OutcomeInvalid
from core.base.held_folder import HeldFolder
from core.engines.engine import EngineName
from core.engines.registry import engine_names
from core.stacks.sources.rules import shown_name

JOB_NAME, ENGINE_NAME = "job.json", "engine.json"
_MAX_BYTES = 64 * 1024
_Text = Annotated[str, StringConstraints(max_length=500)]


class _Facts(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, protected_namespaces=())


class _Job(_Facts):
    source: Annotated[str, StringConstraints(max_length=4096)]
    model: _Text
    model_checksum: _Text
    engine: EngineName


class _Engine(_Facts):
    engine_checksum: _Text


class JobFacts(_Facts):
    """What was asked, and what has answered.

    Attributes:
        source: the folder, list or address that was recognised.
        model_checksum: ``Model.answers_key`` of the model.
        engine_checksum: changes with library and precision too.
    """

    source: str
    model: str
    model_checksum: str
    engine: EngineName
    engine_checksum: str


def is_outcome(folder: HeldFolder) -> bool:
    """Whether it is what ``scripts.batch`` has written."""
    try:
        with folder.opened(JOB_NAME):
            return True
    except OSError:
        return False


def read_facts(folder: HeldFolder) -> JobFacts:
    """What the folder says; texts without what cannot be shown.

    Raises:
        OutcomeInvalid: nothing was recognised yet, or the files are damaged, or name an engine that is not here.
    """
    try:
        job = _Job.model_validate_json(_read(folder, JOB_NAME))
        engine = _Engine.model_validate_json(_read(folder, ENGINE_NAME))
    except FileNotFoundError as error:
        raise OutcomeInvalid("The job has no results yet. Open the folder again when it has begun.") from error
    except (OSError, ValidationError) as error:
        raise OutcomeInvalid(
            f"{JOB_NAME} or {ENGINE_NAME} of the results is damaged or cannot be read. Restore it, or run the job anew."
        ) from error
    if job.engine not in engine_names():
        raise OutcomeInvalid(f"The results are of an engine that is not here ({shown_name(job.engine)[:40]}).")
    texts = {**job.model_dump(exclude={"engine"}), **engine.model_dump()}
    return JobFacts(engine=job.engine, **{name: shown_name(text) for name, text in texts.items()})


def _read(folder: HeldFolder, name: str) -> bytes:
    with folder.opened(name) as descriptor:
        return os.read(descriptor, _MAX_BYTES)
