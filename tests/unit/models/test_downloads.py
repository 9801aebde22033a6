"""Downloads over a real connection: whatever the server does, the file is whole and checked, or not there."""

from __future__ import annotations

import errno
import hashlib
import os
import random
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as budget
from hypothesis import strategies as st

from core.base.errors import AppError, Cancelled, DiskFull, DownloadError, DownloadInterrupted, DownloadRejected
from core.models import downloads
from core.models.downloads import torch_hub_file
from core.models.part_file import PartFile
from tests.file_server import Answer, FileServer, ServeFile, file_servers
from tests.helpers import SECONDS, open_files, wait_until

CONTENT = random.Random(0).randbytes(300_000)
OTHER = random.Random(1).randbytes(300_000)
CHUNK = downloads.CHUNK_BYTES
HALF = 18 * CHUNK
GOOD = Answer(CONTENT)
BROKEN = replace(GOOD, drop_after=HALF)
BEFORE = b"what was there before"


def download(url: str, place: Path, **options: object) -> None:
    """The function that is tested, with short pauses between its attempts."""
    downloads.download(url, place, **{"first_pause_seconds": 0.002, **options})


def prefix(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:8]


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture(scope="module")
def serve() -> Iterator[ServeFile]:
    with file_servers() as serve:
        yield serve


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where the file goes, in a folder that is not there yet."""
    return tmp_path / "data" / "downloads" / "weights.pth"


def part_of(place: Path) -> Path:
    return place.with_name("weights.pth.part")


def fetch(server: FileServer, place: Path, content: bytes = CONTENT, **options: object) -> None:
    download(server.url(), place, sha256_prefix=prefix(content), **options)


def assert_whole(place: Path, content: bytes = CONTENT) -> None:
    assert place.read_bytes() == content
    assert list(place.parent.iterdir()) == [place], "nothing else may be left"


def refused_port() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}/weights.pth"


def test_a_file_arrives_whole_and_its_progress_is_told(serve: ServeFile, place: Path) -> None:
    server, seen = serve(GOOD), []
    fetch(server, place, on_progress=lambda done, total: seen.append((done, total)))
    assert_whole(place)
    assert server.requested == [None]
    assert [done for done, _ in seen] == sorted({done for done, _ in seen}), "progress never goes back"
    assert {total for _, total in seen} == {len(CONTENT)}
    assert seen[-1][0] == len(CONTENT)
    assert len(seen) > 5
    assert open_files(place.parent) == 0


def test_a_file_that_is_there_is_not_downloaded_again(serve: ServeFile, place: Path) -> None:
    server = serve(GOOD)
    fetch(server, place)
    before = place.stat()
    fetch(server, place)
    assert len(server.requested) == 1
    assert (place.stat().st_ino, place.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_damaged_file_is_replaced(serve: ServeFile, place: Path) -> None:
    place.parent.mkdir(parents=True)
    place.write_bytes(CONTENT[:-1])
    fetch(serve(GOOD), place)
    assert_whole(place)


@pytest.mark.parametrize("breaks", [[HALF], [1], [len(CONTENT) - 1], [CHUNK, HALF], [0, 0, 0], [70_000] * 3])
def test_a_broken_connection_is_taken_up_where_it_broke(serve: ServeFile, place: Path, breaks: list[int]) -> None:
    server = serve(*(replace(GOOD, drop_after=size) for size in breaks), GOOD)
    fetch(server, place)
    assert_whole(place)
    arrived = [size // CHUNK * CHUNK for size in breaks]  # of whole chunks, nothing is lost
    starts = [sum(arrived[:count]) for count in range(len(breaks) + 1)]
    assert server.requested == [f"bytes={start}-" if start else None for start in starts]
    assert server.sent == len(CONTENT) + sum(breaks) - sum(arrived), "nothing that arrived is sent twice"


@pytest.mark.parametrize(
    "answers",
    [
        pytest.param([replace(GOOD, ranges=False)], id="ranges ignored"),
        pytest.param(
            [replace(GOOD, status=206, headers={"Content-Range": f"bytes 0-299999/{len(CONTENT)}"}), GOOD],
            id="the whole file as a range",
        ),
        pytest.param([replace(GOOD, headers={"Content-Range": None}), GOOD], id="no Content-Range"),
        pytest.param([replace(GOOD, headers={"Content-Range": "pages 1-2/3"}), GOOD], id="strange Content-Range"),
        pytest.param([replace(GOOD, headers={"Content-Range": f"bytes {HALF}-299999/*"})], id="unknown size"),
        pytest.param([replace(GOOD, status=500), GOOD], id="an error in between"),
        pytest.param([replace(GOOD, ranges=False, headers={"Content-Length": None})], id="no size"),
    ],
)
def test_a_server_that_continues_badly_costs_another_request_but_never_the_file(
    serve: ServeFile, place: Path, answers: list[Answer]
) -> None:
    server, seen = serve(BROKEN, *answers), []
    fetch(server, place, on_progress=lambda done, total: seen.append(done))
    assert_whole(place)
    assert max(seen) == len(CONTENT), "nothing was appended where it does not belong"
    assert server.requested[:2] == [None, f"bytes={HALF}-"]
    assert len(server.requested) <= 3


def test_a_server_may_send_less_than_was_asked_for(serve: ServeFile, place: Path) -> None:
    end = HALF + CHUNK
    piece = Answer(CONTENT[:end], headers={"Content-Range": f"bytes {HALF}-{end - 1}/{len(CONTENT)}"})
    server = serve(BROKEN, piece, GOOD)
    fetch(server, place)
    assert_whole(place)
    assert server.requested == [None, f"bytes={HALF}-", f"bytes={end}-"]


@pytest.mark.parametrize("new", [OTHER, OTHER + OTHER, OTHER[: HALF + 9], OTHER[:HALF], OTHER[:1000], CONTENT[1:]])
def test_a_file_that_changed_between_two_attempts_is_begun_again(serve: ServeFile, place: Path, new: bytes) -> None:
    server = serve(BROKEN, Answer(new))
    fetch(server, place, new)
    assert_whole(place, new)
    assert len(server.requested) == 3


@pytest.mark.parametrize("left", [OTHER, OTHER[:5], CONTENT + b"!", CONTENT + OTHER, CONTENT[:HALF], CONTENT])
def test_whatever_an_earlier_call_left_the_file_comes_out_right(serve: ServeFile, place: Path, left: bytes) -> None:
    place.parent.mkdir(parents=True)
    part_of(place).write_bytes(left)
    server = serve(GOOD)
    fetch(server, place)
    assert_whole(place)
    assert len(server.requested) == {CONTENT: 0, CONTENT[:HALF]: 1}.get(left, 2)


@budget(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    left=st.sampled_from([b"", CONTENT[:70_000], OTHER[:70_000]]),
    drops=st.lists(st.tuples(st.integers(0, len(CONTENT)), st.booleans()), max_size=3),
)
def test_no_sequence_of_breaks_damages_the_file(
    serve: ServeFile, tmp_path_factory: pytest.TempPathFactory, left: bytes, drops: list[tuple[int, bool]]
) -> None:
    place = tmp_path_factory.mktemp("breaks") / "weights.pth"
    part_of(place).write_bytes(left)
    fetch(serve(*(replace(GOOD, drop_after=size, ranges=ranges) for size, ranges in drops), GOOD), place)
    assert_whole(place)


def test_a_connection_that_keeps_breaking_is_given_up_and_the_next_call_goes_on(serve: ServeFile, place: Path) -> None:
    server = serve(*[replace(GOOD, drop_after=CHUNK)] * downloads.ATTEMPTS, GOOD)
    with pytest.raises(DownloadInterrupted, match="the connection broke"):
        fetch(server, place)
    assert not place.exists()
    assert part_of(place).read_bytes() == CONTENT[: CHUNK * downloads.ATTEMPTS]
    fetch(server, place)
    assert_whole(place)
    assert server.requested[-1] == f"bytes={CHUNK * downloads.ATTEMPTS}-"


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


def test_cancelling_keeps_what_has_come_for_the_next_time(serve: ServeFile, place: Path) -> None:
    server, cancelled = serve(GOOD), threading.Event()

    def cancel_in_the_middle(done: int, total: int | None) -> None:
        if done >= 100_000:
            cancelled.set()

    with pytest.raises(Cancelled):
        fetch(server, place, cancelled=cancelled, on_progress=cancel_in_the_middle)
    assert not place.exists()
    kept = part_of(place).read_bytes()
    assert 100_000 <= len(kept) < len(CONTENT)
    assert CONTENT.startswith(kept)
    fetch(server, place)
    assert_whole(place)
    assert server.requested == [None, f"bytes={len(kept)}-"]


def test_cancelled_before_it_began_nothing_is_asked_for_or_left(serve: ServeFile, place: Path) -> None:
    server, cancelled = serve(GOOD), threading.Event()
    cancelled.set()
    with pytest.raises(Cancelled):
        fetch(server, place, cancelled=cancelled)
    assert server.requested == []
    assert list(place.parent.iterdir()) == []


def test_cancelling_ends_the_pause_between_two_attempts(serve: ServeFile, place: Path) -> None:
    server, cancelled = serve(BROKEN, GOOD), threading.Event()
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(fetch, server, place, cancelled=cancelled, first_pause_seconds=1000.0)
        try:
            wait_until(lambda: part_of(place).exists() and part_of(place).stat().st_size == HALF, "the break")
        finally:
            cancelled.set()
        with pytest.raises(Cancelled):
            done.result(SECONDS)
    assert len(server.requested) == 1


def test_two_at_once_download_once(serve: ServeFile, place: Path) -> None:
    server, waited = serve(replace(GOOD, stall_after=HALF)), threading.Event()

    def watch(done: int, total: int | None) -> None:
        if total is None:
            waited.set()
            server.release.set()

    with ThreadPoolExecutor(3) as pool:
        for result in [pool.submit(fetch, server, place, on_progress=watch) for _ in range(3)]:
            result.result(SECONDS)
    assert waited.is_set()
    assert len(server.requested) == 1
    assert_whole(place)


def test_cancelling_one_of_two_leaves_the_other_alone(serve: ServeFile, place: Path) -> None:
    server, waits, cancelled = serve(replace(GOOD, stall_after=HALF)), threading.Event(), threading.Event()
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(fetch, server, place)
        wait_until(lambda: part_of(place).exists() and part_of(place).stat().st_size > 0, "the first to begin")
        second = pool.submit(fetch, server, place, cancelled=cancelled, on_progress=lambda done, total: waits.set())
        assert waits.wait(SECONDS)
        cancelled.set()
        with pytest.raises(Cancelled):
            second.result(SECONDS)
        assert part_of(place).exists()
        assert not first.done()
        server.release.set()
        first.result(SECONDS)
    assert_whole(place)


@pytest.mark.parametrize(("content", "kept"), [(CONTENT, True), (OTHER, False)], ids=["interrupted", "rejected"])
def test_when_the_first_of_two_fails_the_second_takes_over(
    serve: ServeFile, place: Path, content: bytes, kept: bool
) -> None:
    """Its part may have gone from under the second one, which must then not write where nobody looks."""
    waits = threading.Event()
    server = serve(replace(Answer(content), stall_after=HALF), GOOD)
    stop_first = threading.Event()
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(fetch, server, place, cancelled=stop_first)
        wait_until(lambda: part_of(place).exists() and part_of(place).stat().st_size > 0, "the first to begin")
        second = pool.submit(fetch, server, place, on_progress=lambda done, total: waits.set())
        assert waits.wait(SECONDS)
        if kept:
            stop_first.set()
        server.release.set()
        with pytest.raises(Cancelled if kept else DownloadRejected):
            first.result(SECONDS)
        second.result(SECONDS)
    assert_whole(place)
    assert (server.requested[1] is not None) == kept


def test_a_copy_on_this_machine_saves_the_download(serve: ServeFile, place: Path, tmp_path: Path) -> None:
    right, wrong = tmp_path / "right", tmp_path / "wrong"
    right.write_bytes(CONTENT)
    wrong.write_bytes(OTHER)
    place.parent.mkdir(parents=True)
    part_of(place).write_bytes(OTHER[:HALF])
    server = serve(GOOD)
    fetch(server, place, copies=[tmp_path / "missing", tmp_path, wrong, right])
    assert_whole(place)
    assert server.requested == []
    assert right.read_bytes() == CONTENT, "it stays where it was"
    place.write_bytes(BEFORE)
    assert right.read_bytes() == CONTENT, "and is a file of its own"


def test_copies_with_another_checksum_are_not_used(serve: ServeFile, place: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_bytes(CONTENT[:-1])
    server = serve(GOOD)
    fetch(server, place, copies=[wrong])
    assert_whole(place)
    assert len(server.requested) == 1


CACHES = [
    ({}, "HOME/.cache/torch/hub/checkpoints/f"),
    ({"XDG_CACHE_HOME": "/x"}, "/x/torch/hub/checkpoints/f"),
    ({"XDG_CACHE_HOME": "~/x"}, "HOME/x/torch/hub/checkpoints/f"),
    ({"XDG_CACHE_HOME": "/x", "TORCH_HOME": "/t"}, "/t/hub/checkpoints/f"),
]


@pytest.fixture
def set_caches(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, str]], None]:
    def set_them(variables: dict[str, str]) -> None:
        for name in ("XDG_CACHE_HOME", "TORCH_HOME"):
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return set_them


@pytest.mark.parametrize(("variables", "expected"), CACHES)
def test_the_cache_of_torch_hub_is_found(
    variables: dict[str, str], expected: str, set_caches: Callable[[dict[str, str]], None]
) -> None:
    set_caches(variables)
    assert str(torch_hub_file("f")) == expected.replace("HOME", os.path.expanduser("~"))  # noqa: PTH111


@pytest.mark.torch
@pytest.mark.parametrize("variables", [variables for variables, _ in CACHES])
def test_torch_itself_looks_there(variables: dict[str, str], set_caches: Callable[[dict[str, str]], None]) -> None:
    import torch

    set_caches(variables)
    assert torch_hub_file("f") == Path(torch.hub.get_dir()) / "checkpoints" / "f"
