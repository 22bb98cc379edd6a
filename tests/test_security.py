"""No code of ours runs what it reads, and no process of ours imports from a stranger's folder."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from commands import REPOSITORY, SMALL, environment

from seqzoo.interpreter import python

FORBIDDEN = {
    "builtins.eval": "runs a text",
    "builtins.exec": "runs a text",
    "builtins.compile": "makes code of a text",
    "code.interact": "runs what is typed",
    "importlib.util.spec_from_file_location": "runs a file; seqzoo/plugin/discovery.py does that",
    "imp.load_source": "runs a file",
    "runpy.run_path": "runs a file",
    "marshal.load": "reads code",
    "marshal.loads": "reads code",
    "os.system": "starts a shell",
    "os.popen": "starts a shell",
    "subprocess.getoutput": "starts a shell",
    "subprocess.getstatusoutput": "starts a shell",
    "asyncio.create_subprocess_shell": "starts a shell",
    "shelve.open": "unpickles",
    "yaml.unsafe_load": "makes any object",
    "yaml.unsafe_load_all": "makes any object",
    "yaml.full_load": "makes objects",
    "yaml.full_load_all": "makes objects",
    "pandas.read_pickle": "unpickles",
    "torch.jit.load": "unpickles",
    "torch.package.PackageImporter": "unpickles",
    "torch.hub.load": "runs code of a stranger",
}
MODULES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
SAFE_LOADERS = {"yaml.SafeLoader", "yaml.CSafeLoader", "yaml.BaseLoader"}
SHELLS = {f"subprocess.{name}" for name in ("run", "Popen", "call", "check_call", "check_output")}


def found_in(source: str) -> list[str]:
    """What a source calls or imports that could run what it reads, as `line: what`."""
    tree = ast.parse(source)
    names = _imported(tree)
    return [f"{line}: {what}" for line, what in sorted(_faults(tree, names))]


def _imported(tree: ast.AST) -> dict[str, str]:
    """The full name of each name that an import, or a plain assignment of one, gives."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.partition(".")[0]
                names[alias.asname or top] = alias.name if alias.asname else top
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and (full := _full_name(node.value, names)):
            for target in node.targets:
                if isinstance(target, ast.Name) and (full in FORBIDDEN or _is_loader(full)):
                    names[target.id] = full
    return names


def _full_name(node: ast.AST, names: dict[str, str]) -> str:
    """`np.load` as `numpy.load`; "" for what is no name."""
    if isinstance(node, ast.Name):
        return names.get(node.id, f"builtins.{node.id}")
    if isinstance(node, ast.Attribute) and (owner := _full_name(node.value, names)):
        return f"{owner}.{node.attr}"
    is_getattr = isinstance(node, ast.Call) and _full_name(node.func, names) == "builtins.getattr"
    if is_getattr and isinstance(node, ast.Call) and len(node.args) > 1:
        owner, name = _full_name(node.args[0], names), node.args[1]
        if owner and isinstance(name, ast.Constant) and isinstance(name.value, str):
            return f"{owner}.{name.value}"
    return ""


def _is_loader(full: str) -> bool:
    return full in {"torch.load", "torch.serialization.load", "numpy.load", "yaml.load", *SHELLS}


def _faults(tree: ast.AST, names: dict[str, str]) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            modules = [alias.name for alias in node.names]
            if isinstance(node, ast.ImportFrom):
                modules = [node.module or "", *(f"{node.module}.{each}" for each in modules)]
            for module in modules:
                if module.partition(".")[0] in MODULES:
                    yield node.lineno, f"imports {module}"
        elif isinstance(node, (ast.Name, ast.Attribute)) and isinstance(node.ctx, ast.Load):
            full = _full_name(node, names)
            if full in FORBIDDEN:
                yield node.lineno, f"{full} {FORBIDDEN[full]}"
        elif isinstance(node, ast.Call):
            yield from ((node.lineno, what) for what in _faults_of_call(node, names))


def _faults_of_call(call: ast.Call, names: dict[str, str]) -> Iterator[str]:
    full = _full_name(call.func, names)
    given = {each.arg: each.value for each in call.keywords}
    first = call.args[1] if len(call.args) > 1 else None
    if full in FORBIDDEN and isinstance(call.func, ast.Call):
        yield f"{full} {FORBIDDEN[full]}"
    if full in ("torch.load", "torch.serialization.load") and not _is(
        given.get("weights_only"), True
    ):
        yield "torch.load without weights_only=True unpickles"
    if full in ("numpy.load", "numpy.lib.npyio.load") and "allow_pickle" in given:
        if not _is(given["allow_pickle"], False):
            yield "numpy.load with allow_pickle unpickles"
    elif full in ("numpy.load", "numpy.lib.npyio.load") and (len(call.args) > 2 or None in given):
        yield "numpy.load with allow_pickle unpickles"
    if full in ("yaml.load", "yaml.load_all"):
        loader = given.get("Loader", first)
        if loader is None or _full_name(loader, names) not in SAFE_LOADERS:
            yield f"{full} without a safe loader makes any object"
    if full in SHELLS and not _is(given.get("shell"), False) and ({"shell", None} & set(given)):
        yield f"{full} with a shell"


