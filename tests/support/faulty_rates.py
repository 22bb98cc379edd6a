"""Loops whose steps are too large, too small, too few, or undone."""

from __future__ import annotations

import torch
from watched_loops import (
    Attention,
    Recurrent,
    Watching,
    adam,
    detached,
    fault,
    lanes,
    loss_of,
    plain,
    windows,
)


@fault("loop.updates")
def a_rate_of_one(watching: Watching) -> None:
    model = Attention()
    plain(watching, model, adam(model, 1.0))


@fault("loop.updates")
def a_rate_that_moves_nothing(watching: Watching) -> None:
    model = Attention()
    plain(watching, model, adam(model, 1e-8))


@fault("loop.updates")
def decay_in_the_gradient(watching: Watching) -> None:
    model = Attention()
    plain(watching, model, adam(model, weight_decay=1.0))


@fault("loop.updates")
def decay_beside_the_gradient(watching: Watching) -> None:
    model = Attention()
    plain(watching, model, torch.optim.AdamW(model.parameters(), 1e-3, weight_decay=100.0))


@fault("loop.gradients")
def cleared_before_each_of_the_passes_for_a_step(watching: Watching) -> None:
    model = Attention()
    optimizer = adam(model)
    with watching(model, optimizer):
        for number, (x, y) in enumerate(windows(40), start=1):
            optimizer.zero_grad()
            (loss_of(model(x), y) / 4).backward()
            if number % 4 == 0:
                optimizer.step()


@fault("loop.steps")
def one_step_after_all_batches(watching: Watching) -> None:
    model = Attention()
    optimizer = adam(model)
    with watching(model, optimizer):
        for x, y in windows(40):
            loss_of(model(x), y).backward()
        optimizer.step()


@fault("loop.optimizer")
def the_best_weights_by_reference_are_put_back(watching: Watching) -> None:
    model = Recurrent()
    optimizer = adam(model)
    first = {name: each.clone() for name, each in model.state_dict().items()}
    with watching(model, optimizer):
        for number, (x, y) in enumerate(windows(), start=1):
            optimizer.zero_grad()
            loss_of(model(x)[0], y).backward()
            optimizer.step()
            if number % 7 == 0:
                model.load_state_dict(first)


@fault("loop.clipping")
def clipped_with_a_generator_that_is_used_up(watching: Watching) -> None:
    model = Attention()
    parameters = model.parameters()
    optimizer = torch.optim.SGD(parameters, 0.1)
    with watching(model, optimizer):
        for x, y in windows():
            optimizer.zero_grad()
            loss_of(model(x), y).backward()
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()


@fault("loop.memory")
def outputs_are_kept(watching: Watching) -> None:
    model, outputs = Attention(), []
    optimizer = adam(model)
    with watching(model, optimizer):
        for x, y in windows():
            optimizer.zero_grad()
            outputs.append(model(x))
            loss_of(outputs[-1], y).backward()
            optimizer.step()


@fault("loop.updates")
def weights_are_clamped_after_each_step(watching: Watching) -> None:
    model = Attention()
    optimizer = adam(model)
    with watching(model, optimizer):
        for x, y in windows():
            optimizer.zero_grad()
            loss_of(model(x), y).backward()
            optimizer.step()
            with torch.no_grad():
                for each in model.parameters():
                    each.clamp_(-0.002, 0.002)


@fault("loop.updates")
def a_step_by_hand_up_the_gradient(watching: Watching) -> None:
    model = Attention()
    with watching(model):
        for x, y in windows():
            model.zero_grad()
            loss_of(model(x), y).backward()
            with torch.no_grad():
                for each in model.parameters():
                    if each.grad is not None:
                        each.add_(0.11 * each.grad)


@fault("loop.modes")
def a_validation_that_calls_backward(watching: Watching) -> None:
    model = Attention()
    optimizer = adam(model)
    with watching(model, optimizer):
        for number, (x, y) in enumerate(windows()):
            model.train(number % 5 != 4)
            loss_of(model(x), y).backward()
            if model.training:
                optimizer.step()
                optimizer.zero_grad()


@fault("loop.loss")
def a_loss_that_is_replaced_in_the_loop_over_time(watching: Watching) -> None:
    model = Recurrent()
    optimizer, state = adam(model), None
    with watching(model, optimizer):
        for x, y in lanes():
            for t in range(x.shape[1]):
                logits, state = model(x[:, t : t + 1], state)
                loss = loss_of(logits, y[:, t : t + 1])
            state = detached(state)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
