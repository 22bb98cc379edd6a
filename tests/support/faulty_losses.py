"""Training loops with a fault in the loss or its targets."""

from __future__ import annotations

import torch
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
    fault,
    loss_of,
    plain,
    text,
    windows,
)


@fault("loop.loss")
def a_loss_that_is_not_finite(watching: Watching) -> None:
    model = Attention()
    plain(watching, model, torch.optim.SGD(model.parameters(), 1e9))


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


@fault("stream.targets")
def targets_are_inputs(watching: Watching) -> None:
    model = Attention()
    optimizer = adam(model)
    with watching(model, optimizer):
        for x, _ in windows():
            optimizer.zero_grad()
            loss_of(model(x), x).backward()
            optimizer.step()


@fault("model.rows")
def rows_read_as_steps_with_a_loss_of_its_own(watching: Watching) -> None:
    """An LSTM without batch_first on (B, T), and nothing but the text to show it."""
    model = Recurrent(time_first=True)
    optimizer = adam(model)
    walk = (text() % 3).cumsum(0) % V
    begins = torch.arange(0, B * T, T)[:, None] + torch.arange(T)
    with watching(model, optimizer):
        for step in range(STEPS):
            x, y = (walk[begins + step * B * T + ahead] for ahead in (0, 1))
            chances = model(x)[0].log_softmax(-1)
            optimizer.zero_grad()
            (-chances.gather(-1, y[..., None]).mean()).backward()
            optimizer.step()


@fault("loop.loss")
def classes_viewed_before_time(watching: Watching) -> None:
    """view(B, V, T) where transpose(1, 2) is meant: each row of the loss is of many places."""
    model = Attention()
    optimizer = adam(model)
    with watching(model, optimizer):
        for x, y in windows():
            optimizer.zero_grad()
            F.cross_entropy(model(x).view(B, V, T), y).backward()
            optimizer.step()


@fault("loop.loss")
def a_likelihood_that_is_lowered(watching: Watching) -> None:
    """The minus is missing, so the right token becomes less likely with each step."""
    model = Recurrent()
    optimizer = adam(model, 1e-2)
    with watching(model, optimizer):
        for x, y in windows():
            chances = model(x)[0].log_softmax(-1)
            optimizer.zero_grad()
            chances.gather(-1, y[..., None]).mean().backward()
            optimizer.step()


@fault("loop.loss")
def a_likelihood_that_is_picked_and_lowered(watching: Watching) -> None:
    model = Recurrent()
    optimizer = adam(model, 1e-2)
    with watching(model, optimizer):
        for x, y in windows():
            chances = model(x)[0].log_softmax(-1).flatten(0, 1)
            optimizer.zero_grad()
            chances[torch.arange(len(chances)), y.flatten()].mean().backward()
            optimizer.step()


@fault("loop.loss")
def a_cross_entropy_that_is_raised(watching: Watching) -> None:
    model = Attention()
    plain(watching, model, adam(model, 1e-2, maximize=True))


@fault("loop.loss")
def a_cross_entropy_with_a_minus(watching: Watching) -> None:
    model = Recurrent()
    optimizer = adam(model, 1e-2)
    with watching(model, optimizer):
        for x, y in windows():
            optimizer.zero_grad()
            (-loss_of(model(x)[0], y)).backward()
            optimizer.step()


@fault("loop.loss")
def a_sum_of_losses_with_the_rate_of_a_mean(watching: Watching) -> None:
    model = Attention()
    optimizer = torch.optim.SGD(model.parameters(), 0.5)
    with watching(model, optimizer):
        for x, y in windows():
            optimizer.zero_grad()
            logits = model(x).flatten(0, 1)
            F.cross_entropy(logits, y.flatten(), reduction="sum").backward()
            optimizer.step()
