"""seqzoo leaderboard"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seqzoo.cli.options import DEFAULT_RUNS, AsJson, Into, RunsFolder, split_named

if TYPE_CHECKING:
    from seqzoo.results.result import Result


def leaderboard(
    folder: Annotated[
        Path | None,
        typer.Argument(help="The same as --runs.", show_default=False),
    ] = None,
    runs: RunsFolder = DEFAULT_RUNS,
    split: Annotated[
        str, typer.Option(help="Split to rank on: test, validation or held_out.", metavar="NAME")
    ] = "test",
    sort: Annotated[
        str, typer.Option(help="Score to rank by: static or adaptive.", metavar="KIND")
    ] = "static",
    where: Annotated[
        list[str] | None,
        typer.Option(
            "--where",
            "-w",
            metavar="CONDITION",
            help="Rows to show, e.g. -w kind=run -w 'run=shakespeare_*' -w 'static<2.2'; all must "
            "match. Also !=, <=, > and >=. Ranks are still among all rows.",
        ),
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,...", help="Columns to show, in this order; 'help' lists them all."
        ),
    ] = None,
    each_run: Annotated[
        bool, typer.Option("--each-run", help="A row for every run; seeds are not averaged.")
    ] = False,
    with_started: Annotated[
        bool,
        typer.Option(
            "--with-started",
            help="Rank runs that started from another run's weights together with those from "
            "scratch.",
        ),
    ] = False,
    as_json: AsJson = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown tables.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV, numbers unrounded.")] = False,
    as_html: Annotated[
        bool, typer.Option("--html", help="Print a page of HTML in one file.")
    ] = False,
    into: Into = None,
) -> None:
    """Rank runs by bits per byte, beside the baselines.

    Only comparable runs are ranked: another corpus, split or protocol is
    another table, and so are runs that started from another run's weights.
    Static scores are never ranked with adaptive ones. Runs that share a rank,
    marked =, differ by less than the noise. A folder without runs is not an
    error.
    """
    from seqzoo.errors import UsageError
    from seqzoo.leaderboards.board import read_board, require_runs_folder
    from seqzoo.leaderboards.columns import chosen_columns
    from seqzoo.leaderboards.filters import has_pattern, row_filter
    from seqzoo.leaderboards.page import read_page
    from seqzoo.runs.directory import RunDirectory
    from seqzoo.runs.status import status_of
    from seqzoo.terminal.console import note, warn
    from seqzoo.terminal.format import quoted
    from seqzoo.terminal.streams import write_data

    forms = {"--json": as_json, "--markdown": as_markdown, "--csv": as_csv, "--html": as_html}
    given = [option for option, is_given in forms.items() if is_given]
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)} exclude each other; choose one.")
    split = split_named(split)
    if folder is not None and runs not in (DEFAULT_RUNS, folder):
        raise UsageError(f"{folder} and --runs {runs} are two folders; give one.")
    runs = runs if folder is None else folder
    if columns == "help":
        _print_columns()
        return
    if as_json and columns is not None:
        raise UsageError("--json prints everything; leave --columns out, or use --csv.")
    require_runs_folder(runs, may_be_missing=runs == DEFAULT_RUNS)
    page = None if into is None else read_page(into)
    shown = None if columns is None else chosen_columns(columns.split(","))
    read = partial(
        read_board,
        runs,
        split=split,
        sort=sort,
        with_started=with_started,
        keep=row_filter(where or (), kind=sort),
    )

    def progress(run: Path, result: Result) -> str:
        status = status_of(RunDirectory(run), result=result)
        return status.progress if status.is_unfinished else ""

    board = read(each_run=each_run, progress=progress)
    for warning in board.warnings:
        warn(warning)
    from seqzoo.leaderboards import views

    if page is not None:
        page.write(views.board_to_markdown(board, shown))
        note(f"the tables were written to {page.path}")
    if as_json:
        write_data(views.board_to_json(board))
    elif as_csv:
        write_data(views.board_to_csv(board, shown))
    elif as_html:
        write_data(views.board_to_html(board, shown))
    elif not board.groups:
        if where:
            asked = " and ".join(where)
            hint = "; case matters, and * matches any text" if any(map(has_pattern, where)) else ""
            if not each_run and read(each_run=True).groups:
                hint = "; a row is the mean of its seeds, and with --each-run there is a match"
            note(f"No row of {runs} matches {asked}{hint}")
        else:
            start = "" if board.unscored else "; to make one: seqzoo run quick"
            note(f"There are no results in {runs} yet{start}")
    elif as_markdown:
        write_data(views.board_to_markdown(board, shown))
    else:
        from rich.text import Text

        from seqzoo.leaderboards.table import group_to_text
        from seqzoo.terminal.console import results

        console = results()
        for group in board.groups:
            console.print(Text(group.title), style="bold")
            table = group_to_text(group, shown, kind=sort, width=console.width)
            console.print(table, soft_wrap=True)
            console.print()
        for line in views.notes(board, shown):
            console.print(Text(line), style="dim")
    if board.lacks_sorted_score and sort == "adaptive":
        note(
            "No run has an adaptive score, so none is ranked; to make one: seqzoo eval RUN "
            "--adaptive"
        )
    listing = "seqzoo runs" if runs == DEFAULT_RUNS else f"seqzoo runs {quoted(runs)}"
    if count := len(board.unscored):
        have = "run has" if count == 1 else "runs have"
        note(f"{count} {have} no result yet: {listing} lists them")
    if count := len(board.unfinished):
        are = "run is" if count == 1 else "runs are"
        note(f"{count} ranked {are} not finished: {listing} lists them")


def _print_columns() -> None:
    from rich.table import Table

    from seqzoo.leaderboards.columns import COLUMNS
    from seqzoo.terminal.console import results

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("column", "meaning"):
        table.add_column(title)
    for column in COLUMNS:
        table.add_row(column.key, column.meaning)
    results().print(table)
