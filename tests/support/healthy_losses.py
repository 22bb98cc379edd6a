"""Healthy loops with every way to compute a loss from what a model gives."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F
from watched_loops import (
    STEPS,
    Attention,
    B,
    Recurrent,
    T,
    V,
    Watching,
    adam,
    detached,
    healthy,
    lanes,
    loss_of,
    windows,
)


@healthy
def time_first(watching: Watching) -> nn.Module:
    model = Recurrent(time_first=True)
    optimizer = adam(model, foreach=True)
    losses = []
    with watching(model, optimizer):
        for x, y in windows():
            logits, _ = model(x.T)
            loss = F.cross_entropy(logits.reshape(-1, V), y.T.reshape(-1))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    return model


@healthy
def classes_second(watching: Watching) -> nn.Module:
    model = Attention()
    optimizer = adam(model)
    with watching(model, optimizer):
        for x, y in windows():
            optimizer.zero_grad()
            F.cross_entropy(model(x).transpose(1, 2), y, label_smoothing=0.1).backward()
            optimizer.step()
    return model


@healthy
def token_by_token(watching: Watching) -> nn.Module:
    class Single(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.cell = nn.Embedding(V, 16), nn.GRUCell(16, 24)
            self.head = nn.Linear(24, V)

        def forward(self, token: torch.Tensor, state: torch.Tensor) -> Any:
            state = self.cell(self.embed(token), state)
            return self.head(state), state

    model = Single()
    optimizer = adam(model)
    with watching(model, optimizer):
        for x, y in windows(12):
            state = torch.zeros(len(x), 24)
            loss = torch.zeros(())
            for place in range(T):
                logits, state = model(x[:, place], state)
                loss = loss + F.cross_entropy(logits, y[:, place])
            optimizer.zero_grad()
            (loss / T).backward()
            optimizer.step()
    return model


@healthy
def shifted_inside_the_loss(watching: Watching) -> nn.Module:
    model = Attention()
    optimizer = adam(model)
    with watching(model, optimizer):
        for x, _ in windows():
            logits = model(x)
            optimizer.zero_grad()
            loss_of(logits[:, :-1], x[:, 1:]).backward()
            optimizer.step()
    return model


@healthy
def own_loss(watching: Watching) -> nn.Module:
    model = Attention()
    optimizer = adam(model)
    with watching(model, optimizer):
        for x, y in windows():
            chances = model(x).log_softmax(-1)
            loss = -(chances * F.one_hot(y, V)).sum(-1).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return model


@healthy
def one_hot(watching: Watching) -> nn.Module:
    class OneHot(Recurrent):
        def forward(self, tokens: torch.Tensor, state: Any = None) -> Any:
            hidden, state = self.lstm(tokens @ self.embed.weight, state)
            return self.head(hidden), state

    model = OneHot()
    optimizer = adam(model)
    with watching(model, optimizer):
        for x, y in windows():
            optimizer.zero_grad()
            loss_of(model(F.one_hot(x, V).float())[0], y).backward()
            optimizer.step()
    return model


@healthy
def one_loss_for_each_place(watching: Watching) -> nn.Module:
    """One output, and the sum of a cross-entropy for each of its places."""
    model = Attention()
    optimizer = adam(model)
    with watching(model, optimizer):
        for x, y in windows():
            logits = model(x)
            losses = [F.cross_entropy(logits[:, place], y[:, place]) for place in range(T)]
            optimizer.zero_grad()
            torch.stack(losses).mean().backward()
            optimizer.step()
    return model


@healthy
def one_loss_for_each_place_of_carried_lanes(watching: Watching) -> nn.Module:
    model = Recurrent(time_first=True)
    optimizer, state = adam(model), None
    with watching(model, optimizer):
        for x, y in lanes():
            logits, state = model(x.T, state)
            state = detached(state)
            loss = torch.zeros(())
            for place in range(T):
                loss = loss + F.cross_entropy(logits[place], y[:, place])
            optimizer.zero_grad()
            (loss / T).backward()
            optimizer.step()
    return model


@healthy
def one_loss_for_each_row(watching: Watching) -> nn.Module:
    model = Attention()
    optimizer = adam(model)
    with watching(model, optimizer):
        for x, y in windows():
            logits = model(x)
            optimizer.zero_grad()
            losses = [F.cross_entropy(logits[row], y[row]) for row in range(B)]
            torch.stack(losses).mean().backward()
            optimizer.step()
    return model


@healthy
def chunks_with_one_backward_pass(watching: Watching) -> nn.Module:
    """Three chunks of a row, the state carried between them with its graph, one backward pass."""
    model = Recurrent()
    optimizer, state = adam(model), None
    with watching(model, optimizer):
        batches = list(lanes())
        for begin in range(0, STEPS, 3):
            losses = []
            for x, y in batches[begin : begin + 3]:
                logits, state = model(x, state)
                losses.append(loss_of(logits, y))
            state = detached(state)
            optimizer.zero_grad()
            torch.stack(losses).mean().backward()
            optimizer.step()
    return model


@healthy
def two_noisy_passes_of_a_batch(watching: Watching) -> nn.Module:
    """R-Drop: each batch twice, with other dropout, and a penalty on the difference."""
    model = Attention()
    optimizer = adam(model)
    with watching(model, optimizer):
        for x, y in windows():
            first, second = model(x), model(x)
            penalty = F.kl_div(first.log_softmax(-1), second.softmax(-1), reduction="batchmean")
            loss = (loss_of(first, y) + loss_of(second, y)) / 2 + 0.01 * penalty
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return model


@healthy
def time_first_one_hot_rows_and_a_loss_of_its_own(watching: Watching) -> nn.Module:
    class OneHot(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn, self.head = nn.RNN(V, 24), nn.Linear(24, V)

        def forward(self, rows: torch.Tensor, state: Any = None) -> Any:
            hidden, state = self.rnn(rows, state)
            return self.head(hidden).log_softmax(-1), state

    model = OneHot()
    optimizer = adam(model)
    with watching(model, optimizer):
        for x, y in windows():
            chances, _ = model(F.one_hot(x.T, V).float())
            loss = -chances.gather(-1, y.T[..., None]).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return model


@healthy
def transposed_inside_with_a_loss_of_its_own(watching: Watching) -> nn.Module:
    class Transposed(Recurrent):
        def forward(self, tokens: torch.Tensor, state: Any = None) -> Any:
            logits, state = super().forward(tokens.T, state)
            return logits.transpose(0, 1), state

    model = Transposed(time_first=True)
    optimizer = adam(model)
    with watching(model, optimizer):
        for x, y in windows():
            chances = model(x)[0].log_softmax(-1)
            optimizer.zero_grad()
            (-chances.gather(-1, y[..., None]).mean()).backward()
            optimizer.step()
    return model


@healthy
def classes_permuted_before_time(watching: Watching) -> nn.Module:
    model = Attention()
    optimizer = adam(model)
    with watching(model, optimizer):
        for x, y in windows():
            logits = model(x).view(B * T, V).view(B, T, V).permute(0, 2, 1).reshape(B, V, T)
            optimizer.zero_grad()
            F.cross_entropy(logits, y).backward()
            optimizer.step()
    return model


@healthy
def one_token_viewed_as_classes_first(watching: Watching) -> nn.Module:
    model = Recurrent()
    optimizer, state = adam(model), None
    with watching(model, optimizer):
        for x, y in lanes(10):
            losses = []
            for place in range(T):
                logits, state = model(x[:, place : place + 1], state)
                losses.append(F.cross_entropy(logits.view(B, V, 1), y[:, place : place + 1]))
            state = detached(state)
            optimizer.zero_grad()
            torch.stack(losses).mean().backward()
            optimizer.step()
    return model


@healthy
def a_likelihood_that_is_raised(watching: Watching) -> nn.Module:
    model = Recurrent()
    optimizer = adam(model, maximize=True)
    with watching(model, optimizer):
        for x, y in windows():
            chances = model(x)[0].log_softmax(-1)
            optimizer.zero_grad()
            chances.gather(-1, y[..., None]).mean().backward()
            optimizer.step()
    return model


@healthy
def a_likelihood_that_is_picked(watching: Watching) -> nn.Module:
    model = Recurrent()
    optimizer = adam(model)
    with watching(model, optimizer):
        for x, y in windows():
            chances = model(x)[0].log_softmax(-1).flatten(0, 1)
            optimizer.zero_grad()
            (-chances[torch.arange(len(chances)), y.flatten()].mean()).backward()
            optimizer.step()
    return model


@healthy
def a_penalty_for_what_is_too_certain(watching: Watching) -> nn.Module:
    """A part of the loss lowers the likelihood of another token, as in contrastive losses."""
    model = Recurrent()
    optimizer = adam(model)
    with watching(model, optimizer):
        for x, y in windows():
            logits = model(x)[0]
            wrong = (y + 1) % V
            optimizer.zero_grad()
            (loss_of(logits, y) - 0.1 * loss_of(logits, wrong)).backward()
            optimizer.step()
    return model


@healthy
def rewards_for_its_own_samples(watching: Watching) -> nn.Module:
    """A policy gradient: most samples get a negative reward."""
    model = Recurrent()
    optimizer = adam(model)
    draw = torch.Generator().manual_seed(1)
    with watching(model, optimizer):
        for x, _ in windows():
            chances = model(x)[0].log_softmax(-1)
            chosen = torch.multinomial(chances.exp().flatten(0, 1), 1, generator=draw)
            chosen = chosen.view(*x.shape, 1)
            reward = (chosen < 8).float() - 1.0
            optimizer.zero_grad()
            (-(chances.gather(-1, chosen) * reward).mean()).backward()
            optimizer.step()
    return model


@healthy
def a_sum_of_losses_with_a_small_rate(watching: Watching) -> nn.Module:
    model = Attention()
    optimizer = torch.optim.SGD(model.parameters(), 1e-3)
    with watching(model, optimizer):
        for x, y in windows():
            optimizer.zero_grad()
            logits = model(x).flatten(0, 1)
            F.cross_entropy(logits, y.flatten(), reduction="sum").backward()
            optimizer.step()
    return model


@healthy
def a_sum_of_losses_with_adam(watching: Watching) -> nn.Module:
    model = Attention()
    optimizer = adam(model)
    with watching(model, optimizer):
        for x, y in windows():
            optimizer.zero_grad()
            logits = model(x).flatten(0, 1)
            F.cross_entropy(logits, y.flatten(), reduction="sum").backward()
            optimizer.step()
    return model


@healthy
def a_sum_of_losses_that_is_divided(watching: Watching) -> nn.Module:
    model = Attention()
    optimizer = torch.optim.SGD(model.parameters(), 0.5)
    with watching(model, optimizer):
        for x, y in windows():
            optimizer.zero_grad()
            logits = model(x).flatten(0, 1)
            loss = F.cross_entropy(logits, y.flatten(), reduction="sum")
            (loss / y.numel()).backward()
            optimizer.step()
    return model
