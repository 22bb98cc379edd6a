"""Training loops with a fault in the gradients, the optimizer, its rates or its steps."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn
from watched_loops import (
    STEPS,
    Attention,
    Recurrent,
    V,
    Watching,
    adam,
    fault,
    loss_of,
    plain,
    windows,
)


@fault("loop.gradients")
def never_cleared(watching: Watching) -> None:
    model = Attention()
    optimizer = adam(model)
    with watching(model, optimizer):
        for x, y in windows():
            loss_of(model(x), y).backward()
            optimizer.step()


@fault("loop.gradients")
def cleared_once_for_each_epoch(watching: Watching) -> None:
    model = Attention()
    optimizer = adam(model)
    with watching(model, optimizer):
        for _ in range(3):
            optimizer.zero_grad()
            for x, y in windows(10):
                loss_of(model(x), y).backward()
                optimizer.step()


@fault("loop.gradients")
def cleared_before_the_step(watching: Watching) -> None:
    model = Attention()
    optimizer = adam(model)
    with watching(model, optimizer):
        for x, y in windows():
            loss_of(model(x), y).backward()
            optimizer.zero_grad()
            optimizer.step()


@fault("loop.gradients")
def one_of_two_optimizers_is_cleared(watching: Watching) -> None:
    model = Recurrent()
    rest = [*model.embed.parameters(), *model.head.parameters()]
    first, second = adam(model.lstm), torch.optim.Adam(rest, 2e-3)
    with watching(model):
        for x, y in windows():
            first.zero_grad()
            loss_of(model(x)[0], y).backward()
            first.step()
            second.step()


@fault("loop.gradients")
def a_closure_that_clears_nothing(watching: Watching) -> None:
    model = Attention(dropout=0.0)
    optimizer = torch.optim.LBFGS(model.parameters(), lr=0.1, max_iter=3)
    with watching(model, optimizer):
        for x, y in windows(8):

            def closure(x: torch.Tensor = x, y: torch.Tensor = y) -> torch.Tensor:
                loss = loss_of(model(x), y)
                loss.backward()
                return loss

            optimizer.step(closure)


@fault("loop.schedule")
def a_group_at_rate_zero(watching: Watching) -> None:
    model = Recurrent()
    rest = [*model.embed.parameters(), *model.head.parameters()]
    groups: list[dict[str, Any]] = [
        {"params": model.lstm.parameters()},
        {"params": rest, "lr": 0.0},
    ]
    optimizer = torch.optim.Adam(groups)
    with watching(model, optimizer):
        for x, y in windows():
            optimizer.zero_grad()
            loss_of(model(x)[0], y).backward()
            optimizer.step()


@fault("loop.optimizer")
def optimizer_of_an_earlier_model(watching: Watching) -> None:
    optimizer = adam(Attention())
    plain(watching, Attention(), optimizer)


@fault("loop.optimizer")
def optimizer_of_a_part(watching: Watching) -> None:
    model = Recurrent()
    optimizer = adam(model.head)
    with watching(model, optimizer):
        for x, y in windows():
            model.zero_grad()
            loss_of(model(x)[0], y).backward()
            optimizer.step()


@fault("loop.optimizer")
def no_step(watching: Watching) -> None:
    model = Attention()
    optimizer = adam(model)
    with watching(model, optimizer):
        for x, y in windows():
            optimizer.zero_grad()
            loss_of(model(x), y).backward()


@fault("loop.optimizer")
def a_layer_is_replaced(watching: Watching) -> None:
    model = Recurrent()
    optimizer = adam(model)
    model.head = nn.Linear(24, V)
    with watching(model, optimizer):
        for x, y in windows():
            optimizer.zero_grad()
            loss_of(model(x)[0], y).backward()
            optimizer.step()


@fault("loop.optimizer")
def pure_bfloat16(watching: Watching) -> None:
    model = Recurrent().to(torch.bfloat16)
    optimizer = torch.optim.SGD(model.parameters(), 1e-3)
    with watching(model, optimizer):
        for x, y in windows():
            optimizer.zero_grad()
            loss_of(model(x)[0].float(), y).backward()
            optimizer.step()


@fault("loop.steps")
def the_same_batch(watching: Watching) -> None:
    model = Attention()
    optimizer = adam(model)
    with watching(model, optimizer):
        for _ in range(STEPS):
            x, y = next(windows())
            optimizer.zero_grad()
            loss_of(model(x), y).backward()
            optimizer.step()


@fault("loop.schedule")
def stepped_for_each_batch(watching: Watching) -> None:
    model = Attention()
    optimizer = adam(model)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 2, 0.1)
    plain(watching, model, optimizer, 60, schedule=schedule)


@fault("loop.schedule")
def a_cosine_for_epochs_that_is_stepped_for_batches(watching: Watching) -> None:
    model = Attention()
    optimizer = adam(model)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 8)
    plain(watching, model, optimizer, 40, schedule=schedule)


@fault("loop.schedule")
def warm_up_without_its_steps(watching: Watching) -> None:
    model = Attention()
    optimizer = adam(model)
    torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: step / 100)
    plain(watching, model, optimizer)


@fault("loop.schedule")
def schedule_before_the_step(watching: Watching) -> None:
    model = Attention()
    optimizer = adam(model)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.99)
    with watching(model, optimizer):
        for x, y in windows():
            optimizer.zero_grad()
            loss_of(model(x), y).backward()
            schedule.step()
            optimizer.step()


@fault("loop.clipping")
def clipped_after_the_step(watching: Watching) -> None:
    model = Attention()
    optimizer = adam(model)
    with watching(model, optimizer):
        for x, y in windows():
            optimizer.zero_grad()
            loss_of(model(x), y).backward()
            optimizer.step()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)


@fault("loop.clipping")
def clipped_while_scaled(watching: Watching) -> None:
    model = Attention()
    optimizer, scaler = adam(model), torch.amp.GradScaler("cpu", init_scale=2.0**14)
    with watching(model, optimizer):
        for x, y in windows():
            optimizer.zero_grad()
            scaler.scale(loss_of(model(x), y)).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            scaler.step(optimizer)
            scaler.update()


@fault("loop.clipping")
def clipped_to_nothing(watching: Watching) -> None:
    model = Attention()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    with watching(model, optimizer):
        for x, y in windows():
            optimizer.zero_grad()
            loss_of(model(x), y).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1e-5)
            optimizer.step()


@fault("loop.accumulation")
def accumulated_without_division(watching: Watching) -> None:
    model = Attention()
    optimizer = adam(model)
    with watching(model, optimizer):
        for number, (x, y) in enumerate(windows(4 * STEPS)):
            loss_of(model(x), y).backward()
            if number % 4 == 3:
                optimizer.step()
                optimizer.zero_grad()


@fault("loop.optimizer")
def a_copy_is_trained(watching: Watching) -> None:
    model = Attention()
    other = copy.deepcopy(model)
    optimizer = adam(other)
    with watching(model, optimizer):
        for x, y in windows():
            optimizer.zero_grad()
            loss_of(model(x), y).backward()
            optimizer.step()


@fault("loop.steps")
def backward_never_called(watching: Watching) -> None:
    model = Attention()
    optimizer = adam(model)
    with watching(model, optimizer):
        for x, y in windows():
            optimizer.zero_grad()
            loss_of(model(x), y)
            optimizer.step()


@fault("loop.optimizer")
def an_optimizer_for_each_step(watching: Watching) -> None:
    """Adam is built inside the loop: its moments are lost after each step."""
    model = Attention()
    with watching(model):
        for x, y in windows():
            optimizer = adam(model)
            optimizer.zero_grad()
            loss_of(model(x), y).backward()
            optimizer.step()


@fault("loop.optimizer")
def an_optimizer_that_forgets(watching: Watching) -> None:
    model = Attention()
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
    with watching(model, optimizer):
        for x, y in windows():
            optimizer.state.clear()
            optimizer.zero_grad()
            loss_of(model(x), y).backward()
            optimizer.step()


@fault("loop.optimizer")
def unfrozen_and_forgotten(watching: Watching) -> None:
    """Layers that are unfrozen later, with an optimizer that has never heard of them."""
    model = Attention()
    model.embed.requires_grad_(requires_grad=False)
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], 1e-3)
    with watching(model, optimizer):
        for number, (x, y) in enumerate(windows(70)):
            if number == 60:
                model.embed.requires_grad_(requires_grad=True)
            optimizer.zero_grad()
            loss_of(model(x), y).backward()
            optimizer.step()


@fault("loop.optimizer")
def a_layer_is_added_and_forgotten(watching: Watching) -> None:
    model = Recurrent()
    optimizer = adam(model)
    with watching(model, optimizer):
        for number, (x, y) in enumerate(windows()):
            if number == 10:
                model.add_module("head", nn.Sequential(model.head, nn.Linear(V, V)))
            optimizer.zero_grad()
            loss_of(model(x)[0], y).backward()
            optimizer.step()
