"""docs/architecture.md: every path and name on it exists, and every module is on it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from commands import REPOSITORY

PAGE = REPOSITORY / "docs" / "architecture.md"
TEXT = PAGE.read_text(encoding="utf-8")
INDEX = re.findall(r"^\| (.+\?) \| \[(\S+)\]\(\.\./\S+\) \| (?:`(\w+)`)? *\|$", TEXT, re.MULTILINE)


def names_in(source: str) -> set[str]:
    """What a file defines: functions, classes, variables and fields, at any depth."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
    return names


def test_every_path_of_the_map_exists() -> None:
    paths = re.findall(r"`?\b((?:seqzoo|plugins|recipes|tests|docs)/[\w./]*)", TEXT)
    assert len(paths) > 100
    missing = {path for path in paths if not (REPOSITORY / path.rstrip(".")).exists()}
    assert missing == set()


def test_every_module_is_on_the_map() -> None:
    modules = [
        path.relative_to(REPOSITORY).as_posix()
        for top in ("seqzoo", "plugins")
        for path in (REPOSITORY / top).rglob("*.py")
        if path.read_text(encoding="utf-8").strip()
    ]
    assert len(modules) > 100
    assert [module for module in sorted(modules) if f"](../{module})" not in TEXT] == []


def test_every_folder_of_the_core_is_in_the_table_of_folders() -> None:
    table = TEXT.partition("## The folders")[2].partition("\n## ")[0]
    folders = {path.parent.name for path in (REPOSITORY / "seqzoo").glob("*/__init__.py")}
    assert {name for name in folders if f"| [seqzoo/{name}/](../seqzoo/{name}) |" not in table} == (
        set()
    )


def test_the_index_is_long_enough_to_be_useful() -> None:
    assert len(INDEX) >= 30
    assert len(INDEX) == TEXT.partition("## Where is")[2].partition("\n## ")[0].count("? |")


@pytest.mark.parametrize(("question", "path", "name"), INDEX, ids=lambda value: str(value))
def test_what_the_index_names_is_in_the_file(question: str, path: str, name: str) -> None:
    source = (REPOSITORY / path).read_text(encoding="utf-8")
    assert not name or name in names_in(source), question


def test_what_the_way_of_a_token_names_is_in_the_file_it_names() -> None:
    """`name` in [file](...), wherever the page says so."""
    named = re.findall(r"`([\w.]+)` +in\s+\[([\w/.]+)\]", TEXT)
    assert len(named) > 10
    for name, path in named:
        defined = names_in((REPOSITORY / path).read_text(encoding="utf-8"))
        assert name in defined, f"{name} in {path}"


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("def f(): ...", "f"),
        ("class A:\n    x: int = 3", "x"),
        ("class A:\n def g(self): ...", "g"),
    ],
)
def test_the_search_for_names_sees_each_kind(source: str, name: str) -> None:
    assert names_in(source) >= {name}
    assert "absent" not in names_in(source)


def test_the_picture_has_every_folder() -> None:
    drawn = set(
        re.findall(r">([\w./]+)</text>", Path(PAGE.parent, "pictures/architecture.svg").read_text())
    )
    folders = {f"{path.parent.name}/" for path in (REPOSITORY / "seqzoo").glob("*/__init__.py")}
    assert drawn >= folders
