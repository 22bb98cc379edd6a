"""examine(model=..., batches=..., corpus=...) -> Diagnosis."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import nn

from seqzoo.doctor.checks import select_checks
from seqzoo.doctor.diagnosis import Diagnosis, diagnose
from seqzoo.doctor.evidence.network import Forward, Loss
from seqzoo.doctor.report.text import print_diagnosis
from seqzoo.doctor.subjects.code import Batches, MakeOptimizer, Text, subject_of_code
from seqzoo.plugin.registry import load_registry
from seqzoo.terminal.console import results

__all__ = ["examine"]


def examine(
    *,
    model: nn.Module | Callable[[], nn.Module] | None = None,
    batches: Batches | None = None,
    corpus: Text | None = None,
    held_out: Text | None = None,
    forward: Forward | None = None,
    loss: Loss | None = None,
    optimizer: MakeOptimizer | None = None,
    carry_state: bool = True,
    clip_norm: float | None = None,
    quick: bool = False,
    seed: int = 1,
    only: Sequence[str] = (),
    show: bool = True,
) -> Diagnosis:
    """Check a model, the batches that it is trained on, or both; print the report, and return it.

    model: a torch module that maps tokens (B, T) to logits (B, T, V), or tokens and a state to
    logits and a state; or a function that builds one, so that it can be initialised anew.
    batches: pairs (inputs, targets) of arrays: ids (B, T), or one-hot with a further dimension;
    negative targets are padding.
    An iterator is read from where it stands; a function that gives one is read from its beginning.
    corpus: the text that the batches are made of, as bytes, an array, or a path. held_out: text
    that they must not hold; without it the end of the corpus is taken to measure with.
    forward: (model, tokens, state) -> (logits, state), where the model is called otherwise.
    loss: (logits, targets) -> scalar, where it is not the mean cross-entropy.
    optimizer: parameters -> torch optimizer; Adam with its defaults without it.
    carry_state: whether training hands the state from each batch to the next.
    clip_norm: the norm that training clips gradients at, None for never.
    only: names of checks, `group.*` for a group. show: whether to print.
    Raises UsageError where there is nothing to examine.
    """
    registry = load_registry()
    subject = subject_of_code(
        model=model,
        batches=batches,
        corpus=corpus,
        held_out=held_out,
        registry=registry,
        forward=forward,
        loss=loss,
        optimizer=optimizer,
        carry_state=carry_state,
        clip_norm=clip_norm,
        quick=quick,
        seed=seed,
    )
    diagnosis = diagnose(subject, select_checks(registry, only))
    if show:
        print_diagnosis(diagnosis, results())
    return diagnosis
