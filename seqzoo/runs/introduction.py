"""What a run says before it trains: corpus, model, machine, budget, expected time."""

from __future__ import annotations

import math
from collections.abc import Mapping

from seqzoo.recipes.sections import BudgetSection
from seqzoo.runs.directory import RunDirectory
from seqzoo.runs.expected import tokens_of_budget
from seqzoo.runs.experiment import Experiment
from seqzoo.terminal.format import quoted
from seqzoo.training.updates import Training

__all__ = ["introduction"]


def introduction(
    directory: RunDirectory,
    experiment: Experiment,
    training: Training,
    expected: Mapping[str, str],
) -> dict[str, str]:
    """The facts in the order in which they are shown, by name.

    expected: how long each stage will take, in words.
    """
    data, tokenizer, runtime = experiment.data, experiment.tokenizer, experiment.runtime
    splits, vocab_size = data.splits, tokenizer.vocab_size
    parameters = sum(parameter.numel() for parameter in training.model.parameters())
    per_token = training.bytes_per_token
    sizes = ", ".join(
        f"{len(span):,} for {use}"
        for use, span in (
            ("training", splits.training),
            ("validation", splits.validation),
            ("test", splits.test),
        )
    )
    threads = _count(runtime.threads, "thread")
    if runtime.threads_reason:
        threads = runtime.threads_reason
    facts = {
        "corpus": f"{data.corpus.name}, {len(data.corpus.data):,} bytes: {sizes}",
        "tokenizer": f"{experiment.recipe.tokenizer.name}, vocabulary of {vocab_size:,}"
        + ("" if per_token == 1 else f", {per_token:.2f} bytes per token"),
        "architecture": f"{experiment.recipe.architecture.name}, {parameters:,} parameters",
        "device": f"{runtime.device}, {threads}, {runtime.precision}"
        + ("" if training.ranks is None else f"; {training.ranks.count} processes"),
        "budget": _budget(training),
        "expected time": ", ".join(f"{stage} {words}" for stage, words in expected.items()),
        "scores": "bits per byte; lower is better, and a uniform guess has 8",
        "folder": f"{quoted(directory.path)}; Ctrl-C stops and saves",
    }
    if experiment.start is not None:
        record = experiment.start.record
        facts["starts from"] = f"{quoted(record.path)}, step {record.step}"
    if training.step:
        facts["continues"] = f"from step {training.step:,}"
    return {name: value for name, value in facts.items() if value}


def _budget(training: Training) -> str:
    section = training.section
    tokens = tokens_of_budget(
        section, bytes_per_token=training.bytes_per_token, epoch_tokens=training.epoch_tokens
    )
    words = _limits(section.budget)
    if tokens < float("inf"):
        read = tokens * training.bytes_per_token
        share = tokens / training.epoch_tokens
        words += f"; about {read:,.0f} bytes, {_times(share)} the training part"
    return words


def _times(share: float) -> str:
    """E.g. "910 times", "4.3 times", "less than 0.01 times": never as a power of ten."""
    if share < 0.01:
        return "less than 0.01 times"
    digits = max(0, 1 - math.floor(math.log10(share)))
    return f"{round(share, digits):,.{digits}f} times"


def _limits(budget: BudgetSection) -> str:
    """The limits of a budget in words, e.g. "400 updates or 100 s, whichever comes first"."""
    limits = []
    if budget.steps is not None:
        limits.append(_count(budget.steps, "update"))
    if budget.bytes is not None:
        limits.append(f"{budget.bytes:,} bytes")
    if budget.epochs is not None:
        passes = "pass" if budget.epochs == 1 else "passes"
        limits.append(f"{budget.epochs:g} {passes} over the training part")
    if budget.seconds is not None:
        limits.append(f"{budget.seconds:g} s")
    return " or ".join(limits) + (", whichever comes first" if len(limits) > 1 else "")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
