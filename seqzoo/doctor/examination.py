"""examine(model=..., batches=..., corpus=...) -> Diagnosis."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import nn

from seqzoo.doctor.checks import select_checks
from seqzoo.doctor.diagnosis import Diagnosis, diagnose
from seqzoo.doctor.evidence.generation import Generate
from seqzoo.doctor.evidence.network import Forward, Loss
from seqzoo.doctor.report.text import print_diagnosis
from seqzoo.doctor.subject import Settings
from seqzoo.doctor.subjects.code import Code, subject_of_code
from seqzoo.doctor.subjects.code_arguments import names_of, require_flag
from seqzoo.doctor.subjects.code_pipeline import Batches
from seqzoo.doctor.subjects.code_text import CorpusBytes
from seqzoo.doctor.subjects.code_trainer import MakeOptimizer
from seqzoo.plugin.registry import load_registry
from seqzoo.runs.arguments import whole_number
from seqzoo.terminal.console import results

__all__ = ["examine"]


def examine(
    *,
    model: nn.Module | Callable[[], nn.Module] | None = None,
    batches: Batches | None = None,
    corpus: CorpusBytes | None = None,
    held_out: CorpusBytes | None = None,
    forward: Forward | None = None,
    loss: Loss | None = None,
    optimizer: MakeOptimizer | None = None,
    carry_state: bool = True,
    clip_norm: float | None = None,
    generate: Generate | None = None,
    quick: bool = False,
    seed: int = 1,
    only: Sequence[str] = (),
    show: bool = True,
) -> Diagnosis:
    """Check a model, the batches that it is trained on, or both; print the report, and return it.

    model: a torch module that maps tokens (B, T) to logits (B, T, V), or tokens and a state to
    logits and a state; or a function that builds one, so that new ones can be initialised. Models
    that are called or answer in other usual ways are tried with the first batch.
    batches: pairs (inputs, targets) of arrays: ids (B, T), or one-hot with one more dimension;
    negative targets are padding. An iterator is read from its current position; a function that
    returns one is called to read from the beginning.
    corpus: the text that the batches are made of, as bytes, an array, or a path. held_out: text
    that they must not contain; without it, the end of the corpus is used to measure.
    forward: (model, tokens, state) -> (logits, state), if the model is called in another way.
    loss: (logits, targets) -> scalar, if it is not the mean cross-entropy.
    optimizer: parameters -> torch optimizer; the default is Adam with its defaults.
    carry_state: whether training passes the state from each batch to the next.
    clip_norm: the norm at which training clips gradients, None for never.
    generate: (model, prompt, length) -> ids, your own function that generates text; the prompt is
    a list of ids, and the answer the ids after it.
    quick: without a short training. only: names of checks, `group.*` for a group.
    show: whether to print. seed: of initialisation and random draws, from 0 to 2**63 - 1.
    Raises UsageError if there is nothing to examine, or an argument is of the wrong kind.
    """
    seed = whole_number("seed", seed, 2**63 - 1)
    require_flag("quick", quick)
    require_flag("show", show)
    only = names_of(only)
    code = Code(
        model=model,
        batches=batches,
        corpus=corpus,
        held_out=held_out,
        forward=forward,
        loss=loss,
        optimizer=optimizer,
        carry_state=carry_state,
        clip_norm=clip_norm,
        generate=generate,
    )
    registry = load_registry()
    subject = subject_of_code(code, registry, settings=Settings(quick=quick, seed=seed))
    diagnosis = diagnose(subject, select_checks(registry, only))
    if show:
        print_diagnosis(diagnosis, results())
    return diagnosis
