"""seqzoo eval RUN"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seqzoo.cli.baselines import Baselines, baselines_section
from seqzoo.cli.opened import opened
from seqzoo.cli.options import (
    DEFAULT_RUNS,
    Adapt,
    AsJson,
    Device,
    Run,
    RunsFolder,
    Step,
    split_named,
    whole_number,
)
from seqzoo.cli.prove import Prove, proven, require_provable
from seqzoo.cli.trust import TrustOption

if TYPE_CHECKING:
    from collections.abc import Mapping

    from seqzoo.plugin.span import Span
    from seqzoo.recipes.load import Recipe
    from seqzoo.recipes.sections import AdaptiveSection, EvaluateSection
    from seqzoo.runs.run import Run as OpenRun
    from seqzoo.scoring.static import Protocol


def evaluate(
    run: Run,
    split: Annotated[
        str | None,
        typer.Option(
            help="train, validation, test, held_out, or all; default: all but train.",
            metavar="NAME",
            show_default=False,
        ),
    ] = None,
    file: Annotated[
        list[Path] | None,
        typer.Option(
            help="Score this file instead of the corpus, from an empty state; - reads stdin. Can "
            "be repeated.",
            show_default=False,
        ),
    ] = None,
    max_bytes: Annotated[
        int | None,
        whole_number(
            "--max-bytes",
            least=1,
            help="Score only the first bytes of each split or file.",
            show_default=False,
        ),
    ] = None,
    per_byte: Annotated[
        bool,
        typer.Option(
            "--per-byte",
            help="Print the cost of every byte as CSV: name, offset, byte, character and bits.",
        ),
    ] = False,
    adaptive: Annotated[
        bool,
        typer.Option(
            "--adaptive", help="Score while the model learns: dynamic evaluation, 1 lane."
        ),
    ] = False,
    adapt: Adapt = None,
    lanes: Annotated[
        int | None,
        whole_number(
            "--lanes",
            least=1,
            help="Parts of the split read in parallel; default: the recipe's.",
        ),
    ] = None,
    warmup: Annotated[
        int | None,
        whole_number(
            "--warmup",
            least=0,
            help="Unscored tokens before each lane but the first.",
        ),
    ] = None,
    prove: Prove = None,
    baselines: Baselines = None,
    step: Step = None,
    runs: RunsFolder = DEFAULT_RUNS,
    device: Device = None,
    trust: TrustOption = False,
    as_json: AsJson = False,
) -> None:
    """Score a run again, exactly, every byte once.

    Without options, or with only --adaptive, --adapt and --baselines, it also writes result.json,
    and the samples of a run that has none. With --adaptive, the model is scored on each segment
    before it learns from it. With --prove, the split is also compressed and restored with the
    model's probabilities: the size of that file proves the score. The weights of the run do not
    change.
    """
    from seqzoo.cli.result import print_result, printed_if_unsaved
    from seqzoo.errors import UsageError
    from seqzoo.runs.directory import open_run_directory

    asked = None if split is None else split_named(split, "train", "all")
    if asked is not None and file:
        raise UsageError("--split and --file cannot be used together; give one.")
    learning = adaptive or bool(adapt) or prove == "adaptive"
    if learning and (lanes or 1, warmup or 0) != (1, 0):
        raise UsageError("--adaptive uses one lane; leave out --lanes and --warmup.")
    if per_byte and (learning or as_json or not (file or asked)):
        raise UsageError(
            "--per-byte is for the frozen model, prints CSV, and needs --file or --split; leave "
            "out --adaptive, --adapt and --json."
        )
    chosen = baselines_section(baselines)
    is_of_run = (prove is not None or asked in (None, "all")) and not file and not per_byte
    is_result = is_of_run and (max_bytes, lanes, warmup, step) == (None, None, None, None)
    if chosen is not None and not is_result:
        raise UsageError(
            "--baselines is for the scores that result.json keeps; leave out --split, --file, "
            "--max-bytes, --lanes, --warmup and --step."
        )
    if prove is not None:
        require_provable(asked, is_result=is_result)
    trained = opened(run, device=device, step=step, trust=trust, only_run=not file)
    if is_result:
        from seqzoo.runs.score import finish_run  # imports torch: only now

        # result.json belongs to the run: it is not written while another process uses the run.
        with open_run_directory(run).locked(), printed_if_unsaved(as_json=as_json):
            learns = adaptive_section(trained.recipe, adapt) if learning else None
            result = finish_run(trained.trained, adaptive=learns, baselines=chosen)
            if prove is not None:
                result = proven(trained.trained, result, asked, learns)
        print_result(trained.path, result, as_json=as_json)
        return
    evaluate = trained.recipe.evaluate
    if file:
        splits = {str(path): _text(path) for path in file}
        # One lane by default: a short file may have fewer bytes than a corpus has lanes.
        protocol = _protocol(evaluate, lanes or 1, warmup, max_bytes)
    else:
        splits = _splits(trained, asked)
        protocol = _protocol(evaluate, lanes, warmup, max_bytes or evaluate.max_bytes)
    if per_byte:
        from seqzoo.cli.per_byte import print_costs

        print_costs(trained.trained.experiment, splits, protocol, is_corpus=not file)
        return
    learns = adaptive_section(trained.recipe, adapt) if learning else None
    _score(trained, splits, protocol, learns, is_corpus=not file, as_json=as_json)


def _score(
    run: OpenRun,
    splits: Mapping[str, Span],
    protocol: Protocol,
    learns: AdaptiveSection | None,
    *,
    is_corpus: bool,
    as_json: bool,
) -> None:
    """Print the scores of splits or files; nothing is written."""
    from seqzoo.cli.result import print_scores
    from seqzoo.runs.score import score_adaptively
    from seqzoo.runs.scoring_cost import announce_cost
    from seqzoo.scoring.splits import static_scores
    from seqzoo.terminal.console import write
    from seqzoo.terminal.streams import write_data

    experiment = run.trained.experiment
    protocol = protocol.limited_by(max(map(len, splits.values())))
    announce_cost(
        experiment,
        adaptive=learns,
        static=learns is None,
        splits=splits,
        protocol=protocol,
        remedy="to score less: --max-bytes N",
    )
    if learns is not None:
        record = score_adaptively(experiment, learns, splits=splits, protocol=protocol)
        said, scores = f"{record.protocol.name}, {record.method}", record.scores
    else:
        said = str(protocol)
        scores = static_scores(
            experiment.model,
            experiment.tokenizer,
            splits,
            runtime=experiment.runtime,
            protocol=protocol,
            display=experiment.display,
        )
    if is_corpus:
        experiment.data.require_unchanged()
    if as_json:
        found = {name: score.model_dump(mode="json") for name, score in scores.items()}
        write_data(json.dumps({"protocol": said, "step": run.step, "scores": found}))
        return
    write(f"{run.path}, step {run.step}; {said}\n")
    print_scores(scores)


def _splits(run: OpenRun, asked: str | None) -> dict[str, Span]:
    from seqzoo.plugin.specs import SPLITS
    from seqzoo.scoring.splits import named_splits

    names = SPLITS if asked in (None, "all") else (asked,)
    return named_splits(run.trained.experiment.data.splits, names)


def _text(path: Path) -> Span:
    """The bytes of a file or of stdin. Raises UsageError if there are none."""
    from seqzoo.errors import UsageError
    from seqzoo.plugin.span import Span
    from seqzoo.runs.arguments import bytes_of

    data = bytes_of(sys.stdin.buffer.read() if str(path) == "-" else path)
    if not len(data):
        name = "standard input" if str(path) == "-" else str(path)
        raise UsageError(f"{name} is empty; a score needs at least one byte.")
    return Span(data, 0, len(data))


def adaptive_section(recipe: Recipe, adapt: list[str] | None) -> AdaptiveSection:
    """The recipe's settings, or the defaults, with the changes of --adapt."""
    from seqzoo.recipes.load import options_from
    from seqzoo.recipes.sections import AdaptiveSection

    own = recipe.evaluate.adaptive or AdaptiveSection()
    return options_from(AdaptiveSection, adapt or [], source="--adapt", defaults=own.model_dump())


def _protocol(
    own: EvaluateSection, lanes: int | None, warmup: int | None, max_bytes: int | None
) -> Protocol:
    """The recipe's protocol with what the options change; max_bytes is as given."""
    from seqzoo.scoring.static import Protocol

    asked = lanes or own.lanes
    given = own.warmup_tokens if warmup is None else warmup
    return Protocol(
        lanes=asked,
        warmup_tokens=given if asked > 1 else 0,
        chunk_length=own.chunk_length,
        max_bytes=max_bytes,
    )
