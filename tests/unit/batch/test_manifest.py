"""Units: every file in exactly one of them, and the same ones when a job goes on."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.batch.listing import Listed, Listing
from core.batch.manifest import ARCHIVE_SLICE_BYTES, UNIT_BYTES, Manifest, units_of
from core.batch.stores import LOCAL

pytestmark = pytest.mark.batch


def listing(*files: Listed) -> Listing:
    return Listing("test", LOCAL, iter(files))


@settings(deadline=None)
@given(
    st.lists(st.integers(0, UNIT_BYTES), max_size=40),
    st.integers(1, 5),
    st.integers(1, 7),
)
def test_every_file_is_in_one_unit_of_one_shard(sizes: list[int], shards: int, unit_files: int) -> None:
    files = [Listed(f"/x/{number}.png", size, 0) for number, size in enumerate(sizes)]
    seen: Counter[Listed] = Counter()
    for shard in range(shards):
        units = list(units_of(listing(*files), shard=shard, shards=shards, unit_files=unit_files))
        assert [unit.number for unit in units] == list(range(len(units)))
        for unit in units:
            seen.update(unit.files)
            assert len(unit.files) <= unit_files
            assert unit.bytes <= UNIT_BYTES or len(unit.files) == 1
    assert seen == Counter(files)


def test_an_archive_is_dealt_out_in_slices() -> None:
    archive = Listed("/x/a.zip", 3 * ARCHIVE_SLICE_BYTES - 1, 5)
    image = Listed("/x/a.png", 1, 5)
    units = list(units_of(listing(image, archive)))
    assert [(unit.slice, unit.slices) for unit in units] == [(0, 3), (1, 3), (2, 3), (0, 0)]
    assert units[-1].files == (image,)


def test_what_is_written_is_read_again_in_any_part(tmp_path: Path) -> None:
    files = [Listed(f"/x/ä{number}.png", number, number * 10**15) for number in range(1201)]
    manifest = Manifest(LOCAL, str(tmp_path))
    units = list(units_of(listing(*files), unit_files=2))
    source = listing(*files)
    source.left_out["links"] = 3
    totals = manifest.write(source, units)
    assert (totals.units, totals.files, totals.bytes) == (601, 1201, sum(range(1201)))
    assert Manifest(LOCAL, str(tmp_path)).totals() == totals
    assert list(manifest.units([0, 499, 500, 600])) == [units[number] for number in (0, 499, 500, 600)]


def test_a_list_that_was_not_finished_is_not_believed(tmp_path: Path) -> None:
    manifest = Manifest(LOCAL, str(tmp_path / "manifest"))
    assert manifest.totals() is None
    manifest.write(listing(Listed("/x/a.png", 1, 1)), units_of(listing(Listed("/x/a.png", 1, 1))))
    (tmp_path / "manifest" / "complete.json").unlink()
    assert manifest.totals() is None


def test_a_source_without_images_is_a_job_without_units(tmp_path: Path) -> None:
    totals = Manifest(LOCAL, str(tmp_path)).write(listing(), units_of(listing()))
    assert totals.units == 0
    assert list(Manifest(LOCAL, str(tmp_path)).units([])) == []
