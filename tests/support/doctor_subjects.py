"""Small subjects for tests of the doctor."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from seqzoo import Tokenizer
from seqzoo.doctor.evidence.network import Network
from seqzoo.doctor.subject import RunSoFar, Settings, Subject, Text
from seqzoo.plugin.check import Check, Outcome
from seqzoo.plugin.registry import Registry
from seqzoo.recipes.sections import BudgetSection
from seqzoo.results.ladder import Ladder, Rung
from seqzoo.training.updates import Effort


def subject(
    *,
    registry: Registry | None = None,
    quick: bool = False,
    recipe: Any = None,
    run: Any = None,
    metrics: Sequence[Mapping[str, float]] = (),
    data: Any = None,
    tokens: np.ndarray | None = None,
    held_out: np.ndarray | None = None,
    vocab_size: int | None = None,
    tokenizer: Tokenizer | None = None,
    network: Callable[[], Network] | None = None,
) -> Subject:
    """A subject that has nothing but what a test gives."""
    return Subject(
        title="test",
        registry=registry or Registry(),
        settings=Settings(quick=quick),
        recipe=recipe,
        run=None if run is None else RunSoFar(run, metrics),
        text=Text(data=data, tokenizer=tokenizer, tokens=tokens, held_out=held_out),
        vocab_size=vocab_size,
        network=network,
    )


def check(
    name: str,
    outcome: Outcome | BaseException,
    *,
    explains: tuple[str, ...] = (),
    rank: int = 100,
    is_quick: bool = True,
    is_gate: bool = False,
) -> Check:
    """A check with a given outcome."""

    def examine(_: Subject) -> Outcome:
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    return Check(
        name=name,
        summary="has a given outcome",
        examine=examine,
        explains=explains,
        rank=rank,
        is_quick=is_quick,
        is_gate=is_gate,
    )


def curve(
    validation: list[float], *, training: list[float] | None = None, **last: float
) -> list[dict[str, float]]:
    """Logged lines: a validation every 100 updates, a training loss before each."""
    lines: list[dict[str, float]] = []
    for number, bits in enumerate(validation, start=1):
        loss = (training or validation)[number - 1]
        line = {"step": 100 * number, "bits_per_byte": loss, "bytes": 5000 * number}
        lines.append({**line, "learning_rate": 1e-3})
        lines.append(
            {
                "step": 100 * number,
                "validation_bits_per_byte": bits,
                "validation_accuracy": 1 - bits / 8,
            }
        )
    lines[-2] |= last
    return lines


def run_of(
    lines: Sequence[Mapping[str, float]],
    *,
    training_bytes: int = 1000,
    is_finished: bool = True,
    held_out: np.ndarray | None = None,
    network: Callable[[], Network] | None = None,
) -> Subject:
    """A run that has only its logged lines."""
    data = SimpleNamespace(splits=SimpleNamespace(training=range(training_bytes)))
    last = int(lines[-1]["step"])
    budget = BudgetSection(steps=last if is_finished else 2 * last)
    run = SimpleNamespace(
        experiment=SimpleNamespace(recipe=SimpleNamespace(train=SimpleNamespace(budget=budget))),
        effort=Effort(last, 0, 0.0, 0),
    )
    return subject(run=run, metrics=lines, data=data, held_out=held_out, network=network)


def with_ladder(given: Subject, **bits: float) -> Subject:
    """The n-gram rungs by order, each with an accuracy of 1 - bits / 8."""
    rungs = tuple(
        Rung(
            f"order-{order}",
            {"validation": value},
            {"validation": 1 - value / 8},
            context_length=int(order),
        )
        for order, value in ((name.removeprefix("order_"), value) for name, value in bits.items())
    )
    given.__dict__["ladder"] = Ladder(rungs)
    return given


RUNGS = {"order_0": 4.8, "order_1": 3.6, "order_2": 2.9, "order_3": 2.4, "order_4": 2.2}
