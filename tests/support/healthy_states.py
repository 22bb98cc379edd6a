"""Healthy loops that keep a graph or a few losses on purpose."""

from __future__ import annotations

import torch
from torch import nn
from watched_loops import Recurrent, Watching, adam, detached, healthy, lanes, loss_of, windows


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
