"""Whose images a DICOM file holds, read only when somebody asks who may know; nothing else looks at these elements."""

from __future__ import annotations

from core.images.formats import _dicom_parts as parts
from core.images.formats.format import Fact, FileReader

_CHARACTERS = 0x80005
_NAME, _DATE, _WORDS = "name", "date", "words"
# PS3.6, chapter 6: the elements, in the order in which they are told, what they are called here, and how written.
_FACTS = {
    0x100010: ("Patient", _NAME),
    0x100020: ("Patient ID", _WORDS),
    0x100030: ("Born", _DATE),
    0x100040: ("Sex", _WORDS),
    0x101010: ("Age", _WORDS),
    0x80020: ("Study date", _DATE),
    0x80050: ("Accession number", _WORDS),
    0x81030: ("Study", _WORDS),
    0x8103E: ("Series", _WORDS),
    0x80080: ("Institution", _WORDS),
    0x80090: ("Referred by", _NAME),
}
# PS3.3, C.12.1.1.2: the character sets, by what Python calls them.
_ENCODINGS = {
    "ISO_IR 100": "latin-1", "ISO_IR 101": "iso8859-2", "ISO_IR 109": "iso8859-3", "ISO_IR 110": "iso8859-4",
    "ISO_IR 144": "iso8859-5", "ISO_IR 127": "iso8859-6", "ISO_IR 126": "iso8859-7", "ISO_IR 138": "iso8859-8",
    "ISO_IR 148": "iso8859-9", "ISO_IR 13": "shift_jis", "ISO_IR 166": "tis-620", "ISO_IR 192": "utf-8",
    "ISO 2022 IR 87": "iso2022_jp_2", "ISO 2022 IR 149": "euc_kr", "ISO 2022 IR 58": "gb2312",
    "GB18030": "gb18030", "GBK": "gbk",
}  # fmt: skip
_LONGEST = 200  # characters that are told of each


def read_people(file: FileReader) -> tuple[Fact, ...]:
    """What a file says of its patient, each with what it is called; nothing of it is kept here.

    Raises:
        ImageError: not a DICOM file, damaged, or cut short.
    """
    dataset = parts.read_dataset(file, frozenset((_CHARACTERS, *_FACTS)))
    sets = [one.strip() for one in dataset.text(_CHARACTERS).split("\\")]
    encoding = next((_ENCODINGS[one] for one in reversed(sets) if one in _ENCODINGS), "ascii")
    found = ((name, _told(dataset.value(tag), encoding, how)) for tag, (name, how) in _FACTS.items())
    return tuple((name, text) for name, text in found if text)


def _told(value: bytes, encoding: str, how: str) -> str:
    text = value.decode(encoding, "replace")
    text = "".join(letter if letter.isprintable() else " " for letter in text[:_LONGEST]).strip()
    if how == _DATE and len(text) == 8 and text.isdecimal():
        return f"{text[:4]}-{text[4:6]}-{text[6:]}"
    if how == _NAME:  # family, given and other names; in letters, ideographs, and as they sound
        return " / ".join(" ".join(one.replace("^", " ").split()) for one in text.split("=") if one.strip("^ "))
    return text
