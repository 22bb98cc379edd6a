"""seqzoo leaderboard"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seqzoo.cli.options import AsJson, RunsFolder


def leaderboard(
    runs: RunsFolder = Path("runs"),
    as_json: AsJson = False,
    as_markdown: Annotated[
        bool, typer.Option("--markdown", help="Print Markdown tables with every column.")
    ] = False,
) -> None:
    """Rank runs by bits per byte on test, beside the baselines.

    Runs of another corpus, split or protocol stand in a table of their own. Runs that share a
    rank, marked =, differ by less than the noise of the split. No runs at all is no error.
    """
    from rich.text import Text

    from seqzoo import leaderboard_views as views
    from seqzoo.console import note, results, warn
    from seqzoo.errors import UsageError
    from seqzoo.leaderboard import read_board

    if as_json and as_markdown:
        raise UsageError("--json and --markdown exclude each other; choose one.")
    if runs.exists() and not runs.is_dir():
        raise UsageError(f"{runs} is not a folder; --runs takes the folder that holds the runs.")
    board = read_board(runs)
    for warning in board.warnings:
        warn(warning)
    if as_json:
        print(views.as_json(board))
    elif not board.groups:
        note(f"There are no results in {runs} yet; make one with: seqzoo run recipes/quick.yaml")
    elif as_markdown:
        print(views.as_markdown(board), end="")
    else:
        console = results()
        for index, group in enumerate(board.groups):
            if index:
                console.print()
            console.print(Text(group.title), style="bold")
            console.print(views.as_table(group, width=console.width))
