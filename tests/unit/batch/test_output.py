"""Whose a folder of results is, and what of it is believed."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.base.errors import OutputRefused
from core.batch.output import Output
from core.batch.parts import census
from core.batch.stores import LOCAL, write_whole

pytestmark = pytest.mark.batch
FACTS = {"model": "starter", "engine": "openvino-int8", "features": False}


def test_the_same_job_goes_on_and_another_one_is_refused(tmp_path: Path) -> None:
    Output(str(tmp_path)).prepare(FACTS)
    Output(str(tmp_path)).prepare(dict(reversed(FACTS.items())))
    with pytest.raises(OutputRefused, match="begun with engine 'openvino-int8', and this run has 'pytorch-fp32'"):
        Output(str(tmp_path)).prepare(FACTS | {"engine": "pytorch-fp32"})
    with pytest.raises(OutputRefused, match="begun with shards None, and this run has 2"):
        Output(str(tmp_path), shards=2).prepare(FACTS | {"shards": 2})


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(OutputRefused, match="no results of this command"):
        Output(str(tmp_path)).prepare(FACTS)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_damaged_job_file_is_refused(tmp_path: Path) -> None:
    Output(str(tmp_path)).prepare(FACTS)
    (tmp_path / "job.json").write_text("{")
    with pytest.raises(OutputRefused, match="damaged"):
        Output(str(tmp_path)).prepare(FACTS)


def test_shards_have_folders_of_their_own_and_one_job(tmp_path: Path) -> None:
    facts = FACTS | {"shards": 2}
    first, second = (Output(str(tmp_path), shard=shard, shards=2) for shard in range(2))
    first.prepare(facts)
    second.prepare(facts)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["job.json", "shard-0000-of-0002", "shard-0001-of-0002"]
    with first.alone(), second.alone():
        assert first.part(7) != second.part(7)


def test_only_whole_parts_are_believed_and_drafts_are_swept(tmp_path: Path) -> None:
    output = Output(str(tmp_path))
    output.prepare(FACTS)
    for name, content in (
        ("000000003.parquet", b"x"),
        ("000000004.parquet", b""),
        (".000000005.parquet.ab.partial", b"x"),
    ):
        (tmp_path / "parts" / name).write_bytes(content)
    assert output.done() == {3}
    output.sweep()
    assert sorted(path.name for path in (tmp_path / "parts").iterdir()) == ["000000003.parquet", "000000004.parquet"]


def test_a_damaged_part_is_named_and_not_counted(tmp_path: Path) -> None:
    output = Output(str(tmp_path))
    output.prepare(FACTS)
    (tmp_path / "parts" / "000000003.parquet").write_bytes(b"PAR1 but not much more")
    with pytest.raises(OutputRefused, match=r"000000003\.parquet is damaged. Delete it"):
        census(output)


def test_a_second_run_at_the_same_time_is_refused(tmp_path: Path) -> None:
    output = Output(str(tmp_path))
    output.prepare(FACTS)
    with output.alone(), pytest.raises(OutputRefused, match="Another run"), Output(str(tmp_path)).alone():
        pass
    with Output(str(tmp_path)).alone():
        pass


def test_a_file_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        write_whole(LOCAL, str(tmp_path / "a"), object())  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []
