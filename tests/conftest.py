"""Fixtures that tests of every kind share: settings, stacks and models in folders of their own."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import hypothesis
import pytest

from core.base.settings import PROJECT_ROOT, Settings, get_settings
from core.models.model import Model
from core.models.registry import ModelRegistry
from core.stacks.stack import ImageStack
from core.stacks.store import StackStore
from tests.builders import zip_bytes

pytest_plugins = ["tests.plugin"]

# No example has a time limit: it would depend on what else the machine does.
hypothesis.settings.register_profile("default", hypothesis.settings.get_profile("default"), deadline=None)
# For ``--hypothesis-profile=long``; holds where a test sets no number of its own.
hypothesis.settings.register_profile("long", hypothesis.settings.get_profile("default"), max_examples=20_000)

MakeStack = Callable[[Mapping[str, bytes]], ImageStack]


@pytest.fixture(scope="session")
def model_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compiled and converted models, made once for all tests and never in the project's own folder."""
    folder = tmp_path_factory.mktemp("model-cache")
    if "PYTEST_XDIST_WORKER" in os.environ:  # each has its own cache, but they share what takes longest to make
        shared = tmp_path_factory.getbasetemp().parent / "starter-forms"
        shared.mkdir(exist_ok=True)
        starter = Model(PROJECT_ROOT / "models" / "starter", folder)
        starter.forms_folder.symlink_to(shared)
    return folder


@pytest.fixture(autouse=True, scope="session")
def _nothing_from_outside(model_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Neither settings nor models that this machine happens to have; the process's own settings lead to new folders."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AISR_")]:
            patch.delenv(name)
        patch.setenv("AISR_IMAGENET_AT_START", "no")  # of every server that a test starts; nothing reaches out
        folder = tmp_path_factory.mktemp("process")
        with pytest.MonkeyPatch.context() as ours:
            ours.setenv("AISR_CACHE_DIR", str(model_cache))
            ours.setenv("AISR_DATA_DIR", str(folder / "data"))
            ours.setenv("AISR_WORK_DIR", str(folder / "work"))
            ours.setenv("AISR_BATCH_SIZE", "8")  # measuring the best one costs ten times what tests recognise
            get_settings.cache_clear()
            get_settings()
        yield


@pytest.fixture
def settings(tmp_path: Path, model_cache: Path) -> Settings:
    return Settings(
        work_dir=tmp_path / "work", data_dir=tmp_path / "data", cache_dir=model_cache, workers=2, batch_size=4
    )


@pytest.fixture
def store(settings: Settings) -> Iterator[StackStore]:
    store = StackStore(settings)
    yield store
    store.close()


@pytest.fixture
def make_stack(store: StackStore) -> MakeStack:
    """A stack in ``store`` of these files."""
    return lambda files: store.create(io.BytesIO(zip_bytes(files)), "test.zip")


@pytest.fixture(scope="session")
def registry(model_cache: Path) -> ModelRegistry:
    """The models that ship with the app; their engines are loaded once for all tests."""
    return ModelRegistry(Settings(cache_dir=model_cache, data_dir=model_cache / "data"))


@pytest.fixture(scope="session")
def starter(registry: ModelRegistry) -> Model:
    return registry.get("starter")
