"""An IR out of a stranger's ZIP: two files by the names that we give, or a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.base.errors import WeightsInvalid
from core.models.foreign.model_zip import MOST_ENTRIES, unpack
from tests.foreign_models import zipped

PAIR = {"deep/../../../net.xml": b"<net/>", "/etc/net.BIN": b"\x00" * 8}


def test_names_in_the_zip_go_nowhere(tmp_path: Path) -> None:
    archive, folder = tmp_path / "a.zip", tmp_path / "in" / "folder"
    folder.mkdir(parents=True)
    archive.write_bytes(zipped({**PAIR, "notes.txt": b"hello"}))
    found = unpack(archive, folder, 100)
    assert found.read_bytes() == b"<net/>"
    assert {path.name for path in folder.iterdir()} == {"model.xml", "model.bin"}
    assert {path.name for path in tmp_path.iterdir()} == {"a.zip", "in"}


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"PK\x03\x04 no zip", "damaged"),
        (zipped({"a.xml": b"", "b.xml": b"", "a.bin": b""}), "2 .xml files"),
        (zipped({"a.xml": b""}), "0 .bin files"),
        (zipped({"a.xml": b"", "a.bin": b"0" * 101}), "unfolds to more than"),
        (zipped({**PAIR, "me/card.json": b"{}"}), "card.json cannot be read"),
        (zipped({**PAIR, **{f"{number}": b"" for number in range(MOST_ENTRIES)}}), "too many files"),
        (zipped(PAIR).replace(b"\x08\x00", b"\x63\x00"), "unusual kind"),
    ],
    ids=["no zip", "two graphs", "no numbers", "bomb", "our own", "many", "unknown compression"],
)
def test_what_is_no_pair_is_refused(data: bytes, says: str, tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(WeightsInvalid, match=says):
        unpack(tmp_path / "a.zip", tmp_path, 100)
