"""Which plugin files may run, and the record of what the user trusts."""

from __future__ import annotations

import inspect
import json
import os
import shutil
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import seqzoo
from seqzoo.errors import PluginError
from seqzoo.plugin.registry import Registry, load_registry
from seqzoo.plugin.trust import (
    PluginFile,
    Trust,
    Unknown,
    UntrustedError,
    allow,
    record_path,
    refuse,
)
from seqzoo.recipes.load import load_recipe

PLUGIN = """\
import pathlib
import seqzoo
pathlib.Path({canary!r}).touch()

@seqzoo.hookimpl
def register_schedules():
    return [seqzoo.ScheduleSpec(name="mine", summary="{summary}", build=lambda o, c: None)]
"""
RECIPE = {
    "name": "small",
    "corpus": {"name": "pastiche", "options": {"size_bytes": 30000}},
    "tokenizer": {"name": "bytes"},
    "architecture": {"name": "lstm", "options": {"hidden_size": 8}},
    "train": {"batch_size": 4, "bptt_length": 8, "budget": {"steps": 2}},
    "sample": {"length": 4},
    "baselines": {"include": []},
    "runtime": {"threads": 1, "device": "cpu"},
}


class Folder:
    """A recipe that names a plugin file, which leaves a canary where it runs."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.plugin, self.recipe, self.canary = path / "p.py", path / "r.yaml", path / "canary"
        self.write()
        self.name("./p.py")

    def write(self, summary: str = "first") -> None:
        self.plugin.write_text(PLUGIN.format(canary=str(self.canary), summary=summary))

    def name(self, *files: object) -> None:
        data = {**RECIPE, "plugins": [str(file) for file in files]}
        self.recipe.write_text(json.dumps(data))

    def has_run(self) -> bool:
        found = self.canary.exists()
        self.canary.unlink(missing_ok=True)
        return found


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def recorded() -> dict[str, str]:
    path = record_path()
    assert path is not None
    return dict(json.loads(path.read_text())["files"]) if path.exists() else {}


def by_absolute(folder: Folder) -> object:
    return folder.plugin


def by_link(folder: Folder) -> object:
    link = folder.path / "innocent.py"
    link.symlink_to(folder.plugin)
    return link.name


def by_parent(folder: Folder) -> object:
    return f"../{folder.path.name}/p.py"


@pytest.mark.parametrize("name", [by_absolute, by_link, by_parent])
def test_a_file_of_a_recipe_does_not_run_unless_the_user_trusts_it(
    folder: Folder, name: Callable[[Folder], object]
) -> None:
    folder.name(name(folder))
    with pytest.raises(UntrustedError) as caught:
        seqzoo.recipe(folder.recipe)
    assert not folder.has_run()
    assert not recorded()
    (problem,) = caught.value.problems
    assert problem.source == str(folder.recipe)
    assert problem.line == 1
    assert str(folder.plugin.resolve()) in problem.message
    assert problem.message.endswith("pass trust=True.")
    assert caught.value.exit_code == 2
    seqzoo.recipe(folder.recipe, trust=True)
    assert folder.has_run()
    seqzoo.recipe(folder.recipe)  # it is recorded
    assert folder.has_run()
    assert list(recorded()) == [str(folder.plugin.resolve())]


def test_all_files_are_named_and_none_runs_if_one_is_not_trusted(folder: Folder) -> None:
    seqzoo.recipe(folder.recipe, trust=True)
    assert folder.has_run()
    others = [folder.path / f"other_{number}.py" for number in range(2)]
    for path in others:
        path.write_text("")
    folder.name("p.py", *others)
    with pytest.raises(UntrustedError) as caught:
        seqzoo.recipe(folder.recipe)
    assert not folder.has_run()
    assert [each.code.key for each in caught.value.unknown] == [str(path) for path in others]
    assert all(str(path) in str(caught.value) for path in others)
    assert str(folder.plugin) not in str(caught.value)


def test_a_file_that_has_changed_since_is_not_trusted(folder: Folder) -> None:
    seqzoo.recipe(folder.recipe, trust=True)
    times = folder.plugin.stat()
    folder.write(summary="other")  # as long as before
    os.utime(folder.plugin, ns=(times.st_atime_ns, times.st_mtime_ns))
    folder.has_run()
    with pytest.raises(UntrustedError, match="changed since you trusted it"):
        seqzoo.recipe(folder.recipe)
    assert not folder.has_run()


def test_the_same_content_in_another_place_is_not_trusted(folder: Folder, tmp_path: Path) -> None:
    """It could use other files beside it."""
    seqzoo.recipe(folder.recipe, trust=True)
    folder.has_run()
    (tmp_path / "copy").mkdir()
    for file in (folder.recipe, folder.plugin):
        shutil.copy(file, tmp_path / "copy")
    with pytest.raises(UntrustedError):
        seqzoo.recipe(tmp_path / "copy" / "r.yaml")
    assert not folder.has_run()


def test_what_the_user_names_in_a_call_runs_and_is_recorded(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.path)
    seqzoo.recipe({**RECIPE, "plugins": ["p.py"]})
    assert folder.has_run()
    folder.write(summary="other")
    folder.name()
    seqzoo.recipe(folder.recipe, ["plugins=[p.py]"])
    assert folder.has_run()
    seqzoo.recipe(folder.recipe, {"plugins": [str(folder.plugin)]})
    assert list(recorded()) == [str(folder.plugin.resolve())]


def test_a_recipe_that_was_made_earlier_does_not_trust_a_file_that_changed_since(
    folder: Folder,
) -> None:
    seqzoo.recipe(folder.recipe, trust=True)
    made = seqzoo.recipe(folder.recipe)
    assert seqzoo.recipe(made, {"train.batch_size": 2}).train.batch_size == 2
    folder.write(summary="other")
    folder.has_run()
    with pytest.raises(UntrustedError, match="changed since"):
        seqzoo.recipe(made, {"train.batch_size": 2})
    assert not folder.has_run()
    seqzoo.recipe(made, {"plugins": [str(folder.plugin)]})
    assert folder.has_run()


def test_a_name_of_a_file_cannot_look_like_two(folder: Folder) -> None:
    name = "a.py and b\nerror: c.py"
    (folder.path / name).write_text("")
    folder.name(name)
    with pytest.raises(UntrustedError) as caught:
        seqzoo.recipe(folder.recipe)
    assert "\n" not in str(caught.value)
    assert "a.py and b\\012error: c.py' is Python code" in str(caught.value)


def test_naming_one_file_does_not_trust_another(folder: Folder) -> None:
    folder.name("p.py", "absent.py")
    named = folder.path / "named.py"
    named.write_text("")
    with pytest.raises(UntrustedError, match=r"/p[.]py"):
        seqzoo.recipe(folder.recipe, {"plugins.1": str(named)})
    assert not folder.has_run()


def test_what_was_read_runs_and_not_what_is_on_disk_later(folder: Folder) -> None:
    file = PluginFile.read(folder.plugin)
    folder.write(summary="swapped")
    registry = Registry()
    registry.add_file(folder.plugin, file)
    assert registry.get("schedule", "mine").summary == "first"


def test_compiled_code_beside_a_file_is_not_used(folder: Folder, tmp_path: Path) -> None:
    import py_compile

    evil = tmp_path / "evil.py"
    evil.write_text(PLUGIN.format(canary=str(tmp_path / "compiled"), summary="x" * 1000))
    compiled = Path(sys.modules["importlib.util"].cache_from_source(str(folder.plugin)))
    py_compile.compile(
        str(evil), str(compiled), invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH
    )
    Registry().add_file(folder.plugin)
    assert folder.has_run()
    assert not (tmp_path / "compiled").exists()
    sourceless = tmp_path / "sourceless.pyc"
    shutil.copy(compiled, sourceless)
    with pytest.raises(PluginError, match="no such Python file"):
        Registry().add_file(sourceless)


def test_tracebacks_and_inspect_show_the_source_of_a_plugin_file(tmp_path: Path) -> None:
    path = tmp_path / "shown.py"
    path.write_text(
        "import seqzoo\n\n\ndef fails(options, context):\n    raise RuntimeError('here')\n\n\n"
        "@seqzoo.hookimpl\ndef register_schedules():\n"
        "    return [seqzoo.ScheduleSpec(name='shown', summary='s', build=fails)]\n"
    )
    registry = Registry()
    registry.add_file(path)
    build: Any = registry.get("schedule", "shown").build
    assert inspect.getsource(build).endswith("raise RuntimeError('here')\n")
    with pytest.raises(RuntimeError) as caught:
        build(None, None)
    (*_, last) = traceback.format_tb(caught.value.__traceback__)
    assert f'{path}", line 5' in last
    assert "raise RuntimeError('here')" in last


@pytest.mark.parametrize("content", [b"\0", b"\xff", b"def", b"# coding: none\n", b"x = '\xff'\n"])
def test_what_is_no_source_is_reported_with_its_file(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "binary.py"
    path.write_bytes(content)
    with pytest.raises(PluginError, match=r"syntax error in /.*/binary\.py, line 1: "):
        Registry().add_file(path)


def test_what_is_no_file_is_refused_and_waited_for_by_nobody(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.py")
    (tmp_path / "folder.py").mkdir()
    (tmp_path / "loop.py").symlink_to("loop.py")
    (tmp_path / "device.py").symlink_to("/dev/zero")
    with (tmp_path / "large.py").open("wb") as file:
        file.truncate(1 << 31)
    for name in ("pipe", "folder", "loop", "device", "large", "absent", "x" * 300):
        with pytest.raises(PluginError, match="no such Python file"):
            Registry().add_file(tmp_path / f"{name}.py")


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"[]", b'{"files": []}', b'{"files": {"a": 1}}', b"[" * 200_000, b"\xff"]
)
def test_a_damaged_record_trusts_nothing_and_is_replaced(folder: Folder, damage: bytes) -> None:
    seqzoo.recipe(folder.recipe, trust=True)
    path = record_path()
    assert path is not None
    path.write_bytes(damage)
    folder.has_run()
    with pytest.raises(UntrustedError, match="is damaged and is not used"):
        seqzoo.recipe(folder.recipe)
    assert not folder.has_run()
    seqzoo.recipe(folder.recipe, trust=True)
    assert list(recorded()) == [str(folder.plugin.resolve())]


def test_where_the_record_cannot_be_written_a_file_is_trusted_for_the_process(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder.path / "state").write_text("a file, not a folder")
    monkeypatch.setenv("XDG_STATE_HOME", str(folder.path / "state"))
    run = seqzoo.run(folder.recipe, root=folder.path / "runs", trust=True)
    assert folder.has_run()
    assert run.score(b"abc").bits_per_byte > 0  # it reads the recipe of the run
    with pytest.raises(UntrustedError):
        seqzoo.open_run(run.path).recipe  # noqa: B018 (it is loaded when it is used)


def test_the_record_is_never_in_a_folder_of_somebody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    expected = tmp_path / "home" / ".local" / "state" / "seqzoo" / "trusted.json"
    for relative in ("", ".", "state", "~/state"):
        monkeypatch.setenv("XDG_STATE_HOME", relative)
        assert record_path() == expected


def test_two_records_at_a_time_leave_one_that_can_be_read(folder: Folder) -> None:
    """Each is written as a whole; at worst, one of the files is asked for again."""
    import threading

    trust = Trust(allow)
    files = [PluginFile(folder.path / f"{n}.py", b"") for n in range(20)]
    threads = [threading.Thread(target=trust.accept, args=([file],)) for file in files]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert recorded().keys() <= {str(file.path) for file in files}
    assert not trust.unknown(files)


def test_the_question_names_files_once_and_its_answer_holds(folder: Folder) -> None:
    asked: list[list[str]] = []

    def answer(unknown: Sequence[Unknown]) -> bool:
        asked.append([str(each) for each in unknown])
        return len(asked) > 1

    registry = load_registry().trusting(Trust(answer))
    folder.name("p.py", folder.plugin)
    with pytest.raises(UntrustedError):
        load_recipe(folder.recipe, registry)
    assert not folder.has_run()
    load_recipe(folder.recipe, registry)
    load_recipe(folder.recipe, registry)
    assert asked == [[str(folder.plugin)]] * 2


def test_settings_of_a_file_do_not_count_as_typed(folder: Folder) -> None:
    """Those of a sweep's grid file, which somebody else may have written."""
    folder.name()
    registry = load_registry().trusting(replace(Trust(refuse), is_named=False))
    with pytest.raises(UntrustedError):
        load_recipe(folder.recipe, registry, overrides=[f"plugins=[{folder.plugin}]"])
    assert not folder.has_run()