def _is(node: ast.AST | None, value: bool) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


FILES = [
    path.relative_to(REPOSITORY)
    for top in ("seqzoo", "plugins")
    for path in sorted((REPOSITORY / top).rglob("*.py"))
]


# Copied to exported folders, where it loads the files beside it, as an import would; seqzoo never
# runs it in a folder that somebody else has made.
LOADER = Path("seqzoo/export/standalone/seqzoo_model.py")


@pytest.mark.parametrize("path", FILES, ids=str)
def test_a_file_of_ours_runs_nothing_that_it_reads(path: Path) -> None:
    found = found_in((REPOSITORY / path).read_text(encoding="utf-8"))
    if path == LOADER:
        (only,) = found
        assert "spec_from_file_location" in only
        return
    assert found == []


PLANTED = [
    "import pickle",
    "import pickle as data",
    "from pickle import loads",
    "from _pickle import Unpickler",
    "import joblib",
    "eval('1')",
    "exec(text)",
    "compile(text, 'x', 'exec')",
    "import builtins; builtins.exec(text)",
    "run = eval; run(text)",
    "getattr(__builtins__, 'x'); import os; getattr(os, 'system')('ls')",
    "list(map(eval, texts))",
    "import os; os.system('ls')",
    "from os import system as start; start('ls')",
    "from os import popen; popen('ls')",
    "import subprocess; subprocess.run('ls', shell=True)",
    "import subprocess as s; s.Popen('ls', shell=wanted)",
    "from subprocess import check_output; check_output('ls', **options)",
    "import torch; torch.load(path)",
    "from torch import load; load(path)",
    "from torch import load as read; read(path, weights_only=False)",
    "import torch; read = torch.load; read(path)",
    "import torch; torch.load(path, weights_only=strict)",
    "import torch.serialization; torch.serialization.load(path)",
    "import torch; torch.jit.load(path)",
    "import numpy as np; np.load(path, allow_pickle=True)",
    "from numpy import load; load(path, None, True)",
    "import numpy; numpy.load(path, **options)",
    "import yaml; yaml.load(text)",
    "import yaml; yaml.load(text, Loader=yaml.Loader)",
    "import yaml; yaml.load(text, yaml.UnsafeLoader)",
    "from yaml import load, FullLoader; load(text, FullLoader)",
    "from yaml import unsafe_load as load; load(text)",
    "import runpy; runpy.run_path(path)",
    "from importlib.util import spec_from_file_location; spec_from_file_location('x', path)",
    "import marshal; marshal.loads(data)",
]
HARMLESS = [
    "import re; re.compile('a')",
    "model.eval(); model.compile()",
    "import torch; torch.compile(model); torch.load(path, weights_only=True)",
    "from torch import load; load(path, weights_only=True)",
    "import numpy as np; np.load(path); np.load(path, allow_pickle=False)",
    "import yaml; yaml.safe_load(text); yaml.load(text, Loader=yaml.SafeLoader)",
    "from yaml import load, SafeLoader; load(text, SafeLoader)",
    "import subprocess; subprocess.run(['ls'], check=True)",
    "import subprocess; subprocess.Popen(['ls'], shell=False)",
    "import json; json.load(file); json.loads(text)",
    "from seqzoo.training.checkpoint import load; load(folder, 3)",
]


@pytest.mark.parametrize("source", PLANTED)
def test_a_planted_fault_is_found(source: str) -> None:
    assert found_in(source)
    assert found_in(f"def function():\n    {source.replace('; ', chr(10) + '    ')}\n")


@pytest.mark.parametrize("source", HARMLESS)
def test_harmless_code_is_not_reported(source: str) -> None:
    assert found_in(source) == []


# Modules in the working directory

SHADOWED = ("json", "contextlib", "typer", "rich", "torch", "safetensors", "wandb", "numpy")


@pytest.fixture
def strange(tmp_path: Path) -> Path:
    """A folder of somebody else, with modules that have the names of others."""
    for name in SHADOWED:
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'canary')!r}, 'w')\n1 / 0\n")
    (tmp_path / "small.yaml").write_text(
        SMALL.replace("budget: {steps: 60}", "budget: {steps: 2}") + "baselines: {include: []}\n"
    )
    (tmp_path / "grid.yaml").write_text("name: g\nrecipes: [small.yaml]\nseeds: [1]\n")
    return tmp_path


@pytest.mark.parametrize(
    "command",
    ["list", "run small.yaml --tracker csv", "sweep grid.yaml", "check bytes"],
)
def test_no_module_of_the_working_directory_is_imported(command: str, strange: Path) -> None:
    # As the installed program starts, without the working directory among the places of modules.
    done = subprocess.run(
        [sys.executable, "-P", "-m", "seqzoo", *command.split()],
        cwd=strange, env=environment(), capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert not (strange / "canary").exists(), done.stderr
    assert done.returncode in (0, 6), done.stderr


def test_a_process_that_finds_modules_here_starts_others_that_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it was started as `python -m seqzoo`, in a folder with modules of the user."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["/usr/lib"])
    assert python()[1:] == ["-P"]
    for here in ("", ".", str(tmp_path)):
        monkeypatch.setattr(sys, "path", ["/usr/lib", here])
        assert python()[1:] == []
