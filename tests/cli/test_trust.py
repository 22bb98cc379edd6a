"""--trust and the question before a plugin file runs, in real processes."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from commands import SMALL, environment, seqzoo

PLUGIN = """\
import pathlib
import seqzoo
pathlib.Path({canary!r}).touch()

@seqzoo.hookimpl
def register_schedules():
    return [seqzoo.ScheduleSpec(name={name!r}, summary="mine", build=lambda o, c: None)]
"""
SHORT = SMALL.replace("budget: {steps: 60}", "budget: {steps: 4}") + "baselines: {include: []}\n"
COMMANDS = {
    "run": ("run", "theirs.yaml"),
    "doctor of a recipe": ("doctor", "theirs.yaml", "--quick"),
    "init": ("init", "theirs.yaml", "copy.yaml"),
    "new recipe": ("new", "recipe", "copy", "--from", "theirs.yaml"),
    "sweep": ("sweep", "grid.yaml"),
    "sweep that lists": ("sweep", "grid.yaml", "--dry-run"),
    "sweep whose grid names it": ("sweep", "naming.yaml"),
    "resume": ("resume", "theirs"),
    "eval": ("eval", "theirs"),
    "sample": ("sample", "theirs", "-n", "3"),
    "doctor of a run": ("doctor", "runs/theirs", "--quick"),
}
SHOWING = (
    ("leaderboard",),
    ("compare", "theirs"),
    ("runs",),
    ("runs", "show", "theirs"),
    ("runs", "note", "theirs", "good"),
    ("list",),
    ("list", "recipe"),
    ("check", "runs/theirs"),
    ("check", "theirs.yaml"),
)


def plant(folder: Path, name: str = "evil") -> Path:
    """A plugin file that leaves a canary beside it when it runs."""
    path = folder / f"{name}.py"
    path.write_text(PLUGIN.format(canary=str(path.with_suffix(".ran")), name=f"{name}_schedule"))
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished run, whose recipe names no plugin file."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "small.yaml").write_text(SHORT)
    done = seqzoo("run", "small.yaml", "--name", "theirs", folder=folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """A folder with a recipe, two grids and a run that name a plugin file."""
    folder = Path(shutil.copytree(made, tmp_path / "folder"))
    evil = plant(folder)
    (folder / "theirs.yaml").write_text(f"{SHORT}plugins: [evil.py]\n")
    seeds = "seeds: [1, 2]\n"
    (folder / "grid.yaml").write_text(f"name: grid\nrecipes: [theirs.yaml]\n{seeds}")
    (folder / "naming.yaml").write_text(
        f"name: naming\nrecipes: [small.yaml]\nset: {{plugins: [evil.py]}}\n{seeds}"
    )
    recipe = folder / "runs" / "theirs" / "recipe.yaml"
    recipe.write_text(recipe.read_text().replace("plugins: []", f"plugins: ['{evil}']"))
    return folder


def has_run(folder: Path) -> bool:
    found = list(folder.rglob("*.ran"))
    for path in found:
        path.unlink()
    return bool(found)


@pytest.mark.parametrize("command", COMMANDS)
def test_without_trust_no_command_runs_a_file_of_somebody_else(command: str, folder: Path) -> None:
    before = sorted(folder.rglob("*"))
    done = seqzoo(*COMMANDS[command], folder=folder)
    assert done.returncode == 2, done.stderr
    assert sorted(folder.rglob("*")) == before
    error = " ".join(done.stderr.partition("error: ")[2].split())
    assert done.stderr.count("error: ") == 1
    place, _, message = error.partition(f": {folder / 'evil.py'} is Python code that would run ")
    assert place.count(":") == 2, error
    assert message.startswith("with your rights, and you have not trusted it; read it, then run")
    again = message.partition("with --trust: ")[2]
    assert shlex.split(again) == ["seqzoo", *COMMANDS[command], "--trust"]


@pytest.mark.parametrize("command", SHOWING, ids=" ".join)
def test_commands_that_run_no_code_need_no_trust(command: tuple[str, ...], folder: Path) -> None:
    seqzoo(*command, folder=folder)
    assert not has_run(folder)


def test_trust_is_an_option_of_each_command_that_needs_it(tmp_path: Path) -> None:
    for words in {command[: 2 if command[0] == "new" else 1] for command in COMMANDS.values()}:
        assert "--trust" in seqzoo(*words, "--help", folder=tmp_path).stdout


def test_what_is_trusted_once_needs_no_option_again_until_it_changes(folder: Path) -> None:
    first = seqzoo("sample", "theirs", "-n", "3", "--trust", folder=folder)
    assert first.returncode == 0, first.stderr
    assert f"running the plugin file {folder / 'evil.py'}" in first.stderr
    for command in ("sample", "eval"):
        has_run(folder)
        again = seqzoo(command, "theirs", folder=folder)
        assert again.returncode == 0, again.stderr
        assert has_run(folder)
        assert "plugin file" not in again.stderr
    (folder / "evil.py").write_text((folder / "evil.py").read_text() + "\n")
    changed = seqzoo("eval", "theirs", folder=folder)
    assert changed.returncode == 2
    assert "changed since you trusted it" in changed.stderr
    assert not has_run(folder)


def test_the_command_to_paste_has_the_option_before_two_dashes(folder: Path) -> None:
    done = seqzoo("run", "--", "theirs.yaml", "sample.prompt=a b", folder=folder)
    again = done.stderr.partition("with --trust: ")[2]
    assert shlex.split(again) == ["seqzoo", "run", "--trust", "--", *done.args[5:]]
    assert seqzoo(*shlex.split(again)[1:], "--skip-scoring", folder=folder).returncode == 2
    words = shlex.split(again)[1:]
    assert seqzoo(words[0], "--skip-scoring", *words[1:], folder=folder).returncode == 0


def test_a_file_that_is_named_on_the_command_line_runs(folder: Path) -> None:
    done = seqzoo("run", "small.yaml", "plugins=[evil.py]", "--skip-scoring", folder=folder)
    assert done.returncode == 0, done.stderr
    assert has_run(folder)


def test_a_sweep_passes_its_trust_on_where_it_cannot_be_recorded(folder: Path) -> None:
    (folder / "state").write_text("a file, not a folder")
    state = str(folder / "state")
    done = seqzoo("sweep", "naming.yaml", "--trust", folder=folder, XDG_STATE_HOME=state)
    assert done.returncode == 0, done.stderr
    again = seqzoo("sweep", "naming.yaml", folder=folder, XDG_STATE_HOME=state)
    assert again.returncode == 2


def test_a_member_does_not_run_a_file_that_changed_after_the_sweep_began(folder: Path) -> None:
    """What the grid names is typed on the command line of a member, and was not by the user."""
    trusted = json.dumps({str(folder / "evil.py"): "0" * 64})
    command = ("run", "--trusted-files", trusted, "small.yaml", "plugins=[evil.py]")
    done = seqzoo(*command, folder=folder)
    assert done.returncode == 2
    assert "changed since you trusted it" in done.stderr
    assert done.stderr.rstrip().endswith("run the sweep again with --trust.")
    assert not has_run(folder)


def test_a_sweep_does_not_load_the_plugin_files_of_a_run_that_is_not_its_own(
    folder: Path,
) -> None:
    done = seqzoo("sweep", "grid.yaml", "--trust", folder=folder)
    assert done.returncode == 0, done.stderr
    has_run(folder)
    other = plant(folder, "other")
    recipe = next((folder / "runs" / "grid").glob("*/recipe.yaml"))
    recipe.write_text(recipe.read_text().replace("evil.py", str(other)))
    done = seqzoo("sweep", "grid.yaml", "--trust", folder=folder)
    assert done.returncode == 2
    assert "contains a run with other plugin files" in " ".join(done.stderr.split())
    assert not other.with_suffix(".ran").exists()


def typed(answer: bytes, *arguments: str, folder: Path) -> tuple[int, str]:
    """Run a command in a terminal and answer its question; the exit code and what is shown."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "seqzoo", *arguments],
        cwd=folder, env=environment(TERM="dumb"), stdin=theirs, stdout=theirs, stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    shown, is_answered, end = b"", False, time.monotonic() + 120
    while time.monotonic() < end:
        if not select.select([ours], [], [], 0.2)[0]:
            if process.poll() is not None:
                break
            continue
        try:
            part = os.read(ours, 65536)
        except OSError:  # the terminal's other side is closed
            break
        if not part:
            break
        shown += part
        if b"[y/N]" in shown and not is_answered:
            os.write(ours, answer)
            is_answered = True
    code = process.wait(timeout=60)
    os.close(ours)
    return code, shown.decode("utf-8", "replace").replace("\r\n", "\n")


