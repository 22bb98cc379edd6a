"""The command line: one command per file, each importing what it needs when it runs.

`main` is the one place where an exception becomes a message and an exit code (errors.py).
"""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from seqzoo.cli.bench import bench
from seqzoo.cli.compare import compare
from seqzoo.cli.doctor import doctor
from seqzoo.cli.evaluate import evaluate
from seqzoo.cli.fetch import fetch
from seqzoo.cli.init import init
from seqzoo.cli.leaderboard import leaderboard
from seqzoo.cli.list import list_plugins
from seqzoo.cli.resume import resume
from seqzoo.cli.run import run
from seqzoo.cli.sample import sample
from seqzoo.cli.schema import schema
from seqzoo.cli.show import show
from seqzoo.cli.sweep import sweep

__all__ = ["app", "main"]

app = typer.Typer(
    name="seqzoo",
    help="A zoo of byte-level sequence models: train, score exactly, sample, compare.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Start with: seqzoo run quick",
)

app.command("run")(run)
app.command("init")(init)
app.command("resume")(resume)
app.command("sweep")(sweep)
app.command("eval")(evaluate)
app.command("sample")(sample)
app.command("leaderboard")(leaderboard)
app.command("compare")(compare)
app.command("doctor")(doctor)
app.command("list")(list_plugins)
app.command("show")(show)
app.command("schema")(schema)
app.command("fetch")(fetch)
app.command("bench")(bench)


def _print_version(wanted: bool) -> None:
    if wanted:
        from seqzoo.version import __version__

        typer.echo(f"seqzoo {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Options of the program itself."""


def main() -> None:
    """Run the command line and exit with its code."""
    sys.exit(_exit_code())


def _exit_code() -> int:
    from seqzoo.errors import SeqzooError

    try:
        returned = app(standalone_mode=False)
        sys.stdout.flush()
        if returned == 130:  # what Typer makes of a KeyboardInterrupt
            raise KeyboardInterrupt
        return returned if isinstance(returned, int) else 0
    except (typer.Abort, KeyboardInterrupt):
        print(
            "\nstopped at once; a run is saved up to its last checkpoint",
            file=sys.stderr,
        )
        return 130
    except SeqzooError as error:
        from seqzoo.terminal.console import fail

        fail(str(error))
        return error.exit_code
    except (BrokenPipeError, SystemExit) as error:
        # The reader of the pipe has ended (`| head`), which is not an error. If Typer catches the
        # exception first, it turns it into an exit.
        if not isinstance(error.__context__ or error, BrokenPipeError):
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    except OSError as error:
        # For example, the disk is full or read-only.
        from seqzoo.terminal.console import fail

        place = f"{error.filename}: " if error.filename else ""
        fail(f"{place}{error.strerror or error}. Correct this and run the command again.")
        return 3
    except Exception as error:
        # A wrong command line: Typer's exception for it has no public name.
        if callable(show_usage := getattr(error, "show", None)):
            show_usage()
            return 2
        return _unexpected(error)
    except BaseException as error:
        if (code := getattr(error, "exit_code", None)) is None:
            raise
        from seqzoo.terminal.console import note

        note(str(error))
        return int(code)


def _unexpected(error: Exception) -> int:
    """Report a mistake in seqzoo or a plugin; the traceback is printed on request."""
    from seqzoo.terminal.console import fail

    if os.environ.get("SEQZOO_TRACEBACK"):
        import traceback

        traceback.print_exception(error)
    fail(
        f"internal error: {type(error).__name__}: {error}. Run again with SEQZOO_TRACEBACK=1 and "
        f"report what it prints."
    )
    return 1
