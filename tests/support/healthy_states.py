"""Healthy loops that keep a graph or a few losses on purpose, or change the state they carry."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from watched_loops import Recurrent, V, Watching, adam, detached, healthy, lanes, loss_of, windows


@healthy
def a_graph_retained_for_two_losses(watching: Watching) -> nn.Module:
    model = Recurrent()
    optimizer, state = adam(model), None
    with watching(model, optimizer):
        for x, y in lanes(1):
            logits, state = model(x, state)
            state = detached(state)
            optimizer.zero_grad()
            loss_of(logits, y).backward(retain_graph=True)
            (0.1 * logits.square().mean()).backward()
            optimizer.step()
    return model


@healthy
def a_mean_of_the_last_losses(watching: Watching) -> nn.Module:
    """The losses of one report are kept, and freed with it."""
    model = Recurrent()
    optimizer = adam(model)
    kept: list[torch.Tensor] = []
    with watching(model, optimizer):
        for x, y in windows():
            loss = loss_of(model(x)[0], y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            kept = [*kept, loss][-3:]
    return model


@healthy
def rows_that_begin_again_at_random(watching: Watching) -> nn.Module:
    return _with_state(watching, lambda part: part * (torch.rand(part.shape[-2], 1) > 0.05))


@healthy
def dropout_on_the_state(watching: Watching) -> nn.Module:
    return _with_state(watching, lambda part: F.dropout(part, 0.3))


@healthy
def noise_on_the_state(watching: Watching) -> nn.Module:
    return _with_state(watching, lambda part: part + 0.05 * torch.randn_like(part))


def _with_state(watching: Watching, change: Callable[[Tensor], Tensor]) -> nn.Module:
    """Lanes, whose state is changed a little between two batches."""
    model = Recurrent()
    optimizer, state = adam(model), None
    with watching(model, optimizer):
        for x, y in lanes():
            optimizer.zero_grad()
            logits, state = model(x, state)
            state = tuple(map(change, detached(state)))
            loss_of(logits, y).backward()
            optimizer.step()
    return model


@healthy
def a_class_after_a_name_read_letter_by_letter(watching: Watching) -> nn.Module:
    class Reader(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell, self.head = nn.GRUCell(V, 16), nn.Linear(16, 3)

        def forward(self, tokens: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
            hidden = self.cell(F.one_hot(tokens, V).float(), hidden)
            return self.head(hidden), hidden

    model = Reader()
    optimizer = adam(model)
    with watching(model, optimizer):
        for x, _ in windows():
            hidden = torch.zeros(len(x), 16)
            for t in range(8):
                logits, hidden = model(x[:, t], hidden)
            optimizer.zero_grad()
            F.cross_entropy(logits, x[:, 3] % 3).backward()
            optimizer.step()
    return model
