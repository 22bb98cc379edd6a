"""Healthy loops that change which parameters are trained, or the optimizer that trains them."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from watched_loops import Attention, Recurrent, V, Watching, adam, healthy, loss_of, windows


@healthy
def frozen_but_in_the_optimizer(watching: Watching) -> nn.Module:
    model = Attention()
    model.embed.requires_grad_(requires_grad=False)
    optimizer = adam(model)
    with watching(model, optimizer):
        for x, y in windows():
            optimizer.zero_grad()
            loss_of(model(x), y).backward()
            optimizer.step()
    return model


@healthy
def unfrozen_later(watching: Watching) -> nn.Module:
    """All parameters are in the optimizer from the beginning."""
    model = Attention()
    model.embed.requires_grad_(requires_grad=False)
    optimizer = adam(model)
    with watching(model, optimizer):
        for number, (x, y) in enumerate(windows(60)):
            if number == 55:
                model.embed.requires_grad_(requires_grad=True)
            optimizer.zero_grad()
            loss_of(model(x), y).backward()
            optimizer.step()
    return model


@healthy
def unfrozen_later_and_added(watching: Watching) -> nn.Module:
    model = Attention()
    model.embed.requires_grad_(requires_grad=False)
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], 1e-3)
    with watching(model, optimizer):
        for number, (x, y) in enumerate(windows()):
            if number == 10:
                model.embed.requires_grad_(requires_grad=True)
                optimizer.add_param_group({"params": model.embed.parameters()})
            optimizer.zero_grad()
            loss_of(model(x), y).backward()
            optimizer.step()
    return model


@healthy
def a_layer_is_added_with_its_parameters(watching: Watching) -> nn.Module:
    model = Recurrent()
    optimizer = adam(model)
    with watching(model, optimizer):
        for number, (x, y) in enumerate(windows()):
            if number == 10:
                added = nn.Linear(V, V)
                model.add_module("head", nn.Sequential(model.head, added))
                optimizer.add_param_group({"params": added.parameters()})
            optimizer.zero_grad()
            loss_of(model(x)[0], y).backward()
            optimizer.step()
    return model


@healthy
def an_optimizer_for_each_epoch(watching: Watching) -> nn.Module:
    model = Attention()
    with watching(model):
        for _ in range(3):
            optimizer = adam(model)
            for x, y in windows(10):
                optimizer.zero_grad()
                loss_of(model(x), y).backward()
                optimizer.step()
    return model


@healthy
def an_optimizer_without_memory_for_each_step(watching: Watching) -> nn.Module:
    model = Attention()
    with watching(model):
        for x, y in windows():
            optimizer = torch.optim.SGD(model.parameters(), 0.1)
            optimizer.zero_grad()
            loss_of(model(x), y).backward()
            optimizer.step()
    return model


@healthy
def an_optimizer_with_its_memory_for_each_step(watching: Watching) -> nn.Module:
    model = Attention()
    kept: Any = None
    with watching(model):
        for x, y in windows():
            optimizer = adam(model)
            if kept is not None:
                optimizer.load_state_dict(kept)
            optimizer.zero_grad()
            loss_of(model(x), y).backward()
            optimizer.step()
            kept = optimizer.state_dict()
    return model


@healthy
def an_optimizer_for_each_layer(watching: Watching) -> nn.Module:
    """Each layer in turn makes one step."""
    model = Attention()
    optimizers = [torch.optim.Adam([each], 1e-3) for each in model.parameters()]
    with watching(model):
        for number, (x, y) in enumerate(windows(24)):
            model.zero_grad()
            loss_of(model(x), y).backward()
            optimizers[number % len(optimizers)].step()
    return model


@healthy
def frozen_inside_the_block(watching: Watching) -> nn.Module:
    model = Attention()
    with watching(model):
        model.embed.requires_grad_(requires_grad=False)
        optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], 1e-3)
        for x, y in windows():
            optimizer.zero_grad()
            loss_of(model(x), y).backward()
            optimizer.step()
    return model
