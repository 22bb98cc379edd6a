"""What a finished run says on stdout: a sample, scores, what they mean, and what to do next."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from seqzoo.cli.options import DEFAULT_RUNS

if TYPE_CHECKING:
    from rich.table import Table

    from seqzoo.results.result import Result, SplitScore
    from seqzoo.runs.run import Run

__all__ = ["print_result", "print_run", "print_scores", "printed_if_unsaved"]


def print_run(run: Run, *, as_json: bool) -> None:
    """Print the result of a run that has ended; without one, how to get it."""
    from seqzoo.terminal.console import write
    from seqzoo.terminal.streams import write_data

    result = run.result
    if result is not None:
        print_result(run.path, result, as_json=as_json)
    elif as_json:
        write_data("null")
    else:
        _print_wrapped("The run is trained and saved, and not scored.")
        write(f"Score it with: {_command('eval', run.path)}\n")


def print_result(path: Path, result: Result, *, as_json: bool) -> None:
    """Print a result, for people or as JSON."""
    from rich.text import Text

    from seqzoo.results.explained import explained
    from seqzoo.terminal.characters import visible
    from seqzoo.terminal.console import results, write
    from seqzoo.terminal.streams import write_data

    if as_json:
        write_data(result.model_dump_json(indent=2))
        return
    console = results()
    if sample := _sample(path, result.step):
        console.print(Text(visible(sample)))
        console.rule(style="dim")
    print_scores(result.scores)
    if result.adaptive is not None:
        _print_wrapped(f"\nwhile learning ({result.adaptive.method}):")
        print_scores(result.adaptive.scores)
    write("\n")
    for paragraph in explained(result):
        _print_wrapped(paragraph)
    write("\n")
    for line in _next_steps(path, result):
        write(f"{line}\n")


@contextmanager
def printed_if_unsaved(*, as_json: bool) -> Iterator[None]:
    """Print a result that cannot be written; the error that says so follows."""
    from seqzoo.results.result import UnsavedResult

    try:
        yield
    except UnsavedResult as unsaved:
        print_result(unsaved.path.parent, unsaved.result, as_json=as_json)
        raise


def print_scores(scores: Mapping[str, SplitScore]) -> None:
    """Print bits per byte with their interval, and accuracy, by split."""
    from seqzoo.terminal.console import results

    results().print(_score_table(scores))


def _next_steps(path: Path, result: Result) -> Iterator[str]:
    """Commands that can be pasted, with what each is for."""
    test = result.scores["test"].bits_per_byte
    purpose = "finds what is wrong" if result.ladder.is_worst(test, "test") else "examines the run"
    board = "seqzoo leaderboard"
    if path.parent != DEFAULT_RUNS:
        board = _command("leaderboard --runs", path.parent)
    steps = [
        (_command("sample", path), "writes more text"),
        (_command("report", path), "makes a page about the run"),
        (board, "compares runs"),
        (_command("doctor", path), purpose),
    ]
    if purpose != "examines the run":
        steps.reverse()
    width = max(len(command) for command, _ in steps)
    yield "Next:"
    for command, words in steps:
        yield f"  {command:{width}}  {words}"


def _command(name: str, path: Path) -> str:
    from seqzoo.terminal.format import quoted

    return f"seqzoo {name} {quoted(path)}"


def _score_table(scores: Mapping[str, SplitScore]) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("split")
    for column in ("bits per byte", "95 % interval", "accuracy", "bytes"):
        table.add_column(column, justify="right")
    for name, score in scores.items():
        between = "too few bytes"
        if score.interval is not None:
            between = "{:.3f} to {:.3f}".format(*score.interval)
        table.add_row(
            name.replace("_", "-"),
            f"{score.bits_per_byte:.4f}",
            between,
            f"{score.accuracy:.1%}",
            f"{score.bytes:,}",
        )
    return table


def _print_wrapped(text: str) -> None:
    """Print a paragraph in lines of the terminal's width, which never end inside a word."""
    from seqzoo.terminal.console import results, write

    width = results().width
    filled = textwrap.fill(text, width=width, break_long_words=False, break_on_hyphens=False)
    write(f"{filled}\n")


def _sample(path: Path, step: int) -> str:
    """The first sample of the run with the weights of a step, or another one if there is none."""
    from seqzoo.regular_files import read_bytes

    files = [path / "samples" / f"step-{step}-1.txt", *sorted((path / "samples").glob("*.txt"))]
    for file in files:
        with suppress(OSError):
            return read_bytes(file, limit=_LONGEST_SAMPLE).decode("utf-8", errors="replace")
    return ""


_LONGEST_SAMPLE = 1 << 24
