"""seqzoo ensemble RUN RUN [RUN ...]"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seqzoo.cli.options import DEFAULT_RUNS, AsJson, Device, RunsFolder, run_named
from seqzoo.cli.trust import TrustOption, with_trust


def ensemble(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN...",
            help="Folders of two or more runs, or their names in --runs.",
            show_default=False,
            callback=run_named,
        ),
    ],
    name: Annotated[
        str | None,
        typer.Option(
            help="Folder of the new run in --runs; default: ensemble, with a number if it exists.",
            show_default=False,
        ),
    ] = None,
    runs: RunsFolder = DEFAULT_RUNS,
    device: Device = None,
    trust: TrustOption = False,
    as_json: AsJson = False,
) -> None:
    """Mix the probabilities of trained runs in a new run, and score it.

    The weights of the mixture are those that predict the validation part best;
    the test part is not used for them. The runs need the same text, split,
    tokenizer and way of scoring. The new run has all their weights: sample,
    eval, report and leaderboard use it like any run. It is not trained.
    """
    from seqzoo.cli.plugins import installed
    from seqzoo.cli.result import print_run, printed_if_unsaved
    from seqzoo.ensembles.api import ensemble as make

    registry = with_trust(installed(), trust)
    with printed_if_unsaved(as_json=as_json):
        made = make(
            paths, root=runs, name=name, device=device, registry=registry, show_progress=True
        )
    print_run(made, as_json=as_json)
