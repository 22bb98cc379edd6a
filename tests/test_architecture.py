"""The shape of the source: imports only go down, and the core names no plugin."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import pytest

import seqzoo
from seqzoo.plugin.hooks import ENTRY_POINT_GROUP
from seqzoo.plugin.registry import PLUGIN_KINDS, load_registry

ROOT = Path(__file__).parents[1]
CORE = Path(seqzoo.__file__).parent

# First-party names that are also plain words: the core may have a column "bytes" or a record with
# "files". It may not choose by them: compare with one, pass one as `name`, or look one up.
COMMON_WORDS = {
    "bytes",
    "constant",
    "cosine",
    "directory",
    "file",
    "files",
    "linear",
    "trackers",
}

# What a file that names none has meant from the first version on, which no plugin can decide.
FORMAT = {("recipes/train_section.py", "adamw"), ("sweep/grid.py", "local")}


class Literal(NamedTuple):
    line: int
    text: str
    chooses: bool


def literals(source: str) -> Iterator[Literal]:
    """String literals, docstrings left out: prose may give examples."""
    nodes = list(ast.walk(ast.parse(source)))
    prose = {node.value for node in nodes if isinstance(node, ast.Expr)}
    choosing: set[ast.AST] = set()
    for node in nodes:
        if isinstance(node, ast.Compare):
            choosing.update(
                part for side in (node.left, *node.comparators) for part in ast.walk(side)
            )
        elif isinstance(node, ast.keyword) and node.arg == "name":
            choosing.add(node.value)
        elif isinstance(node, ast.Call) and any(
            isinstance(argument, ast.Constant) and argument.value in PLUGIN_KINDS
            for argument in node.args
        ):
            choosing.update(node.args)
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in prose:
            yield Literal(node.lineno, node.value, node in choosing)


def first_party_names() -> set[str]:
    """What the plugins of this distribution declare, and their entry points.

    The checks of the doctor are part of the core: only how they register is a plugin's way.
    """
    declared = {
        registered.spec.name
        for kind in PLUGIN_KINDS
        if kind != "check"
        for registered in load_registry().registered(kind)
        if registered.owner.distribution == "seqzoo"
    }
    entry_points = metadata.distribution("seqzoo").entry_points.select(group=ENTRY_POINT_GROUP)
    return declared | {each.name for each in entry_points if not each.value.startswith("seqzoo.")}


def names_in(source: str, names: set[str]) -> list[Literal]:
    return [
        literal
        for literal in literals(source)
        if literal.text in names and (literal.chooses or literal.text not in COMMON_WORDS)
    ]


def test_no_string_in_the_core_is_a_plugins_name() -> None:
    names = first_party_names()
    assert len(names) > len(COMMON_WORDS)
    found = [
        f"{path.relative_to(CORE)}:{literal.line}: {literal.text!r}"
        for path in sorted(CORE.rglob("*.py"))
        for literal in names_in(path.read_text(encoding="utf-8"), names)
        if (path.relative_to(CORE).as_posix(), literal.text) not in FORMAT
    ]
    assert found == []


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ('get("cell")', [1]),
        ('{"cell": 1}', [1]),
        ('f"cell"', [1]),
        ('"""cell"""\ndef f():\n    """cell"""', []),
        ('x = "a cell"', []),
        ('{"bytes": 1}["bytes"]', []),
        ('column("bytes")', []),
        ('get("tokenizer", "bytes")', [1]),
        ('Choice(name="bytes")', [1]),
        ('x in ("bytes", "words")', [1]),
        ('x: bytes = b"cell"', []),
    ],
)
def test_the_search_finds_names_and_skips_prose_and_common_words_that_choose_nothing(
    source: str, lines: list[int]
) -> None:
    assert [literal.line for literal in names_in(source, {"cell", "bytes"})] == lines


def test_import_contracts_hold() -> None:
    pytest.importorskip("importlinter", reason="import-linter is a development dependency")
    program = "from importlinter.cli import lint_imports_command as lint; lint()"
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
