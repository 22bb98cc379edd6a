"""seqzoo report RUN [RUN ...]"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seqzoo.cli.options import DEFAULT_RUNS, Device, RunsFolder, run_named, whole_number
from seqzoo.cli.trust import TrustOption

if TYPE_CHECKING:
    from seqzoo.report.page import Report

_DEFAULT_FILE = Path("report.html")


def report(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN...",
            help="Folders of runs, or their names in --runs. One is shown in full, several side by "
            "side.",
            show_default=False,
            callback=run_named,
        ),
    ],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="FILE", help="The page; - writes it to stdout."),
    ] = _DEFAULT_FILE,
    open_browser: Annotated[
        bool, typer.Option("--open", help="Open the page in the web browser.")
    ] = False,
    live: Annotated[
        bool,
        typer.Option(
            "--live",
            help="Serve the page on 127.0.0.1 while the run trains, until Ctrl-C; write no file.",
        ),
    ] = False,
    port: Annotated[
        int | None,
        whole_number(
            "--port",
            least=1,
            help="Port of --live; default: one that is free.",
            show_default=False,
        ),
    ] = None,
    runs: RunsFolder = DEFAULT_RUNS,
    device: Device = None,
    trust: TrustOption = False,
) -> None:
    """Write a page about a run: scores, curves, samples, and what the model expects.

    It is one file of HTML that loads nothing: it can be opened, printed and sent.
    """
    from seqzoo.errors import UsageError
    from seqzoo.terminal.console import warn

    if (device is not None or trust) and (live or len(paths) > 1):
        raise UsageError(
            "--device and --trust are for the model of one run, which --live and several runs do "
            "not load; leave them out."
        )
    if live:
        if len(paths) > 1 or output != _DEFAULT_FILE:
            raise UsageError("--live serves one run and writes no file; give one RUN and no -o.")
        _serve(paths[0], port or 0, open_browser=open_browser)
        return
    if port is not None:
        raise UsageError("--port is for --live.")
    if str(output) == "-" and open_browser:
        raise UsageError("--open needs a file; leave out '-o -'.")
    if str(output) != "-":
        _require_writable(output)
    made = _made(paths, device=device, trust=trust)
    for reason in made.missing:
        warn(f"a part of the page could not be made: {reason}")
    _write(made.page, output)
    if open_browser:
        _open(output.resolve().as_uri())


def _made(paths: list[Path], *, device: str | None, trust: bool) -> Report:
    from seqzoo.report.page import report_on, report_on_several

    if len(paths) > 1:
        return report_on_several(paths)
    from seqzoo.cli.opened import opened
    from seqzoo.terminal.console import note

    run = opened(paths[0], device=device, trust=trust, only_run=True)
    if device is not None:
        _ = run.trained  # a device that was asked for and is not there is an error
    note(f"{paths[0]}: reading some of the held-out text")
    return report_on(run)


def _require_writable(path: Path) -> None:
    """Checked before any work; raises UsageError. Only a report may be replaced."""
    from seqzoo.errors import UsageError
    from seqzoo.regular_files import read_bytes

    if not path.absolute().parent.is_dir():
        raise UsageError(f"-o {path}: there is no folder {path.parent}.")
    if not path.exists():
        return
    try:
        is_report = _MARK in read_bytes(path, limit=_MAX_BYTES)[:_MARK_WITHIN]
    except OSError:
        is_report = False
    if not is_report:
        raise UsageError(f"-o {path} exists and is no report of seqzoo; choose another name.")


_MARK, _MARK_WITHIN, _MAX_BYTES = b'<meta name="seqzoo-page" content="report">', 2000, 1 << 26


def _write(page: str, path: Path) -> None:
    from seqzoo.errors import EnvironmentFault
    from seqzoo.storage import write_whole
    from seqzoo.terminal.console import write
    from seqzoo.terminal.streams import write_data

    if str(path) == "-":
        write_data(page)
        return
    try:
        write_whole(path, page)
    except OSError as error:
        raise EnvironmentFault(f"{path} cannot be written: {error.strerror}.") from error
    write(f"{path}\n")


def _serve(run: Path, port: int, *, open_browser: bool) -> None:
    import threading

    from seqzoo.report.live import LiveServer
    from seqzoo.terminal.console import note, write

    with LiveServer(run, port=port) as server:
        write(f"{server.url}\n")
        note("The page follows the run; Ctrl-C ends it and does not touch the run.")
        if open_browser:  # a browser in the terminal returns when it is left
            threading.Thread(target=_open, args=(server.url,), daemon=True).start()
        try:
            server.serve_forever(poll_interval=0.2)
        except KeyboardInterrupt:
            note("The page is no longer served.")


def _open(address: str) -> None:
    """Open an address; warn if there is no browser."""
    import webbrowser

    from seqzoo.terminal.console import warn

    if not webbrowser.open(address):
        warn(f"no web browser could be opened; open {address} yourself.")