@pytest.mark.parametrize("answer", [b"n\n", b"\n", b"\x04"], ids=["no", "nothing", "Ctrl-D"])
def test_in_a_terminal_any_answer_but_yes_ends_the_command(answer: bytes, folder: Path) -> None:
    code, shown = typed(answer, "sample", "theirs", "-n", "3", folder=folder)
    assert code == 2, shown
    assert shown.count("[y/N]") == 1
    assert f"\n  {folder / 'evil.py'}\n" in shown
    assert "error: " in shown
    assert not has_run(folder)


def test_in_a_terminal_yes_is_asked_once_and_kept(folder: Path) -> None:
    code, shown = typed(b"y\n", "sweep", "grid.yaml", folder=folder)
    assert code == 0, shown
    assert shown.count("[y/N]") == 1
    code, shown = typed(b"n\n", "sample", "theirs", "-n", "3", folder=folder)
    assert code == 0, shown
    assert "[y/N]" not in shown


def test_a_name_of_a_file_cannot_hide_the_question(folder: Path) -> None:
    name = "x\x1b[2J\x1b]0;owned\x07.py"
    (folder / name).write_text("")
    (folder / "theirs.yaml").write_text(f"{SHORT}plugins: [{json.dumps(name)}]\n")
    code, shown = typed(b"n\n", "run", "theirs.yaml", folder=folder)
    assert code == 2
    assert "[y/N]" in shown
    assert "\x1b]0" not in shown
    assert "\x1b[2J" not in shown


