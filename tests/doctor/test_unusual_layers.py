"""Layers and precisions that are unusual and sound are not findings, and end no check."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from broken_models import H, Plain, V, contiguous
from examined_models import causes, outcome, reported, run_doctor
from torch import Tensor, nn

from seqzoo.plugin.check import Check, Outcome
from seqzoo.plugin.registry import Registry


def with_part(name: str, part: Callable[[], nn.Module]) -> Callable[[], nn.Module]:
    def build() -> nn.Module:
        model = Plain()
        setattr(model, name, part())
        return model

    return build


class Autocast(Plain):
    def forward(self, tokens: Tensor, state: Any = None) -> Any:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits, state = super().forward(tokens, state)
        return logits.float(), state


class LearntStart(Plain):
    """The first state is learnt."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Parameter(torch.zeros(2, 1, 1, H))

    def forward(self, tokens: Tensor, state: Any = None) -> Any:
        if state is None:
            first = self.first.expand(2, 1, len(tokens), H).contiguous()
            state = (first[0], first[1])
        return super().forward(tokens, state)


SOUND = {
    "max_norm": with_part("embed", lambda: nn.Embedding(V, H, max_norm=1.0)),
    "sparse gradients": with_part("embed", lambda: nn.Embedding(V, H, sparse=True)),
    "a lazy head": with_part("head", lambda: nn.LazyLinear(V)),
    "a frozen table": with_part(
        "embed", lambda: nn.Embedding.from_pretrained(torch.randn(V, H), freeze=True)
    ),
    "autocast": Autocast,
    "a learnt first state": LearntStart,
}


@pytest.mark.parametrize("model", SOUND.values(), ids=SOUND)
@pytest.mark.parametrize("as_instance", [False, True], ids=["function", "instance"])
def test_a_sound_model_of_unusual_layers_has_no_finding(model: Any, as_instance: bool) -> None:
    found = run_doctor(
        model() if as_instance else model,
        batches=contiguous,
        carry_state=True,
        quick=True,
        only=["model", "memory", "optimisation"],
    )
    assert causes(found) == [], reported(found)
    assert not any(each.crashed for each in found.examined)


def test_sparse_gradients_are_trained_by_an_optimizer_for_them() -> None:
    class Sparse(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Embedding(V, V, sparse=True)

        def forward(self, tokens: Tensor) -> Tensor:
            logits: Tensor = self.embed(tokens)
            return logits

    found = run_doctor(Sparse, optimizer=torch.optim.SparseAdam, only=["model.gradients"])
    assert causes(found) == [], reported(found)
    assert outcome(found, "model.gradients").status == "pass"


def test_a_check_that_crashes_on_what_another_one_found_broken_is_skipped(
    registry: Registry,
) -> None:
    from seqzoo.doctor.diagnosis import diagnose
    from seqzoo.doctor.subject import Subject

    def broken(_: Any) -> Outcome:
        return Outcome.failed("broken", why="", remedy="")

    def crashes(_: Any) -> Outcome:
        raise RuntimeError("cannot")

    cause = Check(name="a.cause", summary="", examine=broken, explains=("a.later",))
    later = Check(name="a.later", summary="", examine=crashes)
    apart = Check(name="a.apart", summary="", examine=crashes)
    found = diagnose(Subject(title="", registry=registry), [later, cause, apart])
    by_name = {each.check.name: each for each in found.examined}
    assert by_name["a.later"].outcome.seen == "it could not be finished, see a.cause"
    assert by_name["a.later"].outcome.status == "skip"
    assert by_name["a.apart"].crashed


def test_a_model_and_a_loss_that_use_view_are_read() -> None:
    class Views(Plain):
        def forward(self, tokens: Tensor, state: Any = None) -> Any:
            rows, length = tokens.shape
            embedded = self.embed(tokens.view(-1)).view(rows, length, -1)
            out, state = self.lstm(embedded, state)
            return self.head(out), state

    def loss(logits: Tensor, targets: Tensor) -> Tensor:
        return nn.functional.cross_entropy(logits.view(-1, V), targets.view(-1))

    found = run_doctor(Views, loss=loss, batches=contiguous, carry_state=True, quick=True, only=[])
    assert not any(each.crashed for each in found.examined), reported(found)
