"""Tests inject what they change: no constant of the product is patched, so that each is an argument or a setting."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from core.base.settings import PROJECT_ROOT

# What stays, by file and name, and why.
ALLOWED = {
    ("tests/dicom_files.py", "VR"): "pydicom's name for the type of an element, which is no constant",
    ("tests/hostile.py", "ZIP64_LIMIT"): "zipfile's own: it writes small files in this form in no other way",
    ("tests/hostile.py", "ZIP_FILECOUNT_LIMIT"): "the same",
}


def patched_constants(source: str) -> Iterator[str]:
    """The upper-case names that ``source`` patches: ``setattr`` and ``patch`` of pytest and mock, and assignments."""
    for node in ast.walk(ast.parse(source)):
        names: list[str] = []
        match node:
            case ast.Call(func=ast.Attribute(attr="setattr" | "object" | "patch"), args=arguments):
                names = [str(one.value).rpartition(".")[2] for one in arguments[:2] if isinstance(one, ast.Constant)]
            case ast.Call(func=ast.Name(id="patch"), args=[ast.Constant(value=str(path)), *_]):
                names = [path.rpartition(".")[2]]
            case ast.Assign(targets=targets):
                names = [one.attr for one in targets if isinstance(one, ast.Attribute)]
            case ast.AnnAssign(target=ast.Attribute(attr=name)) | ast.AugAssign(target=ast.Attribute(attr=name)):
                names = [name]
        yield from (name for name in names if name.isupper())


def test_no_test_patches_a_constant() -> None:
    files = sorted((PROJECT_ROOT / "tests").rglob("*.py"))
    found = {
        (path.relative_to(PROJECT_ROOT).as_posix(), name)
        for path in files
        for name in patched_constants(path.read_text(encoding="utf-8"))
    }
    assert found == set(ALLOWED), "make it an argument with the constant as its default, or a setting"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('monkeypatch.setattr(module, "MAX_CLIENTS", 3)', ["MAX_CLIENTS"]),
        ('monkeypatch.setattr(module, "_TURN_SECONDS", 3)', ["_TURN_SECONDS"]),
        ('monkeypatch.setattr("core.room.module.MAX", 3)', ["MAX"]),
        ('mock.patch.object(module, "MAX", 3)', ["MAX"]),
        ('patch("core.room.module.MAX", 3)', ["MAX"]),
        ("module.MAX = 3", ["MAX"]),
        ("module._MAX += 3", ["_MAX"]),
        ('monkeypatch.setattr(os, "pread", counted)', []),
        ('monkeypatch.setattr("core.room.module.function", fake)', []),
        ('monkeypatch.setattr(Class, "method", fake)', []),
        ('monkeypatch.setenv("AISR_MODEL", "a")', []),
        ('setattr(info, "CRC", 1)', []),
        ("MAX = 3", []),
        ("thing.value = 3", []),
    ],
)
def test_it_finds_every_way_and_nothing_else(source: str, expected: list[str]) -> None:
    assert list(patched_constants(source)) == expected
