"""Downloads that come to nothing: what is said, what is kept, and that no file of before is touched."""

from __future__ import annotations

import errno
import hashlib
import os
from dataclasses import replace
from pathlib import Path

import pytest

from core.base.errors import AppError, DiskFull, DownloadError, DownloadInterrupted, DownloadRejected
from core.models import downloads
from core.models.part_file import PartFile
from tests.file_server import Answer, FileServer, ServeFile
from tests.unit.models.downloads.downloading import (
    BEFORE,
    BROKEN,
    CONTENT,
    GOOD,
    HALF,
    OTHER,
    assert_whole,
    download,
    fetch,
    part_of,
    prefix,
    refused_port,
)


def fails_with(kind: type[AppError], server_or_url: FileServer | str, place: Path, **options: object) -> str:
    """Download over a file that must survive it; return what the person is told."""
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(BEFORE)
    url = server_or_url if isinstance(server_or_url, str) else server_or_url.url()
    with pytest.raises(kind) as caught:
        download(url, place, **{"sha256_prefix": prefix(CONTENT), **options})
    assert type(caught.value) is kind
    assert place.read_bytes() == BEFORE
    message = str(caught.value)
    assert "\n" not in message
    assert "weights.pth" in message
    return message


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 451])
def test_a_file_the_server_does_not_have_is_asked_for_once(serve: ServeFile, place: Path, status: int) -> None:
    server = serve(Answer(b"An HTML page that says sorry", status))
    assert str(status) in fails_with(DownloadError, server, place)
    assert len(server.requested) == 1
    assert not part_of(place).exists()


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_server_in_trouble_is_asked_again_a_few_times(serve: ServeFile, place: Path, status: int) -> None:
    trouble = Answer(b"An HTML page that says sorry", status)
    recovers, never = serve(trouble, trouble, GOOD), serve(trouble)
    fetch(recovers, place)
    assert_whole(place)
    assert str(status) in fails_with(DownloadInterrupted, never, place)
    assert len(never.requested) == downloads.ATTEMPTS
    assert not part_of(place).exists(), "nothing has arrived, so nothing is kept"


@pytest.mark.parametrize("answers", [[Answer(OTHER)], [replace(BROKEN, content=OTHER), Answer(OTHER)], [Answer(b"")]])
def test_a_file_with_another_checksum_is_deleted(serve: ServeFile, place: Path, answers: list[Answer]) -> None:
    server = serve(*answers)
    expected = 1 if len(answers) == 1 else 3
    assert prefix(CONTENT) in fails_with(DownloadRejected, server, place)
    assert not part_of(place).exists()
    assert len(server.requested) == expected, "a second try only after pieces"


@pytest.mark.parametrize("digits", [8, 9, 64])
def test_all_digits_given_are_checked(serve: ServeFile, place: Path, digits: int) -> None:
    checksum = hashlib.sha256(CONTENT).hexdigest()[:digits]
    wrong = checksum[:-1] + ("0" if checksum[-1] != "0" else "1")
    fails_with(DownloadRejected, serve(GOOD), place, sha256_prefix=wrong)
    download(serve(GOOD).url(), place, sha256_prefix=checksum)
    assert_whole(place)


@pytest.mark.parametrize("digits", ["", "f37072f", "F37072FD", "f37072fd ", "notahash", "0" * 65])
def test_a_checksum_that_would_check_little_or_nothing_is_a_mistake(place: Path, digits: str) -> None:
    with pytest.raises(ValueError, match="hexadecimal"):
        download(refused_port(), place, sha256_prefix=digits)
    assert not place.parent.exists()


@pytest.mark.parametrize(
    ("headers", "most"),
    [
        pytest.param({}, 0, id="the size is announced"),
        pytest.param({"Content-Length": "9" * 30}, 0, id="more than any disk"),
        pytest.param({"Content-Length": None}, 200_000, id="the size is not announced"),
    ],
)
def test_a_file_that_is_too_large_is_refused_and_not_kept(
    serve: ServeFile, place: Path, headers: dict[str, str | None], most: int
) -> None:
    largest = 0

    def watch(done: int, total: int | None) -> None:
        nonlocal largest
        largest = max(largest, done)

    message = fails_with(
        DownloadRejected, serve(replace(GOOD, headers=headers)), place, max_bytes=200_000, on_progress=watch
    )
    assert "0.2 MiB" in message
    assert largest <= most
    assert not part_of(place).exists()


