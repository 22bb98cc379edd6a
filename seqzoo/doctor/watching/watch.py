"""watch(model, optimizer) -> a context manager that examines the training loop inside it."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import nn

from seqzoo.doctor.checks import select_checks
from seqzoo.doctor.diagnosis import Diagnosis, diagnose
from seqzoo.doctor.evidence.generation import Generate
from seqzoo.doctor.evidence.missing import cause_of
from seqzoo.doctor.evidence.network import Forward
from seqzoo.doctor.report.text import print_diagnosis
from seqzoo.doctor.subjects.code_arguments import (
    names_of,
    require_batches,
    require_flag,
    require_function,
    require_loop_optimizer,
)
from seqzoo.doctor.subjects.code_pipeline import Batches
from seqzoo.doctor.subjects.code_text import CorpusBytes, text_of_code
from seqzoo.doctor.subjects.loop import Loop, checks_of_loop, subject_of_loop
from seqzoo.doctor.watching.copies import copy_of
from seqzoo.doctor.watching.generators import generators, set_generators
from seqzoo.doctor.watching.hooks import Hooks
from seqzoo.doctor.watching.recorder import Recorder
from seqzoo.doctor.watching.visit import Visit
from seqzoo.errors import UsageError
from seqzoo.plugin.registry import load_registry
from seqzoo.runs.arguments import whole_number
from seqzoo.terminal.console import note, results

__all__ = ["WatchedLoop", "watch"]

_ONE_AT_A_TIME = threading.Lock()


@dataclass(kw_only=True)
class WatchedLoop(Visit):
    """A loop in a `with` block. `diagnosis` is there when the block has ended."""

    _diagnosis: Diagnosis | None = None

    @property
    def diagnosis(self) -> Diagnosis:
        """What the doctor says of the loop. Raises RuntimeError inside the `with` block."""
        if self._diagnosis is None:
            raise RuntimeError(
                "there is no report yet: read .diagnosis after the with block has ended."
            )
        return self._diagnosis

    def end(self, diagnosis: Diagnosis) -> None:
        """The loop has ended, and this was found."""
        self._diagnosis = diagnosis


@contextmanager
def watch(
    model: nn.Module,
    optimizer: Any = None,
    *,
    batches: Batches | None = None,
    corpus: CorpusBytes | None = None,
    held_out: CorpusBytes | None = None,
    forward: Forward | None = None,
    generate: Generate | None = None,
    carry_state: bool | None = None,
    quick: bool = True,
    seed: int = 1,
    only: Sequence[str] = (),
    show: bool = True,
) -> Iterator[WatchedLoop]:
    """Examine the training loop in the `with` block; print the report when it ends.

    The loop stays as it is: the watch sees the model's calls, the backward passes and the steps of
    optimizers, changes no value, and after 50 steps only counts.

    model: the module that the loop calls and trains. optimizer: its optimizer; without it, every
    torch optimizer that has a parameter of the model is watched.
    batches: a function that makes the batches again, as for `examine`; without it, what the model
    read and the loss's targets are the batches.
    corpus, held_out, forward: as for `examine`.
    generate: (model, prompt, length) -> ids, your own function that generates text.
    carry_state: whether the state is passed from step to step; without it, this is seen from the
    model's calls. quick: without a short training of the doctor's own. seed: of random draws.
    only: names of checks, `group.*` for a group. show: whether to print.
    Gives a `WatchedLoop`; its `diagnosis` can be read after the block. An exception of the loop is
    reported and raised again.
    Raises UsageError, before the loop, if another one is watched, an argument is of the wrong kind,
    a corpus cannot be read or a check does not exist.
    """
    if not isinstance(model, nn.Module):
        raise UsageError(
            f"model is {type(model).__name__}; give the torch module that the loop calls."
        )
    require_loop_optimizer(optimizer)
    require_batches(batches)
    require_function("forward", forward, "model, tokens, state", "logits and the state")
    require_function("generate", generate, "model, prompt, length", "ids")
    require_flag("carry_state", carry_state, or_none=True)
    require_flag("quick", quick)
    require_flag("show", show)
    seed, only = whole_number("seed", seed, 2**63 - 1), names_of(only)
    if not _ONE_AT_A_TIME.acquire(blocking=False):
        raise UsageError("a loop is already watched; end its `with` block first.")
    draws = generators()
    try:
        # What can be wrong with these is said before the loop, and not after hours of it.
        registry, text = load_registry(), text_of_code(corpus, held_out)
        select_checks(registry, only)
        visit, before = WatchedLoop(), copy_of(model)
        recorder = Recorder(model, optimizer, visit)
        hooks = Hooks(recorder, optimizer)
        hooks.install()
        set_generators(draws)  # a module that is imported for the first time may draw
        try:
            yield visit
        except BaseException as error:
            visit.exception = error
            raise
        finally:
            hooks.remove()
            hooks.guarded(recorder.finish)
            draws = generators()
            loop = Loop(
                recorder=recorder,
                before=before,
                text=text,
                batches=batches,
                forward=forward,
                generate=generate,
                carry_state=carry_state,
            )
            try:
                subject = subject_of_loop(loop, registry, quick=quick, seed=seed)
                visit.end(diagnose(subject, checks_of_loop(registry, visit, only, quick=quick)))
                if show:
                    print_diagnosis(visit.diagnosis, results())
            except Exception as error:
                # A script that has trained for hours must still save its model.
                note(f"The report of the watched loop could not be made: {cause_of(error)}.")
            set_generators(draws)
    finally:
        _ONE_AT_A_TIME.release()
