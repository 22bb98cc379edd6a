"""seqzoo runs [FOLDER], and seqzoo runs show, rm, mv, prune, note"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from seqzoo.cli.group import closest
from seqzoo.cli.options import DEFAULT_RUNS, AsJson, Run, RunsFolder, run_named

if TYPE_CHECKING:
    from seqzoo.runs.status import Status

__all__ = ["runs"]


class _ListsByDefault(TyperGroup):
    """`seqzoo runs FOLDER` is `seqzoo runs list FOLDER`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        _refuse_runs_option(args, [*self.commands])
        if not args or args[0] not in (*self.commands, *ctx.help_option_names):
            if args and not args[0].startswith("-"):
                _require_folder(Path(args[0]))
            args = ["list", *args]
        return super().parse_args(ctx, args)


runs = typer.Typer(
    cls=_ListsByDefault,
    help="List runs and their state, and delete, rename, prune or annotate them.\n\n"
    "'seqzoo runs' lists the runs in runs/, 'seqzoo runs FOLDER' those in another folder.",
)

Runs = Annotated[
    list[Path],
    typer.Argument(
        metavar="RUN...",
        help="Folders of runs, or their names in --runs.",
        show_default=False,
        callback=run_named,
    ),
]


@runs.command("list")
def list_runs(
    folder: Annotated[Path, typer.Argument(help="Folder that holds the runs.")] = DEFAULT_RUNS,
    as_json: AsJson = False,
) -> None:
    """List the runs in a folder: state, progress, score, size, age and note."""
    from seqzoo.cli.runs_table import print_runs, runs_as_json
    from seqzoo.runs.directory import RunDirectory
    from seqzoo.runs.listing import is_run, statuses_in
    from seqzoo.runs.status import status_of
    from seqzoo.terminal.console import note
    from seqzoo.terminal.streams import write_data

    if is_run(folder):
        found = [status_of(RunDirectory(folder))]
        root = folder.parent
    else:
        _require_folder(folder)
        found, root = statuses_in(folder), folder
    if as_json:
        write_data(json.dumps(runs_as_json(found, root), indent=2))
    elif found:
        print_runs(found, root)
    else:
        note(f"There are no runs in {folder} yet; to make one: seqzoo run quick")


@runs.command("show")
def show_run(run: Run, runs: RunsFolder = DEFAULT_RUNS, as_json: AsJson = False) -> None:
    """Show one run: state, recipe in short, changes, checkpoints and scores."""
    from seqzoo.cli.run_summary import print_run, run_as_json
    from seqzoo.runs.directory import RunDirectory, open_run_directory
    from seqzoo.runs.listing import is_run
    from seqzoo.runs.status import status_of
    from seqzoo.terminal.streams import write_data

    status = status_of(RunDirectory(run) if is_run(run) else open_run_directory(run))
    if as_json:
        write_data(json.dumps(run_as_json(status), indent=2))
    else:
        print_run(status)


@runs.command("rm")
def remove_runs(
    paths: Runs,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    runs: RunsFolder = DEFAULT_RUNS,
) -> None:
    """Delete runs, after a question.

    Only folders that are runs are deleted, and nothing that a link points to.
    """
    from seqzoo.errors import UsageError
    from seqzoo.runs.removal import removal_of, remove
    from seqzoo.terminal.console import note
    from seqzoo.terminal.format import file_size

    removals = [removal_of(path) for path in dict.fromkeys(paths)]
    for each in removals:
        if yes and each.others and not each.is_link:
            raise UsageError(
                f"{each.path} also contains {', '.join(each.others)}, which no run has written; "
                f"move that away, or leave out --yes to be asked."
            )
    for each in removals:
        line = f"{each.path}: {_in_words(each.status)}"
        if each.is_link:
            line = f"{each.path} is a link; only the link is deleted, not {each.path.resolve()}"
        elif each.others:
            line += f"; also in this folder: {', '.join(each.others)}"
        note(line)
    size = file_size(sum(each.status.size_bytes for each in removals if not each.is_link))
    if not yes and not _agrees(f"Delete {_count(len(removals))} ({size})?"):
        note("nothing was deleted")
        return
    for each in removals:
        remove(each)
        note(f"deleted {each.path}")


@runs.command("mv")
def rename(
    run: Run,
    name: Annotated[str, typer.Argument(help="New name of the folder.")],
    runs: RunsFolder = DEFAULT_RUNS,
) -> None:
    """Rename a run."""
    from seqzoo.runs.renaming import rename_run
    from seqzoo.terminal.console import note, warn

    path, remarks = rename_run(run, name)
    note(f"{run} is {path} now")
    for remark in remarks:
        warn(f"{remark}.")


