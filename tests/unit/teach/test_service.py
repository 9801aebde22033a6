"""Who may have which model for how long: installed ones stay, lent ones go with their stack."""

from __future__ import annotations

import gc
import io
from collections.abc import Callable, Iterator

import pytest

from core.base.errors import Busy, InvalidRequest, ModelNotFound, NotAllowed, QuotaExceeded
from core.base.settings import Settings
from core.models.model import Model
from core.models.registry import ModelRegistry
from core.recognition.service import RecognitionService
from core.stacks.stack import ImageStack
from core.stacks.store import StackStore
from core.teach.service import LENT_BYTES, TeachingService
from core.teach.taught import read_examples
from tests.builders import photo_png, zip_bytes
from tests.conftest import MakeStack
from tests.fake_worker import SetAccident, use_fake_worker
from tests.helpers import wait_until

CLASSES = [f"kind-{number:02}" for number in range(12)]  # as many as the starter has: see tests.fake_worker
FILES = {
    f"{name}/{number}.png": photo_png(seed=10 * place + number)
    for place, name in enumerate(CLASSES)
    for number in range(3)
}
MakeService = Callable[[bool], TeachingService]


@pytest.fixture
def worker(starter: Model, monkeypatch: pytest.MonkeyPatch) -> SetAccident:
    return use_fake_worker(starter, monkeypatch)


@pytest.fixture
def models(settings: Settings) -> ModelRegistry:
    return ModelRegistry(settings)


@pytest.fixture
def make_service(settings: Settings, store: StackStore, models: ModelRegistry) -> Iterator[MakeService]:
    yield lambda may_keep: TeachingService(
        settings, RecognitionService(settings), models, store.folder / "taught", may_keep=may_keep
    )


def labelled(service: TeachingService, stack: ImageStack) -> None:
    names = [entry.name for entry in stack.entries]
    service.labels(stack).assign_each({index: name.split("/")[0] for index, name in enumerate(names)})


def teach(service: TeachingService, stack: ImageStack, name: str = "parts", **options: object) -> str:
    """Label and teach; the model's name."""
    labelled(service, stack)
    job = service.teach(service.looker(stack, None, "", "page"), name, stages="last", **options)
    wait_until(lambda: job.status != "running", "the teaching to end")
    assert (job.status, job.message) == ("done", "")
    return job.lesson.folder.name


@pytest.mark.torch
def test_a_lent_model_goes_with_its_stack_and_the_next_one_takes_its_place(
    worker: SetAccident, make_service: MakeService, make_stack: MakeStack, store: StackStore, models: ModelRegistry
) -> None:
    service, stack = make_service(False), make_stack(FILES)
    before = store.usage.bytes
    first, second = teach(service, stack), teach(service, stack)
    assert first != second
    with pytest.raises(ModelNotFound):
        models.get(first)
    assert models.get(second).card.classes == tuple(CLASSES)
    assert models.names == ("starter",)
    assert LENT_BYTES <= store.usage.bytes - before < LENT_BYTES + 1024 * 1024  # once, and the features
    assert [path.name for path in (store.folder / "taught").iterdir()] == [second]
    store.delete(stack.id)
    del stack
    wait_until(lambda: gc.collect() >= 0 and not list((store.folder / "taught").iterdir()), "the model to go")
    with pytest.raises(ModelNotFound):
        models.get(second)


@pytest.mark.torch
def test_an_installed_model_stays_is_replaced_by_its_name_and_taught_further(
    worker: SetAccident,
    make_service: MakeService,
    make_stack: MakeStack,
    store: StackStore,
    models: ModelRegistry,
    settings: Settings,
) -> None:
    service, stack = make_service(True), make_stack(FILES)
    assert teach(service, stack) == "parts"
    first = models.get("parts")
    assert len(read_examples(first)) == 36
    looker = service.looker(stack, "parts", "", "page")
    job = service.teach(looker, "parts", stages="last", further=True)
    wait_until(lambda: job.status != "running", "the teaching to end")
    assert job.status == "done"
    again = models.get("parts")
    assert again is not first
    assert len(read_examples(again)) == 36, "they are the same images"
    assert again.card.teaching is not None
    assert again.card.teaching.backbone == "starter"
    live = service.watch(service.looker(stack, "parts", "", "page"), further=True)
    assert service.live(stack) is live
    assert live.labels.classes == tuple(CLASSES)
    assert live.session.looker.backbone.card.name == "starter", "what has seen the examples"
    live.stop()
    store.delete(stack.id)
    assert ModelRegistry(settings).get("parts").card.classes == tuple(CLASSES)


def test_no_model_is_replaced_that_was_not_taught(make_service: MakeService, make_stack: MakeStack) -> None:
    service, stack = make_service(True), make_stack(FILES)
    labelled(service, stack)
    with pytest.raises(InvalidRequest, match="'starter' that was not taught here"):
        service.teach(service.looker(stack, None, "", "page"), "starter")
    assert service.job(stack) is None


def test_nothing_is_installed_where_that_is_not_allowed(
    make_service: MakeService, make_stack: MakeStack, settings: Settings
) -> None:
    service, stack = make_service(False), make_stack(FILES)
    labelled(service, stack)
    with pytest.raises(NotAllowed):
        service.teach(service.looker(stack, None, "", "page"), "parts", keep=True)
    assert not settings.installed_dir.exists()


@pytest.mark.torch
def test_a_stack_is_taught_once_at_a_time(
    worker: SetAccident, make_service: MakeService, make_stack: MakeStack
) -> None:
    worker("Calibrate and quantize:endless")
    service, stack = make_service(True), make_stack(FILES)
    labelled(service, stack)
    looker = service.looker(stack, None, "", "page")
    job = service.teach(looker, "parts", stages="last")
    with pytest.raises(Busy):
        service.teach(looker, "others", stages="last")
    job.cancel()
    wait_until(lambda: job.status != "running", "the teaching to end")
    assert job.status == "cancelled"


def test_without_room_for_the_model_nothing_begins(settings: Settings, models: ModelRegistry) -> None:
    store = StackStore(settings.model_copy(update={"max_bytes_per_client": LENT_BYTES}))
    try:
        stack = store.create(io.BytesIO(zip_bytes(FILES)), "a.zip", "somebody")
        service = TeachingService(settings, RecognitionService(settings), models, store.folder / "taught")
        labelled(service, stack)
        with pytest.raises(QuotaExceeded):
            service.teach(service.looker(stack, None, "somebody", "api"), "parts")
        assert service.job(stack) is None
    finally:
        store.close()
