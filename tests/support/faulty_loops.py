"""Training loops with one fault each, and the check that names it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from watched_loops import (
    STEPS,
    Attention,
    B,
    Loop,
    Recurrent,
    T,
    V,
    Watching,
    adam,
    detached,
    lanes,
    loss_of,
    text,
    windows,
)

FAULTY: dict[str, tuple[Loop, str]] = {}


def fault(check: str) -> Callable[[Loop], Loop]:
    def added(loop: Loop) -> Loop:
        FAULTY[loop.__name__] = loop, check
        return loop

    return added


def _plain(watching: Watching, model: nn.Module, optimizer: Any, steps: int = STEPS) -> None:
    with watching(model, optimizer):
        for x, y in windows(steps):
            optimizer.zero_grad()
            loss_of(model(x), y).backward()
            optimizer.step()


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


@fault("loop.loss")
def a_loss_that_is_not_finite(watching: Watching) -> None:
    model = Attention()
    _plain(watching, model, torch.optim.SGD(model.parameters(), 1e9))


@fault("loop.loss")
def a_number_instead_of_the_loss(watching: Watching) -> None:
    model = Attention()
    optimizer = adam(model)
    with watching(model, optimizer):
        for x, y in windows():
            loss = torch.tensor(loss_of(model(x), y).item(), requires_grad=True)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


@fault("stream.continuity")
def lanes_in_another_order(watching: Watching) -> None:
    model = Recurrent()
    optimizer, state = adam(model), None
    batches = list(lanes())
    order = torch.randperm(len(batches), generator=torch.Generator().manual_seed(0))
    with watching(model, optimizer):
        for x, y in (batches[place] for place in order.tolist()):
            optimizer.zero_grad()
            logits, state = model(x, state)
            state = detached(state)
            loss_of(logits, y).backward()
            optimizer.step()


@fault("loop.optimizer")
def optimizer_of_an_earlier_model(watching: Watching) -> None:
    optimizer = adam(Attention())
    _plain(watching, Attention(), optimizer)


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
    with watching(model, optimizer):
        for x, y in windows(60):
            optimizer.zero_grad()
            loss_of(model(x), y).backward()
            optimizer.step()
            schedule.step()


@fault("loop.schedule")
def warm_up_without_its_steps(watching: Watching) -> None:
    model = Attention()
    optimizer = adam(model)
    torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: step / 100)
    _plain(watching, model, optimizer)


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


@fault("loop.modes")
def evaluated_in_training_mode(watching: Watching) -> None:
    model = Attention()
    optimizer = adam(model)
    with watching(model, optimizer):
        for x, y in windows():
            optimizer.zero_grad()
            loss_of(model(x), y).backward()
            optimizer.step()
        with torch.no_grad():
            for x, y in windows(5):
                loss_of(model(x), y).item()


@fault("loop.modes")
def trained_in_evaluation_mode(watching: Watching) -> None:
    model = Attention()
    optimizer = adam(model)
    with watching(model, optimizer):
        for _ in range(3):
            for x, y in windows(10):
                optimizer.zero_grad()
                loss_of(model(x), y).backward()
                optimizer.step()
            model.eval()
            with torch.no_grad():
                model(next(windows())[0])


@fault("loop.modes")
def evaluated_with_gradients(watching: Watching) -> None:
    model = Attention()
    optimizer = adam(model)
    with watching(model, optimizer):
        for _ in range(2):
            model.eval()
            for x, y in windows(6):
                loss_of(model(x), y).item()
            model.train()
            for x, y in windows(10):
                optimizer.zero_grad()
                loss_of(model(x), y).backward()
                optimizer.step()


@fault("loop.state")
def state_not_detached(watching: Watching) -> None:
    model = Recurrent()
    optimizer, state = adam(model), None
    with watching(model, optimizer):
        for x, y in lanes():
            optimizer.zero_grad()
            logits, state = model(x, state)
            loss_of(logits, y).backward()
            optimizer.step()


@fault("loop.state")
def graph_retained(watching: Watching) -> None:
    model = Recurrent()
    optimizer, state = adam(model), None
    with watching(model, optimizer):
        for x, y in lanes(6):
            optimizer.zero_grad()
            logits, state = model(x, state)
            loss_of(logits, y).backward(retain_graph=True)
            optimizer.step()


@fault("loop.memory")
def losses_kept(watching: Watching) -> None:
    model = Attention()
    optimizer = adam(model)
    total = torch.zeros(())
    with watching(model, optimizer):
        for x, y in windows():
            loss = loss_of(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total = total + loss


@fault("loop.loss")
def softmax_before_the_loss(watching: Watching) -> None:
    model = Attention()
    optimizer = adam(model)
    with watching(model, optimizer):
        for x, y in windows():
            optimizer.zero_grad()
            loss_of(model(x).softmax(-1), y).backward()
            optimizer.step()


@fault("loop.loss")
def softmax_over_the_batch(watching: Watching) -> None:
    model = Attention()
    optimizer = adam(model)
    with watching(model, optimizer):
        for x, y in windows():
            chances = F.log_softmax(model(x), dim=0)
            optimizer.zero_grad()
            F.nll_loss(chances.reshape(-1, V), y.reshape(-1)).backward()
            optimizer.step()


@fault("loop.loss")
def likelihood_of_logits(watching: Watching) -> None:
    model = Attention()
    optimizer = adam(model)
    with watching(model, optimizer):
        for x, y in windows():
            optimizer.zero_grad()
            F.nll_loss(model(x).reshape(-1, V), y.reshape(-1)).backward()
            optimizer.step()


@fault("loop.loss")
def viewed_instead_of_transposed(watching: Watching) -> None:
    model = Recurrent(time_first=True)
    optimizer = adam(model)
    with watching(model, optimizer):
        for x, y in windows():
            logits, _ = model(x.T)  # (T, B, V)
            optimizer.zero_grad()
            loss_of(logits, y).backward()
            optimizer.step()


@fault("loop.loss")
def only_the_last_place(watching: Watching) -> None:
    model = Attention()
    optimizer = adam(model)
    with watching(model, optimizer):
        for x, y in windows(rows=32):
            optimizer.zero_grad()
            F.cross_entropy(model(x)[:, -1], y[:, -1]).backward()
            optimizer.step()


@fault("loop.loss")
def detached_from_the_model(watching: Watching) -> None:
    model = Attention()
    optimizer = adam(model)
    with watching(model, optimizer):
        for x, y in windows():
            loss = loss_of(model(x).detach().requires_grad_(), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


@fault("loop.loss")
def a_symbol_is_ignored(watching: Watching) -> None:
    model = Attention()
    optimizer = adam(model)
    with watching(model, optimizer):
        for x, y in windows():
            optimizer.zero_grad()
            F.cross_entropy(model(x).reshape(-1, V), y.reshape(-1), ignore_index=0).backward()
            optimizer.step()


@fault("stream.aliasing")
def one_buffer(watching: Watching) -> None:
    model, buffer = Recurrent(), np.zeros((B, T), np.int64)
    optimizer, state = adam(model), None
    with watching(model, optimizer):
        for x, y in lanes():
            buffer[:] = x.numpy()
            optimizer.zero_grad()
            logits, state = model(torch.from_numpy(buffer), state)
            state = detached(state)
            loss_of(logits, y).backward()
            optimizer.step()


@fault("stream.continuity")
def carried_over_random_windows(watching: Watching) -> None:
    model = Recurrent()
    optimizer, state = adam(model), None
    with watching(model, optimizer):
        for x, y in windows():
            optimizer.zero_grad()
            logits, state = model(x, state)
            state = detached(state)
            loss_of(logits, y).backward()
            optimizer.step()


@fault("stream.targets")
def targets_are_inputs(watching: Watching) -> None:
    model = Attention()
    optimizer = adam(model)
    with watching(model, optimizer):
        for x, _ in windows():
            optimizer.zero_grad()
            loss_of(model(x), x).backward()
            optimizer.step()


@fault("loop.exception")
def smaller_last_batch(watching: Watching) -> None:
    model = Recurrent()
    optimizer, state = adam(model), None
    with watching(model, optimizer):
        for x, y in [*lanes(6), (text(64).view(4, 16), text(64).view(4, 16))]:
            optimizer.zero_grad()
            logits, state = model(x, state)
            state = detached(state)
            loss_of(logits, y).backward()
            optimizer.step()


@fault("loop.exception")
def target_out_of_range(watching: Watching) -> None:
    model = Attention()
    optimizer = adam(model)
    with watching(model, optimizer):
        for x, y in windows():
            optimizer.zero_grad()
            loss_of(model(x)[..., :-1], y.clone().fill_(V - 1)).backward()
            optimizer.step()


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
