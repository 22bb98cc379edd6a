"""seqzoo eval RUN"""

from __future__ import annotations

import json
from typing import Annotated

import typer

from seqzoo.cli.options import AsJson, Device, Run, Step


def evaluate(
    run: Run,
    split: Annotated[
        str, typer.Option(help="validation, test, held_out, or all three.", metavar="NAME")
    ] = "all",
    lanes: Annotated[
        int | None, typer.Option(min=1, help="Stretches read side by side; else the recipe's.")
    ] = None,
    warmup: Annotated[
        int | None, typer.Option(min=0, help="Unscored tokens before each further lane.")
    ] = None,
    step: Step = None,
    device: Device = None,
    as_json: AsJson = False,
) -> None:
    """Score a run again, exactly, every byte once.

    With no options this also writes result.json anew.
    """
    from seqzoo.cli.plugins import installed
    from seqzoo.cli.report import report, score_table
    from seqzoo.console import results
    from seqzoo.errors import UsageError, did_you_mean
    from seqzoo.evaluate import Protocol
    from seqzoo.rundirectory import open_run_directory
    from seqzoo.runner import rescore
    from seqzoo.scoring import recipe_protocol, score_splits
    from seqzoo.trained import load_trained, reopen_data

    names = ("validation", "test", "held_out")
    split = split.replace("-", "_")
    if split not in (*names, "all"):
        raise UsageError(f"'{split}' is not a split.{did_you_mean(split, (*names, 'all'))}")
    if (split, lanes, warmup, step) == ("all", None, None, None):
        # result.json is a run's own business: not while another process works in it.
        with open_run_directory(run).locked():
            trained = load_trained(run, installed(), device=device)
            result = rescore(trained, reopen_data(trained.directory, trained.recipe))
        report(trained.directory, result, as_json=as_json)
        return
    trained = load_trained(run, installed(), device=device, step=step)
    data = reopen_data(trained.directory, trained.recipe)
    own = recipe_protocol(trained.recipe)
    asked = lanes or own.lanes
    section = trained.recipe.evaluate
    protocol = Protocol(
        lanes=asked,
        warmup_tokens=(section.warmup_tokens if warmup is None else warmup) if asked > 1 else 0,
        chunk_length=own.chunk_length,
    )
    scores = score_splits(
        trained.model,
        trained.tokenizer,
        data,
        runtime=trained.runtime,
        protocol=protocol,
        splits=names if split == "all" else (split,),
    )
    if as_json:
        found = {name: score.model_dump(mode="json") for name, score in scores.items()}
        print(json.dumps({"protocol": str(protocol), "step": trained.step, "scores": found}))
        return
    console = results()
    console.print(f"{trained.directory.path}, step {trained.step}; {protocol}", markup=False)
    console.print(score_table(scores))
