"""What the watch reads in the graph between the model's output and the loss."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from faulty_forms import trained
from torch import Tensor, nn
from torch.nn import functional as F
from watched_loops import B, Recurrent, T, V, Watching, adam, loss_of, windows
from watched_visits import said, watched

from seqzoo.doctor.watching.marks import mark
from seqzoo.doctor.watching.path import functions_below

TARGETS = torch.arange(6) % V

Change = Callable[[Tensor], Tensor]


def names_of(change: Change) -> list[tuple[str, float]]:
    """The functions and their scales that are read from the graph of a changed output."""
    draw = torch.Generator().manual_seed(0)
    logits = (torch.randn(6, V, generator=draw).requires_grad_() @ torch.eye(V)).view(6, V)
    mark(logits, 1)
    loss = F.cross_entropy(change(logits), TARGETS)
    return [(each.name, each.scale) for each in functions_below(loss.grad_fn)]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda logits: logits.sigmoid(), [("sigmoid", 1.0)]),
        (lambda logits: 3 * logits.sigmoid() + 1, [("sigmoid", 3.0)]),
        (lambda logits: logits.tanh() / 0.25 * -2, [("tanh", -8.0)]),
        # A scale that is learned may become large.
        (lambda logits: logits.tanh() * nn.Parameter(torch.ones(())), [("tanh", torch.inf)]),
        (lambda logits: F.relu(logits.tanh()), [("relu", 1.0), ("tanh", 1.0)]),
        (lambda logits: logits.clamp(-1, 1)[:, torch.arange(V)], [("clamp", 1.0)]),
        (lambda logits: (logits.softmax(-1) + 1e-9).log().exp(), [("exp", 1.0)]),
        (
            lambda logits: logits / logits.norm(dim=-1, keepdim=True),
            [("a normalisation to length 1", 1.0)],
        ),
        (lambda logits: torch.stack([row.tanh() for row in logits]), [("tanh", 1.0)]),
    ],
)
def test_functions_are_read_with_their_scale(
    change: Change, expected: list[tuple[str, float]]
) -> None:
    found = names_of(change)
    assert [name for name, _ in found] == [name for name, _ in expected]
    assert [scale for _, scale in found] == pytest.approx([scale for _, scale in expected])


@pytest.mark.parametrize(
    "change",
    [
        lambda logits: logits.log_softmax(-1),
        lambda logits: logits.softmax(-1).log(),
        lambda logits: logits - logits.max(-1, keepdim=True).values,
        lambda logits: logits * logits[:, :1].sigmoid(),
        lambda logits: F.relu(logits) @ torch.eye(V),
        lambda logits: F.normalize(logits, dim=-1) @ torch.eye(V),
        lambda logits: F.relu(logits) + logits,
        lambda logits: F.relu(logits).log1p(),
        lambda logits: F.layer_norm(logits, (V,)),
        lambda logits: logits.transpose(0, 1).masked_fill(torch.eye(V, 6) > 0, -9.0).T,
        lambda logits: torch.where(logits > 0, logits, 2 * logits.detach()),
    ],
)
def test_what_keeps_the_order_of_logits_or_is_a_layer_is_not_read(change: Change) -> None:
    assert names_of(change) == []


def test_a_function_inside_the_model_is_not_of_the_loss() -> None:
    logits = torch.randn(6, V, requires_grad=True).sigmoid()
    mark(logits, 1)
    assert functions_below(F.cross_entropy(logits * 2, TARGETS).grad_fn) == ()


def test_a_loss_without_an_output_of_the_model_has_no_functions() -> None:
    logits = torch.randn(6, V, requires_grad=True)
    assert functions_below(F.cross_entropy(logits.sigmoid(), TARGETS).grad_fn) == ()


def a_head_of_its_own(watching: Watching) -> None:
    """The watched model gives hidden values, and the loop has the last layers."""

    class Body(Recurrent):
        def forward(self, tokens: Tensor, state: object = None) -> Tensor:
            hidden: Tensor = self.lstm(self.embed(tokens))[0]
            return hidden

    model = Body()
    optimizer = adam(model)
    with watching(model, optimizer):
        for x, y in windows():
            optimizer.zero_grad()
            loss_of(model.head(torch.tanh(F.relu(model(x)))), y).backward()
            optimizer.step()


def a_mixture_of_two_softmaxes(watching: Watching) -> None:
    class Two(Recurrent):
        def __init__(self) -> None:
            super().__init__()
            self.other = nn.Linear(24, V)

        def forward(self, tokens: Tensor, state: object = None) -> tuple[Tensor, Tensor]:
            hidden = self.lstm(self.embed(tokens))[0]
            return self.head(hidden), self.other(hidden)

    model = Two()
    optimizer = adam(model)
    with watching(model, optimizer):
        for x, y in windows():
            one, other = model(x)
            chances = (one.softmax(-1) + other.softmax(-1)) / 2
            optimizer.zero_grad()
            F.nll_loss(chances.log().flatten(0, 1), y.flatten()).backward()
            optimizer.step()


def padding_on_both_sides_without_weight(watching: Watching) -> None:
    weight = torch.ones(V)
    weight[V - 1] = 0

    def loss(logits: Tensor, y: Tensor) -> Tensor:
        y = y.clamp(max=V - 2)
        y[::2, 10:] = y[1::2, :5] = V - 1
        return F.cross_entropy(logits.flatten(0, 1), y.flatten(), weight=weight)

    trained(watching, loss)


def the_last_step_of_rows_that_are_time(watching: Watching) -> None:
    """(T, B): logits[-1] is the last place of every text."""
    model = Recurrent(time_first=True)
    optimizer = adam(model)
    with watching(model, optimizer):
        for x, y in windows():
            optimizer.zero_grad()
            F.cross_entropy(model(x.T)[0][-1], y.T[-1]).backward()
            optimizer.step()


@pytest.mark.parametrize(
    "loop",
    [
        a_head_of_its_own,
        a_mixture_of_two_softmaxes,
        padding_on_both_sides_without_weight,
        the_last_step_of_rows_that_are_time,
    ],
)
def test_a_usual_loss_in_an_unusual_form_is_not_named(loop: Callable[[Watching], None]) -> None:
    visit = watched(loop, only=["loop.loss"])
    assert visit.errors == []
    assert said(visit) == []


def seen_of(loss: Callable[[Tensor, Tensor], Tensor], **how: int) -> str:
    visit = watched(lambda watching: trained(watching, loss, **how), only=["loop.loss"])
    return dict(said(visit))["loop.loss"]


def test_the_highest_probability_is_that_of_the_widest_logits() -> None:
    """By an independent form: one logit at the top of the interval and all others at the bottom."""
    widest = torch.zeros(V)
    widest[0] = 1.0
    highest = float(widest.softmax(-1)[0])
    seen = seen_of(lambda logits, y: loss_of(logits.sigmoid(), y))
    assert "passes through sigmoid before the loss" in seen
    assert f"in 0 to 1, and no token can get a probability above {highest:.1%}" in seen


def test_the_row_that_has_targets_is_named() -> None:
    assert f"the last of the {B} rows" in seen_of(
        lambda logits, y: F.cross_entropy(logits[-1], y[-1])
    )


def test_a_new_tensor_is_said_to_have_no_graph() -> None:
    seen = seen_of(lambda logits, y: torch.tensor(loss_of(logits, y).item(), requires_grad=True))
    assert "it has no graph" in seen


def test_the_share_without_weight_is_that_of_the_targets() -> None:
    weight, shares = torch.ones(V), []
    weight[1] = 0

    def loss(logits: Tensor, y: Tensor) -> Tensor:
        shares.append(float((y[:, 1:-1] == 1).sum()) / y.numel())
        return F.cross_entropy(logits.flatten(0, 1), y.flatten(), weight=weight)

    seen = seen_of(loss)
    told = float(seen.split("%")[0]) / 100
    # At an end of a row it may be padding, so up to two places of each row are not counted.
    assert sum(shares) / len(shares) - 0.01 < told <= sum(shares) / len(shares) * T / (T - 2) + 0.01
    assert "symbol 1" in seen