ADDED = """\
baselines:
  include: []
  add:
    - name: external
      options: {compress: [touch, CANARY, "{input}"]}
"""


@pytest.fixture
def adding(made: Path, tmp_path: Path) -> Path:
    """A folder with a recipe, a grid and a run whose recipes add a command."""
    folder = Path(shutil.copytree(made, tmp_path / "adding"))
    added = ADDED.replace("CANARY", str(folder / "command.ran"))
    (folder / "theirs.yaml").write_text(SHORT.replace("baselines: {include: []}\n", added))
    (folder / "grid.yaml").write_text("name: grid\nrecipes: [theirs.yaml]\nseeds: [1, 2]\n")
    recipe = folder / "runs" / "theirs" / "recipe.yaml"
    text = recipe.read_text()
    assert "\nbaselines:" in text
    stored = re.sub(r"\nbaselines:\n(  .*\n)+", "\n" + added, text)
    assert "CANARY" not in stored
    assert "touch" in stored
    recipe.write_text(stored)
    return folder


@pytest.mark.parametrize("command", ["run", "sweep", "init", "eval", "sample"])
def test_without_trust_no_command_line_of_somebody_else_is_used(command: str, adding: Path) -> None:
    before = sorted(adding.rglob("*"))
    done = seqzoo(*COMMANDS[command], folder=adding)
    assert done.returncode == 2, done.stderr
    assert sorted(adding.rglob("*")) == before
    error = " ".join(done.stderr.partition("error: ")[2].split())
    assert f": touch {adding / 'command.ran'} '{{input}}' is a command that would run" in error
    again = error.partition("with --trust: ")[2]
    assert shlex.split(again) == ["seqzoo", *COMMANDS[command], "--trust"]


def test_commands_that_show_use_no_command_line(adding: Path) -> None:
    for command in (("compare", "theirs"), ("runs", "show", "theirs"), ("check", "theirs.yaml")):
        seqzoo(*command, folder=adding)
    assert not has_run(adding)


@pytest.mark.slow
def test_a_sweep_trusts_a_command_for_its_members(adding: Path) -> None:
    (adding / "state").write_text("a file, so that nothing can be recorded")
    done = seqzoo(
        "sweep", "grid.yaml", "--trust", folder=adding, XDG_STATE_HOME=str(adding / "state")
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("may run, and is trusted from now on") == 1
    assert has_run(adding)


@pytest.mark.parametrize("asked", ["none", "fast", "all"])
def test_what_the_recipe_adds_is_scored_unless_none_is_asked_for(asked: str, adding: Path) -> None:
    """A recipe's command that is not used needs no trust."""
    trust = [] if asked == "none" else ["--trust"]
    done = seqzoo("run", "theirs.yaml", "--baselines", asked, *trust, folder=adding)
    assert done.returncode == 0, done.stderr
    assert has_run(adding) == (asked != "none")
    # It compresses nothing, which is one sentence, and the run continues.
    said = "warning: baseline 'external' has no score: 'touch' wrote nothing to its output."
    assert done.stderr.count(said) == (asked != "none")


def test_in_a_terminal_a_command_is_shown_before_the_question(adding: Path) -> None:
    code, shown = typed(b"n\n", "run", "theirs.yaml", folder=adding)
    assert code == 2, shown
    before, question, _ = " ".join(shown.split()).partition(" Read them first.")
    assert question
    assert before.endswith(f"with your rights: touch {adding / 'command.ran'} '{{input}}'")
    assert shown.count("[y/N]") == 1
    assert not has_run(adding)
