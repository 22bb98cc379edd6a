"""seqzoo resume RUN [key=value ...]"""

from __future__ import annotations

from typing import Annotated

import typer

from seqzoo.cli.options import DEFAULT_RUNS, AsJson, Device, Run, RunsFolder
from seqzoo.cli.trackers import TrackerOption, trackers_override
from seqzoo.cli.trust import GivenFiles, TrustOption, with_trust


def resume(
    run: Run,
    overrides: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[KEY=VALUE]...",
            help="Settings to change, e.g. train.budget.steps=800 to train longer.",
            show_default=False,
        ),
    ] = None,
    runs: RunsFolder = DEFAULT_RUNS,
    tracker: TrackerOption = None,
    device: Device = None,
    trust: TrustOption = False,
    trusted_files: GivenFiles = None,
    as_json: AsJson = False,
) -> None:
    """Continue a stopped or killed run, or train a finished one longer.

    The result is bit-for-bit the same as that of an uninterrupted run. Settings
    can change that do not change what has been trained: the budget, validation,
    checkpoints, logging, scoring and samples. The run records the change.
    """
    from seqzoo.cli.plugins import installed
    from seqzoo.cli.result import print_run, printed_if_unsaved
    from seqzoo.runs.api import resume as resume_run

    registry = with_trust(installed(), trust, trusted_files)
    given = [*trackers_override(tracker, registry), *(overrides or [])]
    with printed_if_unsaved(as_json=as_json):
        done = resume_run(run, given, device=device, registry=registry, show_progress=True)
    print_run(done, as_json=as_json)
