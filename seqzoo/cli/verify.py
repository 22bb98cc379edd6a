"""seqzoo verify RUN"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from seqzoo.cli.opened import opened
from seqzoo.cli.options import DEFAULT_RUNS, AsJson, Device, Run, RunsFolder, whole_number
from seqzoo.cli.trust import TrustOption

if TYPE_CHECKING:
    from seqzoo.runs.run import Run as OpenRun
    from seqzoo.runs.verdict import Verdict

_SIGNS = {"holds": "green", "broken": "bold red", "skipped": "dim"}


def verify(
    run: Run,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Also train the recipe for some updates, once without and once with a stop "
            "between, and compare all the bits.",
        ),
    ] = False,
    steps: Annotated[
        int,
        whole_number("--steps", least=1, help="For --resume: updates before the stop, and after."),
    ] = 10,
    runs: RunsFolder = DEFAULT_RUNS,
    device: Device = None,
    trust: TrustOption = False,
    as_json: AsJson = False,
) -> None:
    """Prove that a run is whole: every promise of the files is checked again.

    The recipe is that of the training, every file of every checkpoint has the
    recorded sha256, all weights are finite, the log has no gaps, and every
    number of the result is what a fresh evaluation and the checkpoint say. The
    run is not changed. A broken promise gives exit code 6.
    """
    from seqzoo.errors import FindingsError
    from seqzoo.terminal.streams import write_data

    loaded = opened(run, device=device, trust=trust, only_run=True)
    verdicts = _verdicts(loaded, steps if resume else None, is_shown=not as_json)
    if as_json:
        found = [vars(each) for each in verdicts]
        write_data(json.dumps({"run": str(run), "checks": found}))
    broken = [each.check for each in verdicts if each.outcome == "broken"]
    if broken:
        raise FindingsError(f"{run} breaks a promise: {', '.join(broken)}.")


def _verdicts(run: OpenRun, steps: int | None, *, is_shown: bool) -> list[Verdict]:
    from seqzoo.runs.verdict import verdict_of
    from seqzoo.runs.verify import verify as verdicts_of
    from seqzoo.runs.verify_resume import verify_resume

    found = []
    for verdict in verdicts_of(run):
        found.append(verdict)
        _show(verdict, is_shown)
    if steps is not None:
        proof = verdict_of("resume", lambda: verify_resume(run, before=steps, after=steps))
        found.append(proof)
        _show(proof, is_shown)
    return found


def _show(verdict: Verdict, is_shown: bool) -> None:
    from rich.table import Table
    from rich.text import Text

    from seqzoo.terminal.console import results

    if not is_shown:
        return
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column(width=8, no_wrap=True)
    table.add_column(width=11, no_wrap=True)
    table.add_column(overflow="fold")
    style = _SIGNS[verdict.outcome]
    table.add_row(Text(verdict.outcome, style=style), verdict.check, Text(verdict.detail))
    results().print(table)
