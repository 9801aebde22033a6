"""ImageNet's model by itself: when it is fetched and when not, what calibrates it, and who is told."""

from __future__ import annotations

import fcntl
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from core.base.background import BackgroundJob
from core.base.errors import Cancelled, DownloadInterrupted
from core.base.settings import Settings
from core.models import imagenet
from core.models.install import installed_folder, write_model
from core.models.model import Model
from core.models.registry import ModelRegistry
from core.optimize.imagenet_offer import ImageNetOffer
from core.stacks.store import StackStore
from tests.builders import photo_png
from tests.conftest import MakeStack
from tests.fake_worker import SetAccident
from tests.helpers import wait_until
from tests.unit.optimize.conftest import TIMEOUT

TITLE = "ImageNet: 1000 classes"


class Offline:
    """In place of ``imagenet.install``: what a test has it do, and how often it was asked."""

    def __init__(self, do: Callable[[Settings, threading.Event], object]) -> None:
        self.do = do
        self.asked = 0

    def __call__(self, settings: Settings, *, on_progress: object, cancelled: threading.Event) -> object:
        self.asked += 1
        return self.do(settings, cancelled)


@pytest.fixture
def own(settings: Settings) -> Settings:
    return settings.model_copy(update={"imagenet_at_start": "yes"})


@pytest.fixture
def installed(own: Settings) -> ModelRegistry:
    return ModelRegistry(own)


@pytest.fixture
def offer(own: Settings, installed: ModelRegistry, store: StackStore, tmp_path: Path) -> Iterator[ImageNetOffer]:
    made = ImageNetOffer(
        own,
        installed,
        store,
        lambda client, lane: lambda cancelled: nullcontext(),
        lambda name: tmp_path / "new" / name,
    )
    yield made
    made.stop()
    if made.job is not None:
        made.job.wait(TIMEOUT)


@pytest.fixture
def fetched(starter: Model, monkeypatch: pytest.MonkeyPatch) -> Offline:
    """The starter's weights arrive at once."""

    def write(settings: Settings, _: threading.Event) -> Model:
        return write_model(
            starter.weights,
            lambda _: starter.card.classes,
            installed_folder(imagenet.NAME, settings),
            title=TITLE,
            data="",
            settings=settings,
        )

    install = Offline(write)
    monkeypatch.setattr(imagenet, "install", install)
    return install


def ended(offer: ImageNetOffer) -> BackgroundJob:
    assert offer.job is not None
    offer.job.wait(TIMEOUT)
    assert offer.running is None
    return offer.job


def test_it_comes_by_itself_and_int8_is_made_of_what_is_opened_first(
    offer: ImageNetOffer, fetched: Offline, fake_worker: SetAccident, make_stack: MakeStack, store: StackStore
) -> None:
    offer.own_stacks = True
    offer.begin_at_start()
    assert offer.job is not None
    wait_until(lambda: offer.job.phase == "stack", "the download")
    assert offer.model is not None
    assert not offer.model.has_int8
    stack = make_stack({f"secret {number}.png": photo_png(seed=number) for number in range(20)})
    assert ended(offer).status == "done"
    model = offer.model
    assert (model.title, model.has_int8) == (TITLE, True)
    assert model.card.quantization["calibration"] == "10 images of one stack"
    assert stack.name not in model.card.model_dump_json(), "the model is everybody's, the name is not"
    assert store.ids == (stack.id,), "no sample was made"
    offer.begin_at_start()
    assert offer.running is None, "all is there"
    assert fetched.asked == 1


@pytest.mark.parametrize("own_stacks", [True, False], ids=["a first stack too small", "a server for others"])
def test_otherwise_the_sample_stack_calibrates(
    own_stacks: bool,
    offer: ImageNetOffer,
    fetched: Offline,
    fake_worker: SetAccident,
    make_stack: MakeStack,
    store: StackStore,
) -> None:
    count = 1 if own_stacks else 20
    stack = make_stack({f"{number}.png": photo_png(seed=number) for number in range(count)})
    offer.own_stacks = own_stacks
    offer.begin_at_start()
    assert ended(offer).status == "done"
    assert offer.model is not None
    assert offer.model.card.quantization["calibration"] == "35 images of one stack"
    assert store.ids == (stack.id,), "the sample is gone again"


def test_a_setting_turns_it_off(installed: ModelRegistry, store: StackStore, own: Settings, fetched: Offline) -> None:
    settings = own.model_copy(update={"imagenet_at_start": "no"})
    offer = ImageNetOffer(settings, installed, store, lambda *_: nullcontext, Path)
    offer.begin_at_start()
    assert offer.job is None
    assert fetched.asked == 0
    assert not own.data_dir.exists()


def test_offline_nobody_hears_of_it_who_has_not_asked(
    offer: ImageNetOffer,
    installed: ModelRegistry,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def offline(*_: object) -> None:
        raise DownloadInterrupted("No connection.")

    monkeypatch.setattr(imagenet, "install", Offline(offline))
    with caplog.at_level(logging.WARNING):
        offer.begin_at_start()
        assert ended(offer).status == "failed"
    assert caplog.records == []
    assert (offer.model, installed.names) == (None, ("starter",))
    offer.begin("somebody")
    assert (ended(offer).message, offer.job.client) == ("No connection.", "somebody")


def test_cancelled_it_stays_away_until_it_is_asked_for(offer: ImageNetOffer, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = threading.Event()

    def slow(_: Settings, cancelled: threading.Event) -> None:
        begun.set()
        cancelled.wait(TIMEOUT)
        raise Cancelled("Cancelled.")

    install = Offline(slow)
    monkeypatch.setattr(imagenet, "install", install)
    offer.begin_at_start()
    begun.wait(TIMEOUT)
    offer.stop()  # the server stops
    assert ended(offer).status == "cancelled"
    begun.clear()
    offer.begin_at_start()
    assert begun.wait(TIMEOUT), "and goes on at its next start"
    offer.cancel()  # a person does not want it
    assert ended(offer).status == "cancelled"
    offer.begin_at_start()
    assert offer.running is None
    assert install.asked == 2
    begun.clear()
    offer.begin("somebody")
    assert begun.wait(TIMEOUT)
    offer.stop()
    ended(offer)
    begun.clear()
    offer.begin_at_start()
    assert begun.wait(TIMEOUT), "the cancel is forgotten"


def test_one_process_at_a_time(
    offer: ImageNetOffer, own: Settings, fetched: Offline, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = own.data_dir / "downloads" / "imagenet.lock"
    lock.parent.mkdir(parents=True)
    with lock.open("w") as other:  # another process, to the kernel
        fcntl.flock(other, fcntl.LOCK_EX)
        offer.begin_at_start()
        assert offer.job is not None
        assert offer.job.phase == "waiting"
        offer.cancel()
        assert ended(offer).status == "cancelled"
        assert fetched.asked == 0


def test_an_int8_copy_that_cannot_be_made_leaves_the_model_as_it_is(
    offer: ImageNetOffer, fetched: Offline, fake_worker: SetAccident
) -> None:
    fake_worker("Calibrate and quantize:broken")
    offer.begin_at_start()
    assert ended(offer).status == "done"
    assert offer.model is not None
    assert not offer.model.has_int8
