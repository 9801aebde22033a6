"""The error tree: every kind has a stable code of its own, a valid HTTP status and a text."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from http import HTTPStatus

import pytest

from core.base import errors


def tree(root: type[errors.AppError]) -> Iterator[type[errors.AppError]]:
    yield root
    for child in root.__subclasses__():
        yield from tree(child)


KINDS = sorted((kind for kind in tree(errors.AppError) if kind.__module__ == errors.__name__), key=lambda k: k.__name__)


def test_every_error_of_the_module_is_in_the_tree() -> None:
    defined = {value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Exception)}
    assert defined == set(KINDS)
    assert len(KINDS) > 10


def test_codes_are_never_shared() -> None:
    counts = Counter(kind.code for kind in KINDS)
    assert [code for code, count in counts.items() if count > 1] == []


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_kind_states_its_own_code_a_failure_status_and_what_it_means(kind: type[errors.AppError]) -> None:
    assert "code" in vars(kind), "an inherited code cannot be told apart from its parent's"
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", kind.code)
    assert HTTPStatus(kind.status).value >= 400
    assert kind.__doc__
    assert str(kind("Do this.")) == "Do this."


# Programs rely on these, so a change here is a change of the API.
@pytest.mark.parametrize(
    ("kind", "code", "status"),
    [
        (errors.InvalidRequest, "invalid_request", 400),
        (errors.NotAZip, "not_a_zip", 400),
        (errors.ArchiveTruncated, "archive_truncated", 422),
        (errors.ArchiveEncrypted, "archive_encrypted", 422),
        (errors.ArchiveEmpty, "archive_empty", 422),
        (errors.LimitExceeded, "limit_exceeded", 413),
        (errors.ImageError, "image_invalid", 422),
        (errors.ImageTooLarge, "image_too_large", 413),
        (errors.StackNotFound, "stack_not_found", 404),
        (errors.UploadNotFound, "upload_not_found", 404),
        (errors.OffsetConflict, "offset_conflict", 409),
        (errors.UploadBusy, "upload_busy", 423),
        (errors.PathNotFound, "path_not_found", 404),
        (errors.ImageNotFound, "image_not_found", 404),
        (errors.TooManyStacks, "too_many_stacks", 503),
        (errors.ModelNotFound, "model_not_found", 404),
        (errors.EngineUnavailable, "engine_unavailable", 503),
    ],
)
def test_published_codes_and_statuses_stay(kind: type[errors.AppError], code: str, status: int) -> None:
    assert (kind.code, kind.status) == (code, status)