# Runs of others


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return seqzoo.run(RECIPE, root=tmp_path_factory.mktemp("runs")).path


@pytest.fixture
def theirs(healthy: Path, tmp_path: Path) -> Path:
    """A copy of a run, as somebody might send it."""
    return Path(shutil.copytree(healthy, tmp_path / "theirs"))


def in_its_folder(run: Path, plugin: Path) -> str:
    shutil.copy(plugin, run / "inside.py")
    origin = json.loads((run / "origin.json").read_text())
    (run / "origin.json").write_text(json.dumps({**origin, "base": str(run)}))
    return "inside.py"


def by_base(run: Path, plugin: Path) -> str:
    (base := plugin.parent / "base").mkdir()
    origin = json.loads((run / "origin.json").read_text())
    (run / "origin.json").write_text(json.dumps({**origin, "base": str(base)}))
    return "../p.py"


USES: dict[str, Callable[[Path], Any]] = {
    "score": lambda run: seqzoo.open_run(run).score(b"abc"),
    "recipe": lambda run: seqzoo.open_run(run).recipe,
    "generate": lambda run: list(seqzoo.open_run(run).generate("a", length=2)),
    "at": lambda run: seqzoo.open_run(run).at(step=2).model,
    "resume": seqzoo.resume,
    "resume longer": lambda run: seqzoo.resume(run, {"train.budget.steps": 4}),
    "start from": lambda run: seqzoo.run(
        RECIPE, {"train.start_from": str(run)}, root=run.parent / "new"
    ),
}


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("name", [lambda run, plugin: str(plugin), in_its_folder, by_base])
def test_a_run_of_somebody_else_runs_no_code(
    use: str, name: Callable[[Path, Path], str], theirs: Path, folder: Folder
) -> None:
    text = (theirs / "recipe.yaml").read_text()
    assert "plugins: []" in text
    given = name(theirs, folder.plugin)
    (theirs / "recipe.yaml").write_text(text.replace("plugins: []", f"plugins: ['{given}']"))
    with pytest.raises(seqzoo.UsageError, match="trust=True"):
        USES[use](theirs)
    assert not folder.has_run()


def test_commands_that_show_runs_run_no_code(theirs: Path, folder: Folder) -> None:
    text = (theirs / "recipe.yaml").read_text()
    (theirs / "recipe.yaml").write_text(
        text.replace("plugins: []", f"plugins: ['{folder.plugin}']")
    )
    assert seqzoo.leaderboard(theirs.parent)
    assert seqzoo.open_run(theirs).result is not None
    assert len(seqzoo.open_run(theirs).metrics()["step"]) > 0
    assert not folder.has_run()


def test_a_run_that_the_user_started_opens_without_a_question(folder: Folder) -> None:
    first = seqzoo.run({**RECIPE, "plugins": [str(folder.plugin)]}, root=folder.path / "runs")
    began = time.time_ns()
    os.utime(folder.plugin, ns=(began, began))  # only the content counts
    assert seqzoo.open_run(first.path).score(b"abc").bits_per_byte > 0
    assert seqzoo.resume(first.path, {"train.budget.steps": 3}).step == 3
