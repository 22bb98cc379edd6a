"""Healthy loops that change the logits, or their form, before the loss."""

from __future__ import annotations

import torch
from faulty_forms import trained
from torch import Tensor, nn
from torch.nn import functional as F
from watched_loops import Attention, B, Recurrent, T, V, Watching, adam, healthy, loss_of, windows


@healthy
def log_softmax_before_the_loss(watching: Watching) -> nn.Module:
    """Log-probabilities are logits too: a second log-softmax changes nothing."""
    return trained(watching, lambda logits, y: loss_of(logits.log_softmax(-1), y))


@healthy
def log_of_softmax_before_the_loss(watching: Watching) -> nn.Module:
    return trained(watching, lambda logits, y: loss_of((logits.softmax(-1) + 1e-9).log(), y))


@healthy
def log_softmax_inside_and_a_cross_entropy(watching: Watching) -> nn.Module:
    class LogProbabilities(Recurrent):
        def forward(self, tokens: Tensor, state: object = None) -> Tensor:
            chances: Tensor = super().forward(tokens, state)[0].log_softmax(-1)
            return chances

    model = LogProbabilities()
    optimizer = adam(model)
    with watching(model, optimizer):
        for x, y in windows():
            optimizer.zero_grad()
            F.cross_entropy(model(x).transpose(1, 2), y).backward()
            optimizer.step()
    return model


@healthy
def likelihood_of_the_log_of_probabilities(watching: Watching) -> nn.Module:
    def loss(logits: Tensor, y: Tensor) -> Tensor:
        chances = logits.softmax(-1).clamp(min=1e-9).log()
        return F.nll_loss(chances.flatten(0, 1), y.flatten())

    return trained(watching, loss)


@healthy
def positive_scores_that_are_normalised(watching: Watching) -> nn.Module:
    def loss(logits: Tensor, y: Tensor) -> Tensor:
        return loss_of((F.softplus(logits) + 1e-6).log(), y)

    return trained(watching, loss)


@healthy
def soft_capped_logits(watching: Watching) -> nn.Module:
    return trained(watching, lambda logits, y: loss_of(5 * torch.tanh(logits / 5), y))


@healthy
def logits_of_unit_length_with_a_scale(watching: Watching) -> nn.Module:
    return trained(watching, lambda logits, y: loss_of(F.normalize(logits, dim=-1) / 0.05, y))


@healthy
def clamped_far_away(watching: Watching) -> nn.Module:
    def loss(logits: Tensor, y: Tensor) -> Tensor:
        return loss_of(logits.clamp(min=-100).clamp(-30, 30), y)

    return trained(watching, loss)


@healthy
def masked_logits_with_a_bias_and_a_temperature(watching: Watching) -> nn.Module:
    model = Attention()
    bias = nn.Parameter(torch.zeros(V))
    warmth = nn.Parameter(torch.zeros(()))
    optimizer = torch.optim.Adam([*model.parameters(), bias, warmth], 2e-3)
    never = torch.zeros(V, dtype=torch.bool)
    never[V - 1] = True
    with watching(model, optimizer):
        for x, y in windows():
            y = y.clamp(max=V - 2)
            logits = (model(x).float() + bias) * warmth.exp().sigmoid() / 0.7
            logits = torch.where(never, -1e4, logits.masked_fill(never, -1e4))
            optimizer.zero_grad()
            loss_of(F.dropout(logits, 0.0), y).backward()
            optimizer.step()
    return model


@healthy
def a_divergence_from_smooth_targets(watching: Watching) -> nn.Module:
    def loss(logits: Tensor, y: Tensor) -> Tensor:
        smooth = F.one_hot(y.flatten(), V) * 0.9 + 0.1 / V
        return F.kl_div(logits.log_softmax(-1).flatten(0, 1), smooth, reduction="batchmean")

    return trained(watching, loss)


@healthy
def a_mean_divergence_that_is_multiplied(watching: Watching) -> nn.Module:
    def loss(logits: Tensor, y: Tensor) -> Tensor:
        smooth = F.one_hot(y.flatten(), V) * 0.9 + 0.1 / V
        return V * F.kl_div(logits.log_softmax(-1).flatten(0, 1), smooth, reduction="mean")

    return trained(watching, loss)


@healthy
def a_mean_divergence_beside_the_loss(watching: Watching) -> nn.Module:
    draw = torch.Generator().manual_seed(2)

    def loss(logits: Tensor, y: Tensor) -> Tensor:
        wanted = torch.rand(B, T, V, generator=draw).softmax(-1)
        return loss_of(logits, y) + F.kl_div(logits.log_softmax(-1), wanted, reduction="mean")

    return trained(watching, loss)


@healthy
def no_weight_for_padding(watching: Watching) -> nn.Module:
    """The last symbol is padding: every second row is short."""
    weight = torch.ones(V)
    weight[V - 1] = 0
    model = Attention()
    optimizer = adam(model)
    with watching(model, optimizer):
        for x, y in windows():
            x, y = x.clamp(max=V - 2), y.clamp(max=V - 2)
            x[::2, 11:] = y[::2, 10:] = V - 1
            optimizer.zero_grad()
            F.cross_entropy(model(x).flatten(0, 1), y.flatten(), weight=weight).backward()
            optimizer.step()
    return model


@healthy
def a_small_weight_for_frequent_symbols(watching: Watching) -> nn.Module:
    weight = torch.linspace(0.1, 1.0, V)

    def loss(logits: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(logits.transpose(1, 2), y, weight=weight)

    return trained(watching, loss)
