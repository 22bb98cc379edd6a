"""The laws of checks of the doctor, tried on a small model, its batches and their text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from seqzoo.doctor.evidence.given import Settings
from seqzoo.doctor.evidence.missing import Missing
from seqzoo.doctor.subject import Subject
from seqzoo.doctor.subjects.code import Code, subject_of_code
from seqzoo.plugin.check import Check, Outcome
from seqzoo.plugin.registry import Registry
from seqzoo.testing.given import Given, NotHere
from seqzoo.testing.law import Law, law, require
from seqzoo.testing.materials import as_array, words
from seqzoo.testing.watching import changes, printed

__all__ = ["GIVEN", "LAWS"]

_ROWS, _LENGTH, _HIDDEN = 4, 16, 8
_TEXT, _HELD_OUT = words(16_000), words(2000, seed=5)


class _Model(nn.Module):
    """What a user examines: torch's own layers, and the state as they return it."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(256, _HIDDEN)
        self.layer = nn.GRU(_HIDDEN, _HIDDEN, batch_first=True)
        self.head = nn.Linear(_HIDDEN, 256)

    def forward(self, tokens: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Logits (B, T, 256) and the next state."""
        outputs, state = self.layer(self.embed(tokens), state)
        return self.head(outputs), state


def _batches() -> Iterator[tuple[np.ndarray, np.ndarray]]:
    lanes = as_array(_TEXT)[: len(_TEXT) // _ROWS * _ROWS].reshape(_ROWS, -1)
    for start in range(0, lanes.shape[1] - _LENGTH - 1, _LENGTH):
        yield lanes[:, start : start + _LENGTH], lanes[:, start + 1 : start + _LENGTH + 1]


class GIVEN(Given[Check]):
    """A check, which has no options of its own."""

    def build(self) -> None:
        """Nothing is built: a check is a function."""

    def outcome(self, subject: Subject) -> Any:
        """What it returns; skipped where the subject lacks what it looks at."""
        try:
            return self.spec.examine(subject)
        except Missing as reason:
            raise NotHere(f"it needs more than a small model and its text: {reason}") from reason


def _subject(model: nn.Module | None = None, *, quick: bool = True) -> Subject:
    torch.manual_seed(0)
    code = Code(model=model or _Model(), batches=_batches, corpus=_TEXT, held_out=_HELD_OUT)
    return subject_of_code(code, Registry(), settings=Settings(quick=quick, seconds=1.0))


@law(
    "check.outcome",
    says="`examine` returns an Outcome with what was seen, and for a finding why and a remedy",
    cause="a text or a boolean in place of an Outcome, or an attribute that a subject can lack and "
    "that is caught as another error",
    is_gate=True,
)
def _outcome(given: GIVEN) -> None:
    outcome = given.outcome(_subject(quick=given.spec.is_quick))
    require(isinstance(outcome, Outcome), f"`examine` returned a {type(outcome).__name__}")
    known = outcome.status in ("pass", "warn", "fail", "skip")
    require(known, f"the status is {outcome.status!r}")
    require(bool(str(outcome.seen).strip()), "`seen` is empty")
    if outcome.status in ("warn", "fail"):
        require(bool(outcome.why and outcome.remedy), "why or remedy of the finding is empty")


@law(
    "check.untouched",
    says="it changes neither the weights nor the mode of the model that is examined",
    cause="training or `eval()` on `network.module`; work on `network.copied()`",
)
def _untouched(given: GIVEN) -> None:
    model = _Model()
    values = {name: each.clone() for name, each in model.state_dict().items()}
    subject = _subject(model, quick=given.spec.is_quick)
    mode = model.training
    given.outcome(subject)
    after = model.state_dict()
    changed = [name for name in values if not torch.equal(after[name], values[name])]
    require(not changed, f"{', '.join(changed)} changed")
    require(model.training == mode, "the model is in another mode afterwards")
    has_gradient = [name for name, each in model.named_parameters() if each.grad is not None]
    require(not has_gradient, f"{', '.join(has_gradient[:3])} has a gradient afterwards")


@law(
    "check.repeatable",
    says="the same subject gives the same status",
    cause="random numbers without `subject.seed`",
)
def _repeatable(given: GIVEN) -> None:
    first, again = (given.outcome(_subject(quick=given.spec.is_quick)).status for _ in range(2))
    require(first == again, f"the status is {first} and then {again}")


@law(
    "check.silent",
    says="it prints nothing and changes nothing that other plugins share",
    cause="a print for debugging that was left in, or a setting of torch",
)
def _silent(given: GIVEN) -> None:
    subject = _subject(quick=given.spec.is_quick)
    with changes() as changed, printed() as said:
        given.outcome(subject)
    require(not said.getvalue(), f"it printed {said.getvalue()[:60]!r}")
    changed = [name for name in changed if "random" not in name]
    require(not changed, f"it changed {', '.join(changed)}")


@law(
    "check.explains",
    says="what it explains are names of checks, `group.what`, or of groups, `group.*`",
    cause="a name without its group",
)
def _explains(given: GIVEN) -> None:
    wrong = [name for name in given.spec.explains if name.count(".") != 1]
    require(not wrong, f"it explains {', '.join(map(repr, wrong))}")


LAWS: tuple[Law, ...] = (_outcome, _untouched, _repeatable, _silent, _explains)
