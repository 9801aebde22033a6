"""Whose image it is, over HTTP: for who sits at this computer, where that is wanted; never kept by anybody."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from core.api.problems import responses
from core.stacks.people import People
from core.stacks.store import StackStore


class PersonFact(BaseModel):
    """One thing that a file says of its patient."""

    name: str = Field(description="what it is, such as `Patient ID`")
    value: str


class PersonFacts(BaseModel):
    """All of them; none where the file says nothing."""

    facts: list[PersonFact]


def people_router(store: StackStore, people: People) -> APIRouter:
    """``/api/v1/stacks/{stack_id}/images/{index}/patient``."""
    router = APIRouter(prefix="/api/v1/stacks/{stack_id}/images/{index}", tags=["images"])

    @router.get("/patient", responses=responses(400, 403, 404, 422))
    def patient(request: Request, response: Response, stack_id: str, index: int) -> PersonFacts:
        """What a DICOM file says of its patient; 403 unless `AISR_SHOW_PATIENTS` is `yes` on a computer for itself."""
        response.headers["Cache-Control"] = "no-store"
        found = people.facts(store.get(stack_id), index, request.headers.get("host", ""))
        return PersonFacts(facts=[PersonFact(name=name, value=value) for name, value in found])

    return router
