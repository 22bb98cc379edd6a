"""No module imports, over any way, a module that imports it; and no name hides another's.

Imports for the type checker and imports inside functions count too: import-linter's contracts know
folders, this knows modules and every kind of import.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = {"seqzoo": ROOT / "seqzoo", "seqzoo_plugins": ROOT / "plugins" / "seqzoo_plugins"}

MOST_ENTRIES = 12
"""Files directly in seqzoo/, beside its folders."""


class Import(NamedTuple):
    importer: str
    imported: str
    kind: str
    line: int

    def __str__(self) -> str:
        return f"{self.importer}:{self.line} -> {self.imported} ({self.kind})"


def modules(packages: Mapping[str, Path] = PACKAGES) -> dict[str, Path]:
    """Dotted names of all modules; a package is its `__init__`."""
    found = {}
    for name, folder in packages.items():
        for path in sorted(folder.rglob("*.py")):
            parts = (name, *path.relative_to(folder).with_suffix("").parts)
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports_of(importer: str, source: str, known: set[str]) -> Iterator[Import]:
    """What a module imports of `known`, in order: at its top, inside a function, or for types."""

    def visit(node: ast.AST, kind: str) -> Iterator[Import]:
        if isinstance(node, ast.If) and ast.unparse(node.test) in (
            "TYPE_CHECKING",
            "typing.TYPE_CHECKING",
        ):
            for statement in node.body:
                yield from visit(statement, "type checking")
            for statement in node.orelse:
                yield from visit(statement, kind)
            return
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            kind = kind if kind == "type checking" else "in a function"
        for target in _targets(node, known):
            yield Import(importer, target, kind, getattr(node, "lineno", 0))
        for child in ast.iter_child_nodes(node):
            yield from visit(child, kind)

    yield from visit(ast.parse(source), "at the top")


def _targets(node: ast.AST, known: set[str]) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names if alias.name in known)
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, "relative imports are not used here"
        for alias in node.names:
            inner = f"{node.module}.{alias.name}"
            if inner in known:
                yield inner
            elif node.module in known:
                yield str(node.module)


def circles(imports: list[Import]) -> list[list[Import]]:
    """Shortest circles first; of those that share an import only the first is given.

    Break what is given and run again: a circle that is left is given then.
    """
    onward: dict[str, list[Import]] = {}
    for each in imports:
        onward.setdefault(each.importer, []).append(each)
    found: dict[frozenset[str], list[Import]] = {}
    for first in imports:
        if first.importer == first.imported:
            continue
        ways: dict[str, list[Import]] = {first.imported: [first]}
        queue = [first.imported]
        while queue and first.importer not in ways:
            here = queue.pop(0)
            for step in onward.get(here, []):
                if step.imported not in ways:
                    ways[step.imported] = [*ways[here], step]
                    queue.append(step.imported)
        if way := ways.get(first.importer):
            found.setdefault(frozenset(step.importer for step in way), way)
    given: list[list[Import]] = []
    for way in sorted(found.values(), key=len):
        if not any(set(way) & set(other) for other in given):
            given.append(way)
    return given


def test_no_import_comes_back_to_where_it_began() -> None:
    sources = modules()
    assert len(sources) > 100
    imports = [
        each
        for name, path in sources.items()
        for each in imports_of(name, path.read_text(encoding="utf-8"), set(sources))
    ]
    assert {each.kind for each in imports} == {"at the top", "in a function", "type checking"}
    shown = ["\n".join(f"    {step}" for step in circle) for circle in circles(imports)]
    assert not shown, "import cycles:\n" + "\n\n".join(shown)


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("import p.b", "at the top"),
        ("from p import b", "at the top"),
        ("from p.b import anything", "at the top"),
        ("def f():\n    from p.b import c", "in a function"),
        ("class A:\n    import p.b", "at the top"),
        ("if TYPE_CHECKING:\n    from p.b import c", "type checking"),
        ("try:\n    import p.b\nexcept ImportError:\n    pass", "at the top"),
        ("import other", None),
    ],
)
def test_each_kind_of_import_is_seen(source: str, kind: str | None) -> None:
    seen = list(imports_of("p.a", source, {"p", "p.a", "p.b"}))
    assert [(each.imported, each.kind) for each in seen] == ([("p.b", kind)] if kind else [])


@pytest.mark.parametrize(
    ("arrows", "lengths"),
    [
        (["ab", "bc"], []),
        (["ab", "ba"], [2]),
        (["ab", "bc", "ca", "cd"], [3]),
        (["ab", "ba", "cd", "dc", "ac"], [2, 2]),
        (["ab", "ba", "bc", "ca"], [2]),
        (["aa"], []),
    ],
)
def test_each_circle_is_found_once(arrows: list[str], lengths: list[int]) -> None:
    imports = [Import(arrow[0], arrow[1], "at the top", 1) for arrow in arrows]
    assert [len(circle) for circle in circles(imports)] == lengths


def test_every_folder_with_modules_is_a_package() -> None:
    """Tools that look for packages overlook a folder without `__init__.py`."""
    folders = {path.parent for path in modules().values()}
    assert [folder for folder in sorted(folders) if not (folder / "__init__.py").is_file()] == []


def test_few_files_lie_directly_in_the_core() -> None:
    entries = [
        path.name
        for path in PACKAGES["seqzoo"].iterdir()
        if not path.is_dir() and path.suffix != ".pyc"
    ]
    assert len(entries) <= MOST_ENTRIES, sorted(entries)


# Names that readers know as something else: everybody imports them, and a traceback or an editor's
# tab that says `random.py` should mean Python's.
EVERYBODYS = {
    "abc", "argparse", "array", "ast", "asyncio", "bisect", "calendar", "code", "codecs",
    "collections", "copy", "csv", "dataclasses", "datetime", "decimal", "email", "enum",
    "fractions", "functools", "glob", "gzip", "hashlib", "heapq", "html", "http", "inspect", "io",
    "itertools",
    "json", "keyword", "locale", "logging", "math", "multiprocessing", "numbers", "operator", "os",
    "pathlib", "pickle", "platform", "queue", "random", "re", "secrets", "select", "shutil",
    "signal", "site", "socket", "statistics", "string", "struct", "subprocess", "symbol", "sys",
    "tempfile", "test", "threading", "time", "token", "tokenize", "traceback", "types", "typing",
    "unittest", "uuid", "warnings", "weakref", "zipfile",
    "torch", "numpy", "nn", "optim", "cuda", "autograd", "jit", "distributed",
    "rich", "typer", "pydantic", "yaml", "pluggy", "pytest",
}  # fmt: skip

ACCEPTED = {
    "seqzoo.doctor.subjects.code": "the subject made of code, beside the one made of a recipe",
}


def test_no_module_is_named_like_one_that_everybody_imports() -> None:
    assert len(EVERYBODYS & sys.stdlib_module_names) > 60
    hiding = {name for name in modules() if name.rpartition(".")[2] in EVERYBODYS}
    assert hiding - set(ACCEPTED) == set()


def test_every_accepted_name_is_still_there() -> None:
    assert set(ACCEPTED) <= set(modules())
