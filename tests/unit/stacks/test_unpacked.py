"""What a compressed file takes on disk is counted where all else is, and given back where it comes to nothing."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.base.errors import ImageError, QuotaExceeded
from core.base.settings import MIB
from core.stacks.sources.source import Scratch
from core.stacks.sources.unpacked import Unpacked

DATA = random.Random(1).randbytes(1000) * 3000


class Packed:
    """A file of a source; ``broken`` ends it after its first piece."""

    size = len(DATA)

    def __init__(self, key: str = "one", *, broken: bool = False) -> None:
        self.key = key
        self.broken = broken
        self.times = 0

    def read(self, start: int = 0, count: int | None = None) -> bytes:
        raise AssertionError("parts come from what was unpacked")

    def pieces(self, start: int = 0) -> Iterator[bytes]:
        self.times += 1
        yield DATA[: 2 * MIB]
        if self.broken:
            raise ImageError("damaged")
        yield DATA[2 * MIB :]


class Room:
    """So many bytes, of which some are taken."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.taken = self.highest = 0

    def grow(self, count: int) -> None:
        if self.taken + count > self.most:
            raise QuotaExceeded("no room")
        self.taken += count
        self.highest = max(self.highest, self.taken)


def test_a_file_is_unpacked_once_and_counts_as_many_bytes_as_it_has(tmp_path: Path) -> None:
    room, packed = Room(8 * MIB), Packed()
    unpacked = Unpacked(Scratch(tmp_path, room.grow))
    assert unpacked.read(packed, 999, 70) == DATA[999 : 999 + 70]
    assert unpacked.read(packed, len(DATA) - 5, 70) == DATA[-5:]
    assert unpacked.read(packed, len(DATA), 70) == b""
    assert packed.times == 1
    assert room.taken == len(DATA)
    unpacked.read(Packed("two"), 1, 1)
    assert room.taken == 2 * len(DATA)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_one_takes_no_room(tmp_path: Path) -> None:
    room = Room(8 * MIB)
    unpacked = Unpacked(Scratch(tmp_path, room.grow))
    for _ in range(2):
        with pytest.raises(ImageError, match="damaged"):
            unpacked.read(Packed(broken=True), 1, 1)
        assert room.taken == 0
    assert room.highest == 2 * MIB


def test_without_room_nothing_is_kept_and_whoever_asks_later_tries_again(tmp_path: Path) -> None:
    room, packed = Room(2 * MIB), Packed()
    unpacked = Unpacked(Scratch(tmp_path, room.grow))
    with pytest.raises(QuotaExceeded):
        unpacked.read(packed, 1, 1)
    assert room.taken == 0
    room.most = 3 * MIB
    assert unpacked.read(packed, 1, 1) == DATA[1:2]
