"""The command line: one command per file, each importing what it needs when it runs.

`main` is the one place where an exception becomes a message and an exit code (errors.py).
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Annotated

import typer

from seqzoo import torchrun
from seqzoo.cli.bench import bench
from seqzoo.cli.card import card
from seqzoo.cli.check import check
from seqzoo.cli.compare import compare
from seqzoo.cli.compress import compress
from seqzoo.cli.decompress import decompress
from seqzoo.cli.doctor import doctor
from seqzoo.cli.ensemble import ensemble
from seqzoo.cli.evaluate import evaluate
from seqzoo.cli.export import export
from seqzoo.cli.faults import exit_code_of, report_ignored, sentence_of_fault
from seqzoo.cli.fetch import fetch
from seqzoo.cli.found import found_plugins
from seqzoo.cli.group import CommandGroup, is_wrong_command_line, sentence_of
from seqzoo.cli.init import init
from seqzoo.cli.leaderboard import leaderboard
from seqzoo.cli.list import list_plugins
from seqzoo.cli.mistyped import as_setting
from seqzoo.cli.new import new
from seqzoo.cli.prove import EvaluateCommand
from seqzoo.cli.report import report
from seqzoo.cli.reproduce import reproduce
from seqzoo.cli.resume import resume
from seqzoo.cli.run import run
from seqzoo.cli.runs import runs
from seqzoo.cli.sample import sample
from seqzoo.cli.sampler_options import SampleCommand
from seqzoo.cli.schema import schema
from seqzoo.cli.show import show
from seqzoo.cli.sweep import sweep
from seqzoo.cli.verify import verify
from seqzoo.errors import SeqzooError, error_of_encoding
from seqzoo.terminal import signals
from seqzoo.terminal.console import fail, note, suggest, trimmed, write
from seqzoo.terminal.streams import end_now, prepare_streams, results_stream
from seqzoo.torchrun import Place

__all__ = ["app", "main"]

app = typer.Typer(
    name="seqzoo",
    cls=CommandGroup,
    help="A zoo of byte-level sequence models: train, score exactly, sample, compare.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Start with: seqzoo run quick",
)

app.command("run")(run)
app.command("init")(init)
app.add_typer(new, name="new")
app.command("resume")(resume)
app.add_typer(runs, name="runs")
app.command("sweep")(sweep)
app.command("eval", cls=EvaluateCommand)(evaluate)
app.command("ensemble")(ensemble)
app.command("sample", cls=SampleCommand)(sample)
app.command("compress")(compress)
app.command("decompress")(decompress)
app.command("leaderboard")(leaderboard)
app.command("compare")(compare)
app.command("report")(report)
app.command("verify")(verify)
app.command("card")(card)
app.command("reproduce")(reproduce)
app.command("export")(export)
app.command("doctor")(doctor)
app.command("check")(check)
app.command("list")(list_plugins)
app.command("plugins")(found_plugins)
app.command("show")(show)
app.command("schema")(schema)
app.command("fetch")(fetch)
app.command("bench")(bench)


def _print_version(wanted: bool) -> None:
    if wanted:
        version()
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool,
        typer.Option(
            "--version", "-V", callback=_print_version, is_eager=True, help="Show the version."
        ),
    ] = False,
) -> None:
    """Options of the program itself."""


@app.command("version")
def version() -> None:
    """Show the version."""
    from seqzoo.version import __version__

    write(f"seqzoo {__version__}\n")


@app.command("help")
def help_(
    command: Annotated[
        str | None, typer.Argument(help="A command; default: all.", show_default=False)
    ] = None,
) -> int:
    """Show the help of a command."""
    arguments = [*([] if command is None else [command]), "--help"]
    return int(app(arguments, prog_name="seqzoo", standalone_mode=False) or 0)


def main() -> None:
    """Run the command line and exit with its code."""
    signals.stop_on_signals()
    prepare_streams()
    sys.unraisablehook = report_ignored
    try:
        place = torchrun.enter()
        code = _run_or_follow(place)
    except KeyboardInterrupt:
        signals.end(signals.received())
    signals.stop_quietly()
    if place is not None:
        end_now(code)
    sys.exit(code)


def _exit_code(command: Callable[[], int] | None = None) -> int:
    """The exit code of the command; whatever went wrong is printed, in one place."""
    try:
        return (command or _run)()
    except SeqzooError as error:
        fail(str(error))
        return error.exit_code
    except UnicodeEncodeError as error:
        if (of_user := error_of_encoding(error)) is None:
            return _unexpected(error)
        fail(str(of_user))
        return of_user.exit_code
    except OSError as error:
        fail(sentence_of_fault(error))
        return exit_code_of(error)
    except Exception as error:
        if is_wrong_command_line(error):
            fail(as_setting(error, sys.argv[1:]) or sentence_of(error, sys.argv[1:]))
            return 2
        if callable(text := getattr(error, "format_message", None)):
            write(text())  # nothing was typed: the help, or "" where Typer has shown it
            return 2
        return _unexpected(error)
    except BaseException as error:
        if (code := getattr(error, "exit_code", None)) is None:
            raise
        _print_stopped(str(getattr(error, "message", error)), getattr(error, "command", ""))
        return int(code)


def _run() -> int:
    """The exit code that the command returns; a stop and a closed pipe have theirs."""
    try:
        with _typers_output(sys.argv[1:]):
            returned = app(prog_name="seqzoo", standalone_mode=False)
        results_stream().flush()
        if returned == 130:  # what Typer makes of a KeyboardInterrupt
            raise KeyboardInterrupt
        return returned if isinstance(returned, int) else 0
    except (typer.Abort, KeyboardInterrupt):
        _print_stopped(signals.stopped())
        return 128 + signals.received()
    except (BrokenPipeError, SystemExit) as error:
        # The reader of the pipe has ended (`| head`), which is not an error. If Typer catches the
        # exception first, it turns it into an exit.
        if not isinstance(error.__context__ or error, BrokenPipeError):
            raise
        return 0


def _run_or_follow(place: Place | None) -> int:
    """torchrun starts a command several times: rank 0 runs it, and the others train with it."""
    if place is None:
        return _exit_code()
    if sys.argv[1:2] not in (["run"], ["resume"]):
        torchrun.leave()
        return _exit_code() if place.rank == 0 else 0
    if place.rank == 0:
        code = _exit_code()
        if code == 0:  # else torchrun ends the others
            from seqzoo.training.rank_store import release

            release(place)
        return code
    for number in signals.STOPPING:  # rank 0 says that all stop
        signal.signal(number, lambda number, _: os._exit(128 + number))
    from seqzoo.runs.follow import follow

    return _exit_code(lambda: follow(place))


def _typers_output(arguments: list[str]) -> AbstractContextManager[object]:
    """Typer prints help and the completions of a shell to `sys.stdout`, and no plugin does then.

    Typer fills the lines of the help with blanks, as rich does those of tables.
    """
    printing = {"-h", "--help", "--show-completion", "--install-completion"}
    is_help = not arguments or arguments[0] == "help" or printing & set(arguments)
    if is_help or "_SEQZOO_COMPLETE" in os.environ:
        return contextlib.redirect_stdout(trimmed(results_stream()))
    return contextlib.nullcontext()


def _print_stopped(message: str, command: str = "") -> None:
    """Say that the command was stopped; a terminal has shown ^C in the present line."""
    print(signals.line_start(), end="", file=sys.stderr)
    if command:
        suggest(message, command)
    else:
        note(message)


def _unexpected(error: Exception) -> int:
    """Report a mistake in seqzoo or a plugin; the traceback is printed on request."""
    if os.environ.get("SEQZOO_TRACEBACK"):
        import traceback

        traceback.print_exception(error)
    from seqzoo.errors import PluginError
    from seqzoo.plugin.blame import plugin_of

    cause = f"{type(error).__name__}: {' '.join(str(error).split())}"
    if (found := plugin_of(error)) is not None:
        owner, place = found
        fail(
            f"plugin {owner} failed: {cause} ({place}). Fix or uninstall it; SEQZOO_TRACEBACK=1 "
            f"prints where it was called."
        )
        return PluginError.exit_code
    fail(f"internal error: {cause}. Run again with SEQZOO_TRACEBACK=1 and report what it prints.")
    return 1
