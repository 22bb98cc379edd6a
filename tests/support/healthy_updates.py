"""Healthy loops with every way to make an update."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint
from watched_loops import (
    STEPS,
    Attention,
    Recurrent,
    T,
    V,
    Watching,
    adam,
    detached,
    healthy,
    lanes,
    loss_of,
    plain,
    text,
    windows,
)


@healthy
def carried(watching: Watching) -> nn.Module:
    model = Recurrent()
    optimizer, state = adam(model), None
    with watching(model, optimizer):
        for x, y in lanes():
            optimizer.zero_grad()
            logits, state = model(x, state)
            state = detached(state)
            loss_of(logits, y).backward()
            optimizer.step()
    return model


@healthy
def without_the_optimizer(watching: Watching) -> nn.Module:
    model = Attention()
    with watching(model):
        optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
        for x, y in windows():
            loss = loss_of(model(x), y)
            optimizer.zero_grad(set_to_none=False)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
    return model


@healthy
def accumulated(watching: Watching) -> nn.Module:
    model = Attention()
    optimizer = adam(model)
    with watching(model, optimizer):
        for number, (x, y) in enumerate(windows(4 * STEPS)):
            (loss_of(model(x), y) / 4).backward()
            if number % 4 == 3:
                optimizer.step()
                optimizer.zero_grad()
    return model


@healthy
def summed_micro_batches(watching: Watching) -> nn.Module:
    model = Attention(dropout=0.0)
    optimizer = adam(model)
    with watching(model, optimizer):
        batches = windows(3 * STEPS)
        for _ in range(STEPS):
            optimizer.zero_grad()
            loss = sum(loss_of(model(x), y) for x, y in (next(batches) for _ in range(3)))
            assert isinstance(loss, torch.Tensor)
            loss.backward()
            optimizer.step()
    return model


@healthy
def scaled_and_clipped(watching: Watching) -> nn.Module:
    model = Attention()
    optimizer, scaler = adam(model), torch.amp.GradScaler("cpu", init_scale=2.0**14)
    with watching(model, optimizer):
        for x, y in windows():
            optimizer.zero_grad()
            scaler.scale(loss_of(model(x), y)).backward()
            scaler.unscale_(optimizer)
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            scaler.step(optimizer)
            scaler.update()
    return model


@healthy
def autocast_to_bfloat16(watching: Watching) -> nn.Module:
    model = Attention()
    optimizer = adam(model)
    with watching(model, optimizer):
        for x, y in windows():
            with torch.autocast("cpu", torch.bfloat16):
                loss = loss_of(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return model


@healthy
def schedule_for_each_step(watching: Watching) -> nn.Module:
    model = Attention()
    optimizer = adam(model)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 5e-3, total_steps=STEPS)
    plain(watching, model, optimizer, schedule=schedule)
    return model


@healthy
def schedule_for_each_epoch_with_evaluation(watching: Watching) -> nn.Module:
    model = Recurrent(dropout=0.2)
    optimizer = adam(model)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.5)
    with watching(model, optimizer):
        for _ in range(3):
            model.train()
            for x, y in windows(15):
                logits, _ = model(x)
                loss = loss_of(logits, y)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            schedule.step()
            model.eval()
            with torch.no_grad():
                for x, y in windows(5):
                    loss_of(model(x)[0], y).item()
    return model


@healthy
def two_players(watching: Watching) -> nn.Module:
    torch.manual_seed(1)
    maker, judge = (
        Attention(dropout=0.0),
        nn.Sequential(nn.Linear(V, 8), nn.ReLU(), nn.Linear(8, 1)),
    )
    for_maker, for_judge = adam(maker), adam(judge)
    with watching(judge, for_judge):
        for x, _ in windows():
            made = maker(x).softmax(-1)
            real = F.one_hot(x, V).float()
            for_judge.zero_grad()
            ones, zeros = torch.ones(*x.shape, 1), torch.zeros(*x.shape, 1)
            F.binary_cross_entropy_with_logits(judge(real), ones).backward()
            F.binary_cross_entropy_with_logits(judge(made.detach()), zeros).backward()
            for_judge.step()
            for_maker.zero_grad()
            F.binary_cross_entropy_with_logits(judge(made), ones).backward()
            for_maker.step()
    return judge


@healthy
def closures(watching: Watching) -> nn.Module:
    model = Attention(dropout=0.0)
    optimizer = torch.optim.LBFGS(model.parameters(), lr=0.1, max_iter=3)
    with watching(model, optimizer):
        for x, y in windows(8):

            def closure(x: torch.Tensor = x, y: torch.Tensor = y) -> torch.Tensor:
                optimizer.zero_grad()
                loss = loss_of(model(x), y)
                loss.backward()
                return loss

            optimizer.step(closure)
    return model


@healthy
def recomputed(watching: Watching) -> nn.Module:
    class Recomputing(Attention):
        def forward(self, tokens: torch.Tensor) -> torch.Tensor:
            hidden = self.embed(tokens) + self.places[: tokens.shape[1]]
            mask = nn.Transformer.generate_square_subsequent_mask(tokens.shape[1])
            hidden = checkpoint(self.layer, hidden, mask, use_reentrant=False)
            logits: torch.Tensor = self.head(hidden)
            return logits

    model = Recomputing()
    optimizer = adam(model)
    with watching(model, optimizer):
        for x, y in windows():
            optimizer.zero_grad()
            loss_of(model(x), y).backward()
            optimizer.step()
    return model


@healthy
def tied(watching: Watching) -> nn.Module:
    model = Attention(tied=True)
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
    with watching(model, optimizer):
        for x, y in windows():
            optimizer.zero_grad()
            loss_of(model(x), y).backward()
            optimizer.step()
    return model


@healthy
def partly_frozen(watching: Watching) -> nn.Module:
    model = Attention()
    model.embed.requires_grad_(requires_grad=False)
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], 1e-3)
    with watching(model, optimizer):
        for x, y in windows():
            optimizer.zero_grad()
            loss_of(model(x), y).backward()
            optimizer.step()
    return model


@healthy
def sparse(watching: Watching) -> nn.Module:
    model = Recurrent()
    model.embed = nn.Embedding(V, 16, sparse=True)
    rest = [p for name, p in model.named_parameters() if not name.startswith("embed")]
    optimizers = [
        torch.optim.SparseAdam(list(model.embed.parameters()), 1e-3),
        torch.optim.Adam(rest),
    ]
    with watching(model):
        for x, y in windows():
            for optimizer in optimizers:
                optimizer.zero_grad()
            loss_of(model(x)[0], y).backward()
            for optimizer in optimizers:
                optimizer.step()
    return model


@healthy
def resumed(watching: Watching) -> nn.Module:
    model = Attention()
    optimizer = adam(model)
    loss_of(model(text(64)[None, :T]), text(64)[None, 1 : T + 1]).backward()
    optimizer.step()
    again = adam(model)
    again.load_state_dict(optimizer.state_dict())
    model.load_state_dict(dict(model.state_dict()))
    with watching(model, again):
        for x, y in windows():
            again.zero_grad()
            loss_of(model(x), y).backward()
            again.step()
    return model


@healthy
def three_steps(watching: Watching) -> nn.Module:
    model = Attention()
    optimizer = adam(model)
    with watching(model, optimizer):
        for x, y in windows(3):
            optimizer.zero_grad()
            loss_of(model(x), y).backward()
            optimizer.step()
    return model


@healthy
def fused(watching: Watching) -> nn.Module:
    model = Attention()
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3, fused=True)
    with watching(model, optimizer):
        for x, y in windows():
            optimizer.zero_grad()
            loss_of(model(x), y).backward()
            optimizer.step()
    return model


@healthy
def two_steps_on_each_batch_that_is_disturbed(watching: Watching) -> nn.Module:
    """SAM: to the worst weights near by, and from there an update of the old ones."""
    model = Attention(dropout=0.0)
    optimizer = adam(model)
    with watching(model, optimizer):
        for x, y in windows():
            optimizer.zero_grad()
            loss_of(model(x), y).backward()
            norm = torch.nn.utils.get_total_norm(
                [p.grad for p in model.parameters() if p.grad is not None]
            )
            climbed = [0.05 * p.grad / norm for p in model.parameters() if p.grad is not None]
            with torch.no_grad():
                for parameter, by in zip(model.parameters(), climbed, strict=True):
                    parameter.add_(by)
            optimizer.zero_grad()
            loss_of(model(x), y).backward()
            with torch.no_grad():
                for parameter, by in zip(model.parameters(), climbed, strict=True):
                    parameter.sub_(by)
            optimizer.step()
    return model


@healthy
def an_optimizer_of_two_steps(watching: Watching) -> nn.Module:
    """SAM as an optimizer around another, which makes the second of its two steps."""

    class Sharpness(torch.optim.Optimizer):
        def __init__(self, parameters: Any) -> None:
            super().__init__(parameters, {"lr": 1e-3})
            self.base = torch.optim.SGD(self.param_groups, 0.1)
            self.climbed: list[tuple[torch.Tensor, torch.Tensor]] = []

        @torch.no_grad()
        def climb(self) -> None:
            for group in self.param_groups:
                for parameter in group["params"]:
                    self.climbed.append((parameter, parameter.clone()))
                    parameter.add_(parameter.grad, alpha=0.05)
            self.zero_grad()

        @torch.no_grad()
        def step(self, closure: Any = None) -> None:  # type: ignore[override]
            self.climb()
            with torch.enable_grad():
                closure()
            for parameter, before in self.climbed:
                parameter.copy_(before)
            self.climbed = []
            self.base.step()
            self.zero_grad()

    model = Attention(dropout=0.0)
    optimizer = Sharpness(model.parameters())
    with watching(model, optimizer):
        for x, y in windows():

            def closure(x: torch.Tensor = x, y: torch.Tensor = y) -> torch.Tensor:
                loss = loss_of(model(x), y)
                loss.backward()
                return loss

            closure()
            optimizer.step(closure)
    return model
