"""The two consoles: nothing in their text is obeyed, and lines end where their text ends."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable

import pytest
from rich.table import Table
from rich.text import Text

from seqzoo.terminal import console
from seqzoo.terminal.display import TerminalDisplay

_HOSTILE = "a\x1b[31mred\x1b]0;title\x07 \x9b2J \u202eback"


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def terminal_of(monkeypatch: pytest.MonkeyPatch) -> _Terminal:
    """Stdout and stderr as one terminal of 40 columns without colours, in the present test."""
    stream = _Terminal()
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setattr(sys, "stderr", stream)
    for name, value in {"TERM": "xterm", "NO_COLOR": "1", "COLUMNS": "40"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    return stream


def _without_styles(text: str) -> str:
    for style in ("\x1b[1m", "\x1b[2m", "\x1b[0m"):
        text = text.replace(style, "")
    return text


def test_a_terminal_obeys_nothing_in_what_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = terminal_of(monkeypatch)
    for show in (console.note, console.warn, console.fail, console.write):
        show(_HOSTILE)
    console.panel(_HOSTILE, title=_HOSTILE)
    console.suggest(_HOSTILE, _HOSTILE)
    table = Table(_HOSTILE)
    table.add_row(_HOSTILE)
    table.add_row(Text(_HOSTILE))
    console.results().print(table, _HOSTILE)
    shown = _without_styles(terminal.getvalue())
    assert not set("\x1b\x07\x9b\u202e") & set(shown)
    assert shown.count("red") >= 10


def test_markup_in_a_name_is_text(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = terminal_of(monkeypatch)
    console.results().print("[bold]name[/nothing] :snake:")
    assert _without_styles(terminal.getvalue()) == "[bold]name[/nothing] :snake:\n"


@pytest.mark.parametrize("show", [console.note, console.warn, console.fail])
def test_a_message_is_broken_between_words_and_never_inside_one(
    monkeypatch: pytest.MonkeyPatch, show: Callable[[str], None]
) -> None:
    terminal = terminal_of(monkeypatch)
    path = "runs/" + "long_name" * 6
    text = f"this message has more words than fit into one line of forty columns: {path} ends it"
    show(text)
    lines = _without_styles(terminal.getvalue()).splitlines()
    assert " ".join(line.strip() for line in lines).endswith(text)
    assert all(len(line) <= 40 or line == path for line in lines)
    assert path in lines


@pytest.mark.parametrize(
    "command",
    ["seqzoo resume 'a folder/runs/quick' train.budget.steps=800", "cat < 'a file' > NEW"],
)
def test_a_command_that_ends_a_message_is_in_one_line(
    monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    terminal = terminal_of(monkeypatch)
    console.warn(f"a text: it can be changed to another encoding with this command: {command}")
    lines = _without_styles(terminal.getvalue()).splitlines()
    assert lines[-1] == command
    assert all(len(line) <= 40 for line in lines[:-1])
    assert len(lines) > 2


def test_a_message_while_progress_is_drawn_has_lines_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal = terminal_of(monkeypatch)
    display = TerminalDisplay()
    with display.meter("training") as meter:
        meter.show(0.5, "step 7")
        display.warn("it is slow")
        display.note("a note")
    display.note("the end")
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.getvalue()).replace("\r", "\n")
    lines = [line.strip() for line in text.splitlines()]
    assert [line for line in lines if "it is" in line or "note" in line or "end" in line] == [
        "warning: it is slow", "a note", "the end",
    ]  # fmt: skip


def test_a_command_to_paste_is_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = terminal_of(monkeypatch)
    command = "seqzoo resume 'a folder with blanks/runs/quick'"
    console.suggest("Stopped and saved at step 86; continue with", command)
    assert command in _without_styles(terminal.getvalue())


def test_a_message_in_a_file_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    console.note("word " * 50 + "end")
    assert capsys.readouterr().err == "word " * 50 + "end\n"


def test_lines_of_a_table_in_a_file_end_without_blanks(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table("name", "value", box=None)
    table.add_row("a", "1")
    table.add_row("much longer", "2")
    console.results().print(table)
    lines = capsys.readouterr().out.splitlines()
    assert lines == [line.rstrip() for line in lines]
    assert len(lines) == 3


def test_text_for_programs_is_unchanged_in_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    console.write(_HOSTILE + "  \n")
    assert capsys.readouterr().out == _HOSTILE + "  \n"
