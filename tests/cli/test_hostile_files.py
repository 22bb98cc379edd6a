"""Files of a run that a stranger chose: no command waits for them, reads without end or crashes."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import FrameType

import pytest
from made_runs import make_run

from seqzoo.cli import app
from seqzoo.cli.result import print_result
from seqzoo.errors import SeqzooError
from seqzoo.leaderboards.page import read_page
from seqzoo.plugin.registry import Registry
from seqzoo.recipes.load import load_recipe
from seqzoo.results.result import read_result
from seqzoo.sweep.grid import read_grid


def sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(3 << 30)


HOSTILE: dict[str, Callable[[Path], object]] = {
    "a pipe": os.mkfifo,
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "a link to itself": lambda path: path.symlink_to(path),
    "a folder": Path.mkdir,
    "gigabytes": sparse,
    "deep JSON": lambda path: path.write_text("[" * 200_000),
    "not UTF-8": lambda path: path.write_bytes(b"\xff\xfe\x80: ["),
    "empty": Path.touch,
}
hostile = pytest.mark.parametrize("kind", HOSTILE)


@pytest.fixture(autouse=True)
def _no_command_waits() -> Iterator[None]:
    """A command that waits for a pipe would wait for ever."""

    def expire(number: int, frame: FrameType | None) -> None:
        raise AssertionError("the command waits, or reads without end")

    before = signal.signal(signal.SIGALRM, expire)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    for name in ("one", "other"):
        make_run(tmp_path / name)
    return tmp_path


COMMANDS = {
    "leaderboard": ["leaderboard", "{runs}", "--json"],
    "compare": ["compare", "{runs}/one", "{runs}/other"],
    "show": ["runs", "show", "{runs}/one"],
    "show as JSON": ["runs", "show", "{runs}/one", "--json"],
    "note": ["runs", "note", "{runs}/one"],
}


def is_answered(command: list[str], runs: Path) -> None:
    """Anything but an error that is reported as one sentence fails."""
    with suppress(SeqzooError):
        app([word.format(runs=runs) for word in command], standalone_mode=False)


@hostile
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    "file",
    [
        "result.json",
        "note.txt",
        "recipe.yaml",
        "origin.json",
        "changes.json",
        "metrics.jsonl",
        "diverged.txt",
        "lock",
    ],
)
def test_a_hostile_file_is_reported_or_left_out(
    runs: Path, file: str, command: str, kind: str
) -> None:
    path = runs / "one" / file
    path.unlink(missing_ok=True)
    HOSTILE[kind](path)
    is_answered(COMMANDS[command], runs)


@hostile
def test_a_hostile_sample_is_left_out(
    runs: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = runs / "one" / "samples" / "step-90-1.txt"
    path.unlink()
    HOSTILE[kind](path)
    print_result(runs / "one", read_result(runs / "other" / "result.json"), as_json=False)
    assert "bits per byte" in capsys.readouterr().out


@hostile
def test_what_a_user_names_is_refused_in_a_sentence(
    tmp_path: Path, registry: Registry, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path("grid.yaml")
    HOSTILE[kind](path)
    for read in (read_grid, read_page, lambda path: load_recipe(path, registry)):
        with pytest.raises(SeqzooError) as raised:
            read(path)
        assert "grid.yaml" in str(raised.value)
