"""Training loops whose loss has another form than the usual one of the same output."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F
from watched_loops import Attention, B, Recurrent, T, V, Watching, adam, fault, loss_of, windows


def trained(
    watching: Watching, loss: Callable[[Tensor, Tensor], Tensor], *, rows: int = B
) -> torch.nn.Module:
    """loss: (logits (B, T, V), targets (B, T)) -> a scalar."""
    model = Attention()
    optimizer = adam(model)
    with watching(model, optimizer):
        for x, y in windows(rows=rows):
            optimizer.zero_grad()
            loss(model(x), y).backward()
            optimizer.step()
    return model


@fault("loop.loss")
def sigmoid_before_the_loss(watching: Watching) -> None:
    trained(watching, lambda logits, y: loss_of(logits.sigmoid(), y))


@fault("loop.loss")
def relu_before_the_loss(watching: Watching) -> None:
    trained(watching, lambda logits, y: loss_of(F.relu(logits), y))


@fault("loop.loss")
def tanh_before_the_loss(watching: Watching) -> None:
    trained(watching, lambda logits, y: loss_of(2 * torch.tanh(logits / 0.5), y))


@fault("loop.loss")
def softplus_before_the_loss(watching: Watching) -> None:
    trained(watching, lambda logits, y: loss_of(F.softplus(logits.float()), y))


@fault("loop.loss")
def clamp_before_the_loss(watching: Watching) -> None:
    trained(watching, lambda logits, y: loss_of(logits.clamp(-1, 1), y))


@fault("loop.loss")
def absolute_values_before_the_loss(watching: Watching) -> None:
    trained(watching, lambda logits, y: F.cross_entropy(logits.abs().transpose(1, 2), y))


@fault("loop.loss")
def unit_length_before_the_loss(watching: Watching) -> None:
    trained(watching, lambda logits, y: loss_of(F.normalize(logits, dim=-1), y))


@fault("loop.loss")
def probabilities_before_a_log_softmax(watching: Watching) -> None:
    def loss(logits: Tensor, y: Tensor) -> Tensor:
        chances = logits.log_softmax(-1).exp().log_softmax(-1)
        return F.nll_loss(chances.flatten(0, 1), y.flatten())

    trained(watching, loss)


@fault("loop.loss")
def log_softmax_over_the_batch_before_the_loss(watching: Watching) -> None:
    trained(watching, lambda logits, y: loss_of(logits.log_softmax(0), y))


@fault("loop.loss")
def softmax_before_a_likelihood_that_is_picked(watching: Watching) -> None:
    def loss(logits: Tensor, y: Tensor) -> Tensor:
        return -logits.softmax(-1).log_softmax(-1).gather(-1, y[..., None]).mean()

    trained(watching, loss)


@fault("loop.loss")
def sigmoid_before_soft_targets(watching: Watching) -> None:
    def loss(logits: Tensor, y: Tensor) -> Tensor:
        smooth = F.one_hot(y, V) * 0.9 + 0.1 / V
        return F.cross_entropy(logits.sigmoid().flatten(0, 1), smooth.flatten(0, 1))

    trained(watching, loss)


@fault("loop.loss")
def divergence_of_probabilities(watching: Watching) -> None:
    def loss(logits: Tensor, y: Tensor) -> Tensor:
        return F.kl_div(logits.softmax(-1), F.one_hot(y, V).float(), reduction="batchmean")

    trained(watching, loss)


@fault("loop.loss")
def divergence_of_logits(watching: Watching) -> None:
    def loss(logits: Tensor, y: Tensor) -> Tensor:
        smooth = F.one_hot(y, V) * 0.9 + 0.1 / V
        return F.kl_div(logits, smooth.log(), reduction="sum", log_target=True) / B / T

    trained(watching, loss)


@fault("loop.loss")
def divergence_with_the_mean_over_the_classes(watching: Watching) -> None:
    def loss(logits: Tensor, y: Tensor) -> Tensor:
        return F.kl_div(logits.log_softmax(-1).flatten(0, 1), F.one_hot(y.flatten(), V).float())

    trained(watching, loss)


@fault("loop.loss")
def no_weight_for_frequent_symbols(watching: Watching) -> None:
    weight = torch.ones(V)
    weight[:3] = 0
    trained(
        watching,
        lambda logits, y: F.cross_entropy(logits.flatten(0, 1), y.flatten(), weight=weight),
    )


@fault("loop.loss")
def only_the_last_row_of_the_batch(watching: Watching) -> None:
    trained(watching, lambda logits, y: F.cross_entropy(logits[-1], y[-1]))


@fault("loop.loss")
def only_the_first_row_of_the_batch(watching: Watching) -> None:
    model = Recurrent()
    optimizer = adam(model)
    with watching(model, optimizer):
        for x, y in windows():
            optimizer.zero_grad()
            F.cross_entropy(model(x)[0][0], y[0]).backward()
            optimizer.step()
