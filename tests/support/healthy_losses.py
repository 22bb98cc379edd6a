"""Healthy loops with every way to compute a loss from what a model gives."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F
from watched_loops import Attention, Recurrent, T, V, Watching, adam, healthy, loss_of, windows


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