@runs.command("prune")
def prune_runs(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[RUN]...",
            help="Folders of finished runs, or their names in --runs; default: all finished "
            "runs in --runs.",
            show_default=False,
            callback=run_named,
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be freed; delete nothing.")
    ] = False,
    runs: RunsFolder = DEFAULT_RUNS,
) -> None:
    """Make finished runs smaller: delete what only further training needs.

    The best and the last weights stay, so sample, eval and train.start_from work.
    The training of a pruned run cannot continue.
    """
    from seqzoo.leaderboards.board import require_runs_folder
    from seqzoo.runs.directory import open_run_directory
    from seqzoo.runs.listing import statuses_in
    from seqzoo.runs.pruning import freed_bytes, prune, require_finished
    from seqzoo.runs.status import RunState, status_of
    from seqzoo.terminal.console import results
    from seqzoo.terminal.format import file_size

    if paths:
        statuses = [status_of(open_run_directory(path)) for path in dict.fromkeys(paths)]
        for status in statuses:
            require_finished(status)
    else:
        require_runs_folder(runs, may_be_missing=runs == DEFAULT_RUNS)
        statuses = [s for s in statuses_in(runs) if s.state is RunState.FINISHED]
    total, console = 0, results()
    for directory in (status.directory for status in statuses):
        freed = freed_bytes(directory) if dry_run else prune(directory)
        total += freed
        if freed:
            console.print(f"{directory.path}: {file_size(freed)}", markup=False, soft_wrap=True)
    verb = "would be freed" if dry_run else "freed"
    console.print(f"{file_size(total)} {verb}, of {_count(len(statuses), 'finished run')}")


@runs.command("note")
def write_note(
    run: Run,
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[TEXT]...", help='The note; "" removes it.', show_default=False),
    ] = None,
    runs: RunsFolder = DEFAULT_RUNS,
) -> None:
    """Keep a note with a run, shown by 'seqzoo runs'; without a text, print the note."""
    from seqzoo.results.note import read_note, write_note
    from seqzoo.runs.directory import open_run_directory
    from seqzoo.terminal.console import note, write

    folder = open_run_directory(run).path
    if words is not None:
        text = " ".join(words)
        write_note(folder, text)
        if len(text.strip().splitlines()) > 1:
            note(f"a note is one line; the lines were joined: {read_note(folder)}")
    elif text := read_note(folder):
        write(f"{text}\n")


def _require_folder(folder: Path) -> None:
    from seqzoo.errors import UsageError, did_you_mean

    if folder.is_dir() or (folder == DEFAULT_RUNS and not folder.exists()):
        return
    if folder.exists():
        raise UsageError(f"{folder} is not a folder; give the folder that contains the runs.")
    folders = _folders_of_runs(folder.parent)
    commands = [command.name for command in runs.registered_commands if command.name]
    known = {name: name for name in (*commands, *folders)}
    if meant := _MEANT.get(str(folder)) or closest(folder.name, known):
        hint = f" Did you mean '{folder.parent / meant if meant in folders else meant}'?"
    else:
        hint = did_you_mean(folder.name, folders)
    raise UsageError(f"{folder} is neither a folder nor a command of 'seqzoo runs'.{hint}")


_MEANT = {
    "del": "rm",
    "delete": "rm",
    "remove": "rm",
    "rn": "mv",
    "ren": "mv",
    "rename": "mv",
    "move": "mv",
    "ls": "list",
}
"""Names that other programs have for these commands."""


def _folders_of_runs(folder: Path) -> list[str]:
    from seqzoo.runs.listing import runs_in

    if not folder.is_dir():
        return []
    inside = (path for path in folder.iterdir() if path.is_dir())
    return [path.name for path in inside if runs_in(path)]


def _refuse_runs_option(args: list[str], commands: list[str]) -> None:
    """Raises UsageError for --runs, which other commands have, with what to type."""
    if args and args[0] in commands and args[0] != "list":
        return
    for place, word in enumerate(args):
        if word.partition("=")[0] == "--runs":
            from seqzoo.errors import UsageError
            from seqzoo.terminal.format import quoted

            given = word.partition("=")[2] or next(iter(args[place + 1 :]), "FOLDER")
            raise UsageError(
                f"'seqzoo runs' has no option --runs; give the folder by itself: seqzoo runs "
                f"{quoted(given)}"
            )


def _in_words(status: Status) -> str:
    from seqzoo.terminal.format import file_size

    step = f", step {status.progress}" if status.step is not None else ""
    return f"{status.state}{step}, {file_size(status.size_bytes)}"


def _count(number: int, noun: str = "run") -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _agrees(question: str) -> bool:
    from seqzoo.errors import UsageError

    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    if not (answer := sys.stdin.readline()):
        print(file=sys.stderr)
        raise UsageError("there was no answer, so nothing was deleted; give --yes to delete.")
    return answer.strip().lower() in ("y", "yes")
