"""Healthy loops with other models, losses and batches than the usual ones."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from watched_loops import (
    Attention,
    B,
    Recurrent,
    V,
    Watching,
    adam,
    healthy,
    lanes,
    loss_of,
    plain,
    windows,
)


@healthy
def padded_with_a_symbol_of_its_own(watching: Watching) -> nn.Module:
    model = Recurrent(vocab_size=V + 1)
    optimizer = adam(model)
    with watching(model, optimizer):
        for inputs, targets in windows():
            x, y = inputs + 1, targets + 1
            x[:4, 10:], y[:4, 10:] = 0, 0
            optimizer.zero_grad()
            logits = model(x)[0].reshape(-1, V + 1)
            F.cross_entropy(logits, y.reshape(-1), ignore_index=0).backward()
            optimizer.step()
    return model


@healthy
def a_loss_inside_the_model(watching: Watching) -> nn.Module:
    class WithLoss(Attention):
        def forward(self, x: Tensor, y: Tensor | None = None) -> Any:
            logits = super().forward(x)
            return logits, None if y is None else loss_of(logits, y)

    model = WithLoss()
    optimizer = adam(model)
    with watching(model, optimizer):
        for x, y in windows():
            _, loss = model(x, y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return model


@healthy
def a_penalty_on_gradients(watching: Watching) -> nn.Module:
    model = Recurrent()
    optimizer = adam(model)
    with watching(model, optimizer):
        for x, y in windows(10):
            loss = loss_of(model(x)[0], y)
            (gradient,) = torch.autograd.grad(loss, [model.head.weight], create_graph=True)
            optimizer.zero_grad()
            (loss + 0.01 * gradient.norm()).backward()
            optimizer.step()
    return model


@healthy
def two_losses_of_one_pass(watching: Watching) -> nn.Module:
    model = Recurrent()
    optimizer = adam(model)
    with watching(model, optimizer):
        for x, y in windows():
            logits, _ = model(x)
            optimizer.zero_grad()
            loss_of(logits, y).backward(retain_graph=True)
            (0.1 * logits.square().mean()).backward()
            optimizer.step()
    return model


@healthy
def a_rate_that_ends_at_zero(watching: Watching) -> nn.Module:
    model = Attention()
    optimizer = adam(model)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 40)
    plain(watching, model, optimizer, 40, schedule=schedule)
    return model


@healthy
def a_rate_with_restarts(watching: Watching) -> nn.Module:
    model = Attention()
    optimizer = adam(model)
    schedule = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 10)
    plain(watching, model, optimizer, 40, schedule=schedule)
    return model


@healthy
def a_rate_that_rises_and_falls_in_cycles(watching: Watching) -> nn.Module:
    model = Attention()
    optimizer = adam(model)
    schedule = torch.optim.lr_scheduler.CyclicLR(
        optimizer, 1e-6, 2e-3, step_size_up=5, cycle_momentum=False
    )
    plain(watching, model, optimizer, 40, schedule=schedule)
    return model


@healthy
def a_rate_that_begins_at_zero(watching: Watching) -> nn.Module:
    model = Attention()
    optimizer = adam(model)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, step / 50))
    plain(watching, model, optimizer, 60, schedule=schedule)
    return model


@healthy
def a_classifier(watching: Watching) -> nn.Module:
    class Classifier(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.rnn = nn.Embedding(V, 16), nn.GRU(16, 16, batch_first=True)
            self.head = nn.Linear(16, 3)

        def forward(self, tokens: Tensor) -> Tensor:
            logits: Tensor = self.head(self.rnn(self.embed(tokens))[0][:, -1])
            return logits

    model = Classifier()
    optimizer = adam(model)
    with watching(model, optimizer):
        for x, y in windows():
            optimizer.zero_grad()
            F.cross_entropy(model(x), y[:, 0] % 3).backward()
            optimizer.step()
    return model


@healthy
def a_regression(watching: Watching) -> nn.Module:
    model = nn.Sequential(nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 1))
    optimizer = adam(model)
    with watching(model, optimizer):
        for seed in range(20):
            x = torch.randn(16, 8, generator=torch.Generator().manual_seed(seed))
            optimizer.zero_grad()
            F.mse_loss(model(x), x[:, :1]).backward()
            optimizer.step()
    return model


@healthy
def a_state_in_two_arguments(watching: Watching) -> nn.Module:
    class TwoArguments(Recurrent):
        def forward(self, x: Tensor, h: Tensor, c: Tensor) -> Any:  # type: ignore[override]
            hidden, (h, c) = self.lstm(self.embed(x), (h, c))
            return self.head(hidden), h, c

    model = TwoArguments()
    optimizer, h, c = adam(model), torch.zeros(1, B, 24), torch.zeros(1, B, 24)
    with watching(model, optimizer):
        for x, y in lanes():
            logits, h, c = model(x, h, c)
            h, c = h.detach(), c.detach()
            optimizer.zero_grad()
            loss_of(logits, y).backward()
            optimizer.step()
    return model


@healthy
def a_new_state_for_each_batch(watching: Watching) -> nn.Module:
    model = Recurrent()
    optimizer = adam(model)
    with watching(model, optimizer):
        for x, y in windows():
            logits, _ = model(x, (torch.zeros(1, B, 24), torch.zeros(1, B, 24)))
            optimizer.zero_grad()
            loss_of(logits, y).backward()
            optimizer.step()
    return model


@healthy
def dictionaries(watching: Watching) -> nn.Module:
    class OfDictionaries(Attention):
        def forward(self, batch: Any) -> Any:
            return {"logits": super().forward(batch["tokens"])}

    model = OfDictionaries()
    optimizer = adam(model)
    with watching(model, optimizer):
        for x, y in windows():
            optimizer.zero_grad()
            loss_of(model({"tokens": x})["logits"], y).backward()
            optimizer.step()
    return model


@healthy
def rows_and_time_in_one_axis(watching: Watching) -> nn.Module:
    class Flat(Recurrent):
        def forward(self, tokens: Tensor, state: Any = None) -> Any:
            logits, state = super().forward(tokens, state)
            return logits.reshape(-1, V), state

    model = Flat()
    optimizer = adam(model)
    with watching(model, optimizer):
        for x, y in windows():
            optimizer.zero_grad()
            F.cross_entropy(model(x)[0], y.reshape(-1)).backward()
            optimizer.step()
    return model


@healthy
def parts_that_are_called_one_by_one(watching: Watching) -> nn.Module:
    model = Recurrent(dropout=0.1)
    optimizer = adam(model)
    with watching(model, optimizer):
        for x, y in windows():
            hidden, _ = model.lstm(model.embed(x))
            optimizer.zero_grad()
            loss_of(model.head(hidden), y).backward()
            optimizer.step()
    return model


@healthy
def changed_by_hand(watching: Watching) -> nn.Module:
    """Weights that the loop changes itself, as PyTorch's word_language_model does."""
    model = Attention()
    with watching(model):
        for x, y in windows():
            model.zero_grad()
            loss_of(model(x), y).backward()
            with torch.no_grad():
                for parameter in model.parameters():
                    if parameter.grad is not None:
                        parameter.add_(parameter.grad, alpha=-0.1)
    return model


@healthy
def classes_first_from_the_model(watching: Watching) -> nn.Module:
    class ClassesFirst(Attention):
        def forward(self, tokens: Tensor) -> Tensor:
            return super().forward(tokens).transpose(1, 2)

    model = ClassesFirst()
    optimizer = adam(model)
    with watching(model, optimizer):
        for x, y in windows():
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
    return model


@healthy
def classes_first_viewed_as_they_are(watching: Watching) -> nn.Module:
    class Convolved(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.layer = nn.Embedding(V, 16), nn.Conv1d(16, 24, 3)
            self.head = nn.Conv1d(24, V, 1)

        def forward(self, tokens: Tensor) -> Tensor:
            padded = F.pad(self.embed(tokens).transpose(1, 2), (2, 0))
            logits: Tensor = self.head(F.relu(self.layer(padded)))
            return logits

    model = Convolved()
    optimizer = adam(model)
    with watching(model, optimizer):
        for x, y in windows():
            optimizer.zero_grad()
            F.cross_entropy(model(x).view(B, V, -1), y).backward()
            optimizer.step()
    return model
