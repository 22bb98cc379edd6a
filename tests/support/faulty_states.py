"""Training loops with a fault in the state, the batches, the modes, or with an exception."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from watched_loops import (
    Attention,
    B,
    Recurrent,
    T,
    V,
    Watching,
    adam,
    detached,
    fault,
    lanes,
    loss_of,
    text,
    windows,
)


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


class Keeping(Recurrent):
    """Keeps its state inside, from one call to the next."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: Any = None

    def forward(self, tokens: torch.Tensor, state: Any = None) -> Any:
        hidden, state = self.lstm(self.embed(tokens), self.kept)
        self.kept = detached(state)
        return self.head(hidden)


@fault("loop.exception")
def smaller_last_batch_of_a_model_with_its_own_state(watching: Watching) -> None:
    model = Keeping()
    optimizer = adam(model)
    with watching(model, optimizer):
        for x, y in [*lanes(6), (text(64).view(4, 16), text(64).view(4, 16))]:
            optimizer.zero_grad()
            loss_of(model(x), y).backward()
            optimizer.step()


@fault("loop.state")
def graph_retained_for_one_step(watching: Watching) -> None:
    """Two backward passes, one step: the second reaches the pass of the first."""
    model = Recurrent()
    optimizer, state = adam(model), None
    with watching(model, optimizer):
        for x, y in lanes(2):
            logits, state = model(x, state)
            loss_of(logits, y).backward(retain_graph=True)
        optimizer.step()


@fault("model.untouched")
def a_state_that_stays_in_the_model(watching: Watching) -> None:
    model = Keeping()
    optimizer = adam(model)
    with watching(model, optimizer):
        for x, y in lanes():
            optimizer.zero_grad()
            loss_of(model(x), y).backward()
            optimizer.step()
