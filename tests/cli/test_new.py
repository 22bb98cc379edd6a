"""seqzoo new: what it writes, what it says, and what it refuses."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from commands import seqzoo

from seqzoo.plugin.declarations import PLUGIN_KINDS


def test_the_commands_at_the_end_can_be_pasted(tmp_path: Path) -> None:
    folder = tmp_path / "a folder"
    folder.mkdir()
    said = seqzoo(
        "new", "plugin", "mine", "--kind", "sampler", "--folder", str(folder), folder=tmp_path
    )
    assert said.returncode == 0, said.stderr
    assert said.stdout == ""
    install, test, use = said.stderr.splitlines()[-3:]
    assert shlex.split(install)[:2] == ["cd", str(folder / "seqzoo-mine")]
    assert shlex.split(install)[2:] == ["&&", "pip", "install", "-e", ".[dev]"]
    assert test.strip() == "pytest"
    assert (folder / "seqzoo-mine" / use.split()[-1]).is_file()
    named = {line.strip() for line in said.stderr.splitlines() if line.startswith("  ")}
    there = {
        path.relative_to(folder / "seqzoo-mine").as_posix()
        for path in folder.rglob("*")
        if path.is_file()
    }
    assert there <= named


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("mine", "the kind of plugin is missing, expected architecture,"),
        ("mine --kind architectur", "Did you mean 'architecture'?"),
        ("mine --kind model", "--kind is 'model', which is not a kind of plugin."),
        ("Mine --kind sampler", "try mine."),
        ("lstm --kind sampler", "because plugin 'lstm' (seqzoo"),
        ("top_k --kind sampler", "because sampler 'top_k' of plugin 'samplers' (seqzoo"),
        ("mine --kind sampler --folder absent", "there is no folder absent; make it first."),
        ("", "seqzoo new plugin needs NAME, and it is missing."),
    ],
)
def test_a_wrong_command_line_is_one_sentence_and_writes_nothing(
    arguments: str, said: str, tmp_path: Path
) -> None:
    done = seqzoo("new", "plugin", *arguments.split(), folder=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("error: ")
    assert list(tmp_path.iterdir()) == []


def test_a_word_that_is_no_command_of_new_is_one_sentence(tmp_path: Path) -> None:
    done = seqzoo("new", "plugins", "mine", folder=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("error: there is no command 'plugins'. Did you mean 'plugin'?")
    shown, helped = seqzoo("new", folder=tmp_path), seqzoo("new", "-h", folder=tmp_path)
    assert (shown.stdout + shown.stderr).split() == helped.stdout.split()


def test_a_kind_may_be_written_as_lists_write_it(tmp_path: Path) -> None:
    done = seqzoo("new", "plugin", "mine", "--kind", "Samplers", folder=tmp_path)
    assert done.returncode == 0, done.stderr


def test_the_help_names_every_kind() -> None:
    shown = " ".join(seqzoo("new", "plugin", "--help", folder=Path.cwd()).stdout.split())
    shown = re.sub(r" *[│|] *", " ", shown)
    assert [kind for kind in PLUGIN_KINDS if kind not in shown] == []


def test_a_new_recipe_is_what_init_writes(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("To be, or not to be, that is the question.\n" * 400)
    for number, (typed, same) in enumerate(
        [
            ("mine", "quick mine.yaml"),
            ("mine.yaml --from shakespeare_gru", "shakespeare_gru mine.yaml"),
            ("mine --text ../notes.txt", "quick mine.yaml --text ../notes.txt"),
            ("", ""),
        ]
    ):
        here, there = tmp_path / f"here{number}", tmp_path / f"there{number}"
        here.mkdir()
        there.mkdir()
        new = seqzoo("new", "recipe", *typed.split(), folder=here)
        init = seqzoo("init", *same.split(), folder=there)
        assert (new.returncode, new.stderr) == (init.returncode, init.stderr) == (0, init.stderr)
        (written,), (expected,) = here.iterdir(), there.iterdir()
        assert written.name == expected.name
        assert written.read_text() == expected.read_text()
