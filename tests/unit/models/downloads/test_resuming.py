"""Downloads over a real connection: whatever breaks on the way, the file is whole and checked, or not there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as budget
from hypothesis import strategies as st

from core.base.errors import DownloadInterrupted
from core.models import downloads
from tests.file_server import Answer, ServeFile
from tests.helpers import open_files
from tests.unit.models.downloads.downloading import (
    BROKEN,
    CHUNK,
    CONTENT,
    GOOD,
    HALF,
    OTHER,
    assert_whole,
    fetch,
    part_of,
)


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
