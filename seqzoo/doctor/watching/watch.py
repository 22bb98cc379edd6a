"""watch(model, optimizer) -> a context manager that examines the training loop inside it."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from torch import nn

from seqzoo.doctor.diagnosis import Diagnosis, diagnose
from seqzoo.doctor.evidence.generation import Generate
from seqzoo.doctor.evidence.network import Forward
from seqzoo.doctor.report.text import print_diagnosis
from seqzoo.doctor.subjects.code import Batches, CorpusBytes
from seqzoo.doctor.subjects.loop import Loop, checks_of_loop, subject_of_loop
from seqzoo.doctor.watching.copies import copy_of
from seqzoo.doctor.watching.hooks import Hooks
from seqzoo.doctor.watching.recorder import Recorder
from seqzoo.doctor.watching.visit import Visit
from seqzoo.errors import UsageError
from seqzoo.plugin.registry import load_registry
from seqzoo.terminal.console import results

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
            raise RuntimeError("the loop is still watched; read .diagnosis after the with block.")
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
    Raises UsageError if a loop is already watched, or if the model is not a torch module.
    """
    if not isinstance(model, nn.Module):
        raise UsageError(
            f"model is {type(model).__name__}; give the torch module that the loop calls."
        )
    if not _ONE_AT_A_TIME.acquire(blocking=False):
        raise UsageError("a loop is already watched; end its `with` block first.")
    try:
        visit, before = WatchedLoop(), copy_of(model)
        recorder = Recorder(model, optimizer, visit)
        hooks = Hooks(recorder, optimizer)
        hooks.install()
        try:
            yield visit
        except BaseException as error:
            visit.exception = error
            raise
        finally:
            hooks.remove()
            loop = Loop(
                recorder=recorder,
                before=before,
                batches=batches,
                corpus=corpus,
                held_out=held_out,
                forward=forward,
                generate=generate,
                carry_state=carry_state,
            )
            if visit.exception is None:
                _report(visit, loop, quick=quick, seed=seed, only=only, show=show)
            else:
                # The loop's own exception is the one to raise, whatever happens in the report.
                with suppress(Exception):
                    _report(visit, loop, quick=quick, seed=seed, only=only, show=show)
    finally:
        _ONE_AT_A_TIME.release()


def _report(
    visit: WatchedLoop, loop: Loop, *, quick: bool, seed: int, only: Sequence[str], show: bool
) -> None:
    registry = load_registry()
    subject = subject_of_loop(loop, registry, quick=quick, seed=seed)
    visit.end(diagnose(subject, checks_of_loop(registry, visit, only, quick=quick)))
    if show:
        print_diagnosis(visit.diagnosis, results())
