"""seqzoo eval RUN"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from seqzoo.cli.opened import opened
from seqzoo.cli.options import DEFAULT_RUNS, AsJson, Device, Run, RunsFolder, Step, split_named

if TYPE_CHECKING:
    from seqzoo.recipes.load import Recipe
    from seqzoo.recipes.sections import AdaptiveSection
    from seqzoo.scoring.static import Protocol


def evaluate(
    run: Run,
    split: Annotated[
        str, typer.Option(help="validation, test, held_out, or all three.", metavar="NAME")
    ] = "all",
    adaptive: Annotated[
        bool,
        typer.Option(
            "--adaptive", help="Score while the model learns: dynamic evaluation, 1 lane."
        ),
    ] = False,
    adapt: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE",
            help="How to learn, e.g. --adapt learning_rate=1e-3; default: the recipe's settings.",
        ),
    ] = None,
    lanes: Annotated[
        int | None,
        typer.Option(min=1, help="Parts of the split read in parallel; default: the recipe's."),
    ] = None,
    warmup: Annotated[
        int | None, typer.Option(min=0, help="Unscored tokens before each lane but the first.")
    ] = None,
    step: Step = None,
    runs: RunsFolder = DEFAULT_RUNS,
    device: Device = None,
    as_json: AsJson = False,
) -> None:
    """Score a run again, exactly, every byte once.

    Without options, or with only --adaptive and --adapt, it also writes result.json.
    With --adaptive, the model is scored on each segment before it learns from it.
    The weights of the run do not change.
    """
    from seqzoo.cli.report import report, score_table
    from seqzoo.errors import UsageError
    from seqzoo.plugin.specs import SPLITS
    from seqzoo.runs.directory import open_run_directory
    from seqzoo.runs.score import score_adaptively, score_run
    from seqzoo.scoring.splits import static_scores
    from seqzoo.terminal.console import results

    split = split_named(split, "all")
    learning = adaptive or bool(adapt)
    if learning and (lanes or 1, warmup or 0) != (1, 0):
        raise UsageError("--adaptive uses one lane; leave out --lanes and --warmup.")
    trained = opened(run, device=device, step=step)
    if (split, lanes, warmup, step) == ("all", None, None, None):
        # result.json belongs to the run: it is not written while another process uses the run.
        with open_run_directory(run).locked():
            recipe = trained.trained.experiment.recipe
            section = _section(recipe, adapt) if learning else None
            result = score_run(trained.trained, adaptive=section)
        report(trained.path, result, as_json=as_json)
        return
    experiment = trained.trained.experiment
    splits = SPLITS if split == "all" else (split,)
    if learning:
        record = score_adaptively(experiment, _section(experiment.recipe, adapt), splits=splits)
        said, scores = f"{record.protocol.name}, {record.method}", record.scores
    else:
        protocol = _protocol(experiment.recipe, lanes, warmup)
        said = str(protocol)
        scores = static_scores(
            experiment.model,
            experiment.tokenizer,
            experiment.data,
            runtime=experiment.runtime,
            protocol=protocol,
            display=experiment.display,
            splits=splits,
        )
    if as_json:
        found = {name: score.model_dump(mode="json") for name, score in scores.items()}
        print(json.dumps({"protocol": said, "step": trained.step, "scores": found}))
        return
    console = results()
    console.print(f"{trained.path}, step {trained.step}; {said}", markup=False)
    console.print(score_table(scores))


def _section(recipe: Recipe, adapt: list[str] | None) -> AdaptiveSection:
    """The recipe's settings, or the defaults, with the changes of --adapt."""
    from seqzoo.recipes.load import options_from
    from seqzoo.recipes.sections import AdaptiveSection

    own = recipe.evaluate.adaptive or AdaptiveSection()
    return options_from(AdaptiveSection, adapt or [], source="--adapt", defaults=own.model_dump())


def _protocol(recipe: Recipe, lanes: int | None, warmup: int | None) -> Protocol:
    from seqzoo.scoring.static import Protocol, recipe_protocol

    own = recipe_protocol(recipe.evaluate)
    asked = lanes or own.lanes
    given = recipe.evaluate.warmup_tokens if warmup is None else warmup
    return Protocol(
        lanes=asked, warmup_tokens=given if asked > 1 else 0, chunk_length=own.chunk_length
    )
