"""A command says what it does before it imports what takes seconds."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import SMALL, seqzoo

_STUB = """\
import os, sys
sys.stderr.flush()
os.write(2, b"IMPORTS TORCH\\n")
os._exit(70)
"""


@pytest.fixture
def without_torch(tmp_path: Path) -> str:
    """A PYTHONPATH with which the first import of torch ends the process and says so."""
    (tmp_path / "stub" / "torch").mkdir(parents=True)
    (tmp_path / "stub" / "torch" / "__init__.py").write_text(_STUB)
    return str(tmp_path / "stub")


def test_a_run_says_what_it_trains_before_torch_is_imported(
    tmp_path: Path, without_torch: str
) -> None:
    (tmp_path / "small.yaml").write_text(SMALL)
    done = seqzoo("run", "small.yaml", folder=tmp_path, PYTHONPATH=without_torch)
    before, imported, _ = done.stderr.partition("IMPORTS TORCH")
    assert imported
    assert done.returncode == 70
    first, *others = before.splitlines()
    assert first.endswith("reading the recipe small.yaml")
    assert any("lstm on pastiche; loading torch" in line for line in others)


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "nothing_like_this"),
        ("run", "small.yaml", "corpus=nothing"),
        ("run", "small.yaml", "corpus.name=file", "corpus.options.path=nothing.txt"),
        ("run", "small.yaml", "--text", "nothing.txt"),
        ("run", "small.yaml", "--name", "taken"),
        ("run", "small.yaml", "train.start_from=nothing"),
        ("sample", "nothing"),
        ("resume", "nothing"),
        ("eval", "nothing"),
        ("runs",),
        ("list",),
        ("show", "lstm"),
        ("leaderboard",),
        ("version",),
        ("--help",),
    ],
)
def test_what_needs_no_torch_is_answered_without_it(
    tmp_path: Path, without_torch: str, arguments: tuple[str, ...]
) -> None:
    (tmp_path / "small.yaml").write_text(SMALL)
    (tmp_path / "runs" / "taken").mkdir(parents=True)
    done = seqzoo(*arguments, folder=tmp_path, PYTHONPATH=without_torch)
    assert "IMPORTS TORCH" not in done.stderr, done.stderr
    wrong = arguments[0] in ("run", "sample", "resume", "eval")
    assert done.returncode == (2 if wrong else 0), done.stderr
