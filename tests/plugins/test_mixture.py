"""`mixture`: the mean of the members' probabilities, and what it passes on to the members."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from seqzoo import SequenceModel
from seqzoo_plugins.mixture.model import Mixture, combined_weights

V = 5
TOKENS = torch.from_numpy(np.random.default_rng(0).integers(0, V, (2, 7)))


class Table(SequenceModel):
    """A table of logits by the latest token, which records what it receives."""

    def __init__(self, seed: int, loss: float | None = None) -> None:
        super().__init__()
        self.rates = nn.Parameter(torch.randn(V, V, generator=torch.Generator().manual_seed(seed)))
        self.loss = loss
        self.received: list[Any] = []

    def before_training(self, tokens: Any) -> None:
        self.received.append(("before_training", tokens.tolist()))

    def start_adapting(self) -> None:
        self.received.append("start_adapting")

    def auxiliary_loss(self) -> Tensor | None:
        return None if self.loss is None else self.loss * self.rates.square().mean()

    def initial_state(self, batch_size: int) -> dict[str, Tensor]:
        return {"count": torch.zeros(batch_size, 1)}

    def forward(self, tokens: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        count = (self.initial_state(len(tokens)) if state is None else state)["count"]
        return self.rates[tokens], {"count": count + tokens.shape[1]}

    def forward_in_training(
        self, tokens: Tensor, state: Any = None, positions: Tensor | None = None
    ) -> tuple[Tensor, Any]:
        self.received.append(("positions", None if positions is None else positions.tolist()))
        return self(tokens, state)


def softmax(logits: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    powers = np.exp(logits)
    return powers / powers.sum(-1, keepdims=True)


def test_its_probabilities_are_the_weighted_mean_of_those_of_the_members() -> None:
    members = [Table(seed) for seed in (1, 2, 3)]
    model = Mixture(members).double()
    shares = [0.7, 0.1, 0.2]
    model.load_state_dict(combined_weights([each.state_dict() for each in members], shares))
    logits, _ = model(TOKENS)
    expected = sum(
        share * softmax(member.rates.detach().numpy()[TOKENS.numpy()])
        for share, member in zip(shares, members, strict=True)
    )
    # The shares are kept in float32.
    np.testing.assert_allclose(softmax(logits.detach().numpy()), expected, atol=1e-7)


def test_the_weights_of_a_new_mixture_are_equal() -> None:
    model = Mixture([Table(1), Table(2)]).double()
    one, other = (softmax(member(TOKENS)[0].detach().numpy()) for member in model.members)
    found = softmax(model(TOKENS)[0].detach().numpy())
    np.testing.assert_allclose(found, (one + other) / 2, atol=1e-12)


def test_a_probability_that_one_member_excludes_is_that_of_the_others() -> None:
    members = [Table(1), Table(2)]
    with torch.no_grad():
        members[0].rates[:, 0] = -torch.inf
    model = Mixture(members).double()
    logits, _ = model(TOKENS)
    expected = softmax(members[1].rates.detach().numpy()[TOKENS.numpy()])[..., 0] / 2
    np.testing.assert_allclose(softmax(logits.detach().numpy())[..., 0], expected, atol=1e-12)


def test_the_state_of_every_member_is_carried() -> None:
    model = Mixture([Table(1), Table(2)])
    _, state = model(TOKENS[:, :3])
    _, state = model(TOKENS[:, 3:], state)
    assert [each["count"].tolist() for each in state] == [[[7.0], [7.0]]] * 2


def test_every_member_receives_what_the_core_says_to_the_mixture() -> None:
    members = [Table(1), Table(2)]
    model = Mixture(members)
    model.before_training(np.array([1, 2, 3]))
    model.start_adapting()
    model.forward_in_training(TOKENS, None, torch.tensor([4, 9]))
    expected = [("before_training", [1, 2, 3]), "start_adapting", ("positions", [4, 9])]
    assert [member.received for member in members] == [expected, expected]


@pytest.mark.parametrize("factors", [(None, 2.0), (3.0, 2.0)])
def test_the_auxiliary_losses_of_the_members_are_added(factors: tuple[float | None, ...]) -> None:
    members = [Table(seed, loss) for seed, loss in enumerate(factors)]
    expected = sum((member.loss or 0.0) * member.rates.square().mean().item() for member in members)
    loss = Mixture(members).auxiliary_loss()
    assert loss is not None
    assert loss.item() == pytest.approx(expected)


def test_there_is_no_auxiliary_loss_where_no_member_has_one() -> None:
    assert Mixture([Table(1), Table(2)]).auxiliary_loss() is None
