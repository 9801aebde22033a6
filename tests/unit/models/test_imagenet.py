"""The ImageNet weights: found on this machine or downloaded, and always checked by the name's own digits."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.base.errors import DownloadError, DownloadInterrupted, DownloadRejected
from core.base.settings import PROJECT_ROOT, Settings
from core.models import imagenet
from core.models.torchvision_compat import import_torchvision
from tests.file_server import Answer, ServeFile, file_servers

CONTENT = bytes(range(256)) * 100
NAME = f"resnet18-{hashlib.sha256(CONTENT).hexdigest()[:8]}.pth"


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ServeFile]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    with file_servers() as serve:
        yield serve


def test_weights_are_downloaded_once_to_the_data_folder(serve: ServeFile, tmp_path: Path) -> None:
    server, seen = serve(Answer(CONTENT)), []
    settings = Settings(data_dir=tmp_path / "data", imagenet_url=server.url(NAME))
    path = imagenet.get_weights(settings, on_progress=lambda done, total: seen.append((done, total)))
    assert path == imagenet.weights_path(settings) == tmp_path / "data" / "downloads" / NAME
    assert path.read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert imagenet.get_weights(settings) == path
    assert len(server.requested) == 1


def test_what_pytorch_has_downloaded_is_used(serve: ServeFile, tmp_path: Path) -> None:
    server = serve(Answer(CONTENT))
    hub = tmp_path / "torch" / "hub" / "checkpoints" / NAME
    hub.parent.mkdir(parents=True)
    hub.write_bytes(CONTENT)
    path = imagenet.get_weights(Settings(data_dir=tmp_path / "data", imagenet_url=server.url(NAME)))
    assert path.read_bytes() == CONTENT
    assert hub.exists()
    assert server.requested == []


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"imagenet_url": NAME.replace("resnet18-", "resnet18-0")}, DownloadRejected),
        ({"max_weights_bytes": len(CONTENT) - 1}, DownloadRejected),
        ({"imagenet_url": "weights.pth"}, DownloadError),
        ({"imagenet_url": "resnet18-f37072f.pth"}, DownloadError),
        ({"imagenet_url": f"{NAME}?version=2"}, DownloadError),
        ({"imagenet_url": f"{NAME}/"}, DownloadError),
        ({"imagenet_url": f"..%2F..%2F{NAME}"}, DownloadError),
    ],
)
def test_what_cannot_be_checked_is_not_taken(
    serve: ServeFile, tmp_path: Path, changed: dict[str, object], error: type[DownloadError]
) -> None:
    server = serve(Answer(CONTENT))
    url = server.url(str(changed.pop("imagenet_url", NAME)))
    with pytest.raises(DownloadError) as caught:
        imagenet.get_weights(Settings(data_dir=tmp_path / "data", imagenet_url=url, **changed))
    assert type(caught.value) is error
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    if error is DownloadError:
        assert "AISR_IMAGENET_URL" in str(caught.value)
        assert server.requested == []


def test_offline_the_file_and_its_folder_are_named(serve: ServeFile, tmp_path: Path) -> None:
    server = serve(Answer(CONTENT))
    url = server.url(NAME)
    server.close()
    with pytest.raises(DownloadInterrupted, match=f"put a copy of {NAME} into {tmp_path / 'data' / 'downloads'}"):
        imagenet.get_weights(Settings(data_dir=tmp_path / "data", imagenet_url=url))


def test_by_default_nothing_is_kept_in_the_project() -> None:
    assert not imagenet.weights_path(Settings()).is_relative_to(PROJECT_ROOT)


@pytest.mark.torch
def test_the_address_and_the_labels_are_torchvisions_own() -> None:
    published = import_torchvision().models.ResNet18_Weights.IMAGENET1K_V1
    assert Settings().imagenet_url == published.url
    labels = imagenet.labels()
    assert list(labels) == published.meta["categories"]
    assert len(set(labels)) == 1000