def test_the_largest_size_allowed_is_allowed(serve: ServeFile, place: Path) -> None:
    fetch(serve(GOOD), place, max_bytes=len(CONTENT))
    assert_whole(place)


@pytest.mark.parametrize("stall_after", [0, 65_536])
def test_a_silent_server_is_given_up_and_what_came_is_kept(serve: ServeFile, place: Path, stall_after: int) -> None:
    server = serve(replace(GOOD, stall_after=stall_after))
    fails_with(DownloadInterrupted, server, place, silence_seconds=0.1)
    assert part_of(place).exists() == bool(stall_after)
    if stall_after:
        assert CONTENT.startswith(part_of(place).read_bytes())


def test_offline_it_says_what_to_put_where(place: Path) -> None:
    message = fails_with(DownloadInterrupted, refused_port(), place)
    assert message == (
        "weights.pth from 127.0.0.1 could not be downloaded (no connection); "
        f"try again, or put a copy of weights.pth into {place.parent}."
    )
    assert list(place.parent.iterdir()) == [place]


def test_a_copy_put_there_by_hand_is_used_offline(place: Path) -> None:
    with pytest.raises(DownloadInterrupted):
        download(refused_port(), place, sha256_prefix=prefix(CONTENT))
    place.write_bytes(CONTENT)
    download(refused_port(), place, sha256_prefix=prefix(CONTENT))
    assert_whole(place)


def test_a_password_in_the_address_is_told_to_nobody(place: Path) -> None:
    url = refused_port().replace("//", "//ann:secret@") + "?token=secret"
    assert "secret" not in fails_with(DownloadInterrupted, url, place)


@pytest.mark.parametrize("scheme", ["file", "ftp", "data", "", "gopher"])
def test_only_the_web_is_read(serve: ServeFile, place: Path, tmp_path: Path, scheme: str) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(CONTENT)
    url = f"{scheme}://{secret}" if scheme else str(secret)
    fails_with(DownloadError, url, place)
    redirect = serve(Answer(b"", 302, headers={"Location": url})) if scheme else serve(Answer(b"", 404))
    fails_with(DownloadError, redirect, place)
    assert not part_of(place).exists()


def test_a_redirect_is_followed_also_when_resuming(serve: ServeFile, place: Path) -> None:
    target = serve(BROKEN, GOOD)
    fetch(serve(Answer(b"", 302, headers={"Location": target.url()})), place)
    assert_whole(place)
    assert target.requested == [None, f"bytes={HALF}-"]


@pytest.mark.parametrize(
    ("number", "kind", "says"),
    [
        (errno.ENOSPC, DiskFull, "The disk is full"),
        (errno.EDQUOT, DiskFull, "The disk is full"),
        (errno.EIO, DownloadError, "cannot be kept"),
    ],
)
@pytest.mark.parametrize("at", ["half of it", "its end"])
@pytest.mark.parametrize("from_copy", [False, True])
def test_a_disk_that_takes_no_more_is_named_and_nothing_is_kept(
    serve: ServeFile,
    place: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    kind: type[AppError],
    says: str,
    at: str,
    from_copy: bool,
) -> None:
    append = PartFile.append

    def fail(*arguments: object) -> None:
        raise OSError(number, os.strerror(number))

    def append_until_half(part: PartFile, data: bytes) -> None:
        append(part, data[:HALF])
        if part.size >= HALF:
            fail()

    if at == "its end":
        monkeypatch.setattr(os, "fsync", fail)
    else:
        monkeypatch.setattr(PartFile, "append", append_until_half)
    copy = tmp_path / "copy"
    copy.write_bytes(CONTENT)
    server = serve(GOOD)
    message = fails_with(kind, server, place, copies=[copy] if from_copy else [])
    assert says in message
    assert str(place.parent) in message
    assert list(place.parent.iterdir()) == [place]
    assert len(server.requested) == (0 if from_copy else 1), "trying again makes no room"


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(BEFORE)
    with pytest.raises(DownloadError, match=r"cannot be kept in .*data") as caught:
        download(refused_port(), tmp_path / "data" / "weights.pth", sha256_prefix=prefix(CONTENT))
    assert type(caught.value) is DownloadError
    assert (tmp_path / "data").read_bytes() == BEFORE
