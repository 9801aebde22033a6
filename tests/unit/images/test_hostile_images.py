"""Images of any make, damaged in any way: whole frames, or an error with a sentence."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.dicom_files import DICOM_KINDS
from tests.fuzz.targets import TARGETS
from tests.jpegs import BROKEN_JPEGS
from tests.kinds import KINDS

SEEDS = {name: [kind.data for kind in kinds.values()] for name, kinds in KINDS.items()}
SEEDS["dicom"] = [kind.data for kind in DICOM_KINDS.values()]
SEEDS["jpeg"] += BROKEN_JPEGS.values()


@st.composite
def damaged(draw: st.DrawFn, originals: list[bytes]) -> bytes:
    """Some bytes changed, cut out or put in, some numbers made extreme, the end cut off or followed by something."""
    data = bytearray(draw(st.sampled_from(originals)))
    edges = st.sampled_from([0, 1, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF])
    for _ in range(draw(st.integers(0, 4))):
        # Most of them near the beginning, where formats say what they hold.
        position = draw(st.integers(0, 100) | st.integers(0, len(data)) | st.integers(0, min(len(data), 1600)))
        packed = edges.flatmap(lambda number: st.sampled_from([struct.pack("<I", number), struct.pack(">I", number)]))
        new = draw(st.binary(max_size=4) | packed)
        data[position : position + draw(st.integers(0, 4))] = new
    whole = st.just(len(data))
    end = draw(whole | whole | whole | st.integers(0, len(data)))
    return bytes(data[:end] + draw(st.just(b"") | st.binary(max_size=30)))


@pytest.mark.parametrize("target", SEEDS)
def test_any_damage_gives_whole_frames_or_a_reason(target: str) -> None:
    @given(damaged(SEEDS[target]))
    @settings(deadline=None)
    def check(data: bytes) -> None:
        TARGETS[target](data)

    check()


@pytest.mark.parametrize("target", SEEDS)
def test_what_is_not_damaged_is_read(target: str) -> None:
    for data in SEEDS[target]:
        TARGETS[target](data)
