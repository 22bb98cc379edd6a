"""The watch looks at models that guess one token a row, and at those that keep a state inside."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from watched_loops import Attention, B, Recurrent, T, V, adam, lanes, loss_of, text, windows

import seqzoo


class Guess(nn.Module):
    """Reads windows of T tokens; with `softmax` it gives probabilities, a fault."""

    def __init__(self, *, softmax: bool = False) -> None:
        super().__init__()
        self.embed = nn.Embedding(48, 8)
        self.head = nn.Linear(8 * T, 48)
        self.softmax = softmax

    def forward(self, tokens: Tensor) -> Tensor:
        logits: Tensor = self.head(self.embed(tokens).flatten(1))
        return logits.softmax(-1) if self.softmax else logits


class Inside(Recurrent):
    kept: Any = None

    def forward(self, tokens: Tensor) -> Any:  # type: ignore[override]
        state = self.kept
        if state is not None:
            state = tuple(part.detach() for part in state)
        logits, self.kept = super().forward(tokens, state)
        return logits

    def reset_states(self) -> None:
        self.kept = None


class Short(Attention):
    def forward(self, tokens: Tensor) -> Tensor:
        if tokens.shape[1] > T:
            raise IndexError("more tokens than positions")
        return super().forward(tokens)


def watched(model: Any, batches: Any, loss: Any) -> Any:
    optimizer = adam(model)
    whole = bytes(text().tolist())
    with seqzoo.watch(model, optimizer, corpus=whole, show=False) as visit:
        for x, y in batches:
            optimizer.zero_grad()
            loss(model(x), y).backward()
            optimizer.step()
    assert visit.errors == []
    return visit.diagnosis


def of_the_last(logits: Tensor, targets: Tensor) -> Tensor:
    return F.cross_entropy(logits, targets[:, -1])


def of_all(logits: Tensor, targets: Tensor) -> Tensor:
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten())


def own(logits: Tensor, targets: Tensor) -> Tensor:
    return -logits.log_softmax(-1).gather(-1, targets[..., None]).mean()


def outcomes(diagnosis: Any) -> dict[str, tuple[str, str]]:
    return {e.check.name: (e.outcome.status, e.outcome.seen) for e in diagnosis.examined}


def test_a_model_that_guesses_one_token_for_each_row_is_looked_at() -> None:
    diagnosis = watched(Guess(), windows(), of_the_last)
    found = outcomes(diagnosis)
    assert diagnosis.is_healthy, diagnosis.causes
    assert {found[name][0] for name in ("model.contract", "model.rows", "stream.targets")} == {
        "pass"
    }


def test_a_fault_of_a_model_that_guesses_one_token_for_each_row_is_named() -> None:
    causes = watched(Guess(softmax=True), windows(), of_the_last).causes
    assert {each.check.name for each in causes} & {"model.logits", "loop.loss"}


@pytest.mark.parametrize("carried", [True, False])
def test_a_state_that_a_model_keeps_inside_is_its_state(carried: bool) -> None:
    model = Inside()

    def batches() -> Any:
        for x, y in lanes() if carried else windows(rows=B):
            if not carried:
                model.reset_states()
            yield x, y

    diagnosis = watched(model, batches(), of_all)
    assert diagnosis.is_healthy, diagnosis.causes
    assert "kept" in outcomes(diagnosis)["model.contract"][1]


def test_a_state_inside_that_is_carried_between_random_rows_is_named() -> None:
    causes = watched(Inside(), windows(), of_all).causes
    assert "stream.continuity" in {each.check.name for each in causes}


def test_no_longer_rows_are_read_than_the_loop_read() -> None:
    torch.manual_seed(0)
    diagnosis = watched(Short(), windows(), own)
    assert not any("could not be finished" in seen for _, seen in outcomes(diagnosis).values())
    assert diagnosis.is_healthy, diagnosis.causes


def test_hidden_values_of_a_model_without_a_head_are_not_taken_for_logits() -> None:
    class Body(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.rnn = nn.Embedding(V, 24), nn.GRU(24, 24, batch_first=True)

        def forward(self, tokens: Tensor) -> Tensor:
            hidden: Tensor = self.rnn(self.embed(tokens))[0]
            return hidden

    body, head = Body(), nn.Linear(24, V)
    optimizer = torch.optim.Adam([*body.parameters(), *head.parameters()], 2e-3)
    with seqzoo.watch(body, optimizer, show=False) as visit:
        for x, y in windows():
            optimizer.zero_grad()
            loss_of(head(body(x)), y).backward()
            optimizer.step()
    assert visit.errors == []
    assert [each.check.name for each in visit.diagnosis.findings] == []
    (contract,) = [e for e in visit.diagnosis.examined if e.check.name == "model.contract"]
    assert "are not the logits that the loss reads" in contract.outcome.seen
