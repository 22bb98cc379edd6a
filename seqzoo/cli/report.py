"""What a finished run says on stdout: scores, rung, and what to do next."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

    from seqzoo.results.result import Result, SplitScore
    from seqzoo.runs.run import Run

__all__ = ["report", "report_run", "score_table"]


def report_run(run: Run, *, as_json: bool) -> None:
    """Print the result of a run that has ended."""
    result = run.result
    assert result is not None
    report(run.path, result, as_json=as_json)


def report(path: Path, result: Result, *, as_json: bool) -> None:
    """Print a result, as a table and two sentences or as JSON."""
    from rich.text import Text

    from seqzoo.terminal.console import results

    if as_json:
        print(result.model_dump_json(indent=2))
        return
    console = results()
    if sample := _sample(path, result.step):
        console.print(Text(sample))
        console.rule(style="dim")
    console.print(score_table(result.scores))
    if result.adaptive is not None:
        console.print(Text(f"\nwhile learning ({result.adaptive.method}):"))
        console.print(score_table(result.adaptive.scores))
    console.print()
    console.print(Text(f"test: {result.placement}"))
    if result.adaptive is not None:
        score = result.adaptive.scores["test"]
        sentence = result.ladder.sentence(
            score.bits_per_byte, "test", num_bytes=score.bytes, adaptive=True
        )
        console.print(Text(f"test, while learning: {sentence}"))
    console.print(
        Text(
            f"{result.parameters:,} parameters, {result.steps:,} updates, "
            f"{result.training_seconds:.0f} s of training; weights of step {result.step}, "
            f"sha256 {result.weights_sha256[:16]}"
        )
    )
    console.print(
        Text(f"{path}: 'seqzoo sample {path}' writes more, 'seqzoo leaderboard' compares."),
        soft_wrap=True,
    )


def score_table(scores: Mapping[str, SplitScore]) -> Table:
    """Bits per byte with their interval, and accuracy, by split."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("split")
    for column in ("bits per byte", "95 % interval", "accuracy", "bytes"):
        table.add_column(column, justify="right")
    for name, score in scores.items():
        low, high = score.interval
        table.add_row(
            name.replace("_", "-"),
            f"{score.bits_per_byte:.4f}",
            f"{low:.3f} to {high:.3f}",
            f"{score.accuracy:.1%}",
            f"{score.bytes:,}",
        )
    return table


def _sample(path: Path, step: int) -> str:
    """The first sample of the run with the weights of a step, or another one if there is none."""
    files = [path / "samples" / f"step-{step}-1.txt", *sorted((path / "samples").glob("*.txt"))]
    found = [file for file in files if file.is_file()]
    return found[0].read_bytes().decode("utf-8", errors="replace") if found else ""
