"""How many passes the checks of a loop need, and which kinds of modules they can watch."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from watched_loops import Attention, B, T, V, adam, loss_of, windows

import seqzoo
from seqzoo.doctor.diagnosis import Diagnosis


def of(diagnosis: Diagnosis, name: str) -> Any:
    return next(each.outcome for each in diagnosis.examined if each.check.name == name)


@pytest.mark.parametrize(("passes", "status"), [(9, "skip"), (10, "warn")])
def test_graphs_that_are_kept_are_named_after_ten_passes(passes: int, status: str) -> None:
    model = Attention()
    optimizer, kept = adam(model), []
    with seqzoo.watch(model, optimizer, show=False, only=("loop",)) as visit:
        for x, y in windows(passes):
            optimizer.zero_grad()
            kept.append(loss_of(model(x), y))
            kept[-1].backward()
            optimizer.step()
    found = of(visit.diagnosis, "loop.memory")
    assert found.status == status, found.seen
    assert ("fewer than 10" in found.seen) is (status == "skip")


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.head = nn.Embedding(V, 16), nn.Linear(24, V)
        self.gru = nn.GRU(16, 24, batch_first=True)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(self.gru(self.embed(tokens))[0])
        return logits


def compiled(kind: str) -> Any:
    torch.manual_seed(0)
    model = Small()
    if kind == "script":
        return torch.jit.script(model)
    return torch.jit.trace(model, torch.zeros(B, T, dtype=torch.int64))


@pytest.mark.parametrize("kind", ["script", "trace"])
@pytest.mark.parametrize("softmax", [False, True])
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::torch.jit.TracerWarning")
def test_a_model_of_torch_script_is_watched_like_any_other(kind: str, softmax: bool) -> None:
    losses = []
    for watch in (True, False):
        model = compiled(kind)
        optimizer = adam(model)
        context = seqzoo.watch(model, optimizer, show=False)
        visit = context.__enter__() if watch else None
        for x, y in windows(12):
            logits = model(x)
            logits = logits.softmax(-1) if softmax else logits
            loss = F.cross_entropy(logits.flatten(0, 1), y.flatten())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        if visit is not None:
            context.__exit__(None, None, None)
            seen = visit
    assert losses[:12] == losses[12:]
    assert seen.errors == []
    assert seen.forwards_seen == 12
    assert not any(each.crashed for each in seen.diagnosis.examined)
    wanted = ["loop.loss"] if softmax else []
    assert [each.check.name for each in seen.diagnosis.causes] == wanted
