"""A mixture of the probabilities that several models give to the next token."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy.typing as npt
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from seqzoo import SequenceModel

__all__ = ["Mixture", "combined_weights"]

MixtureState: TypeAlias = tuple[Any, ...]
"""The states of the members, in their order."""

_WEIGHTS = "log_weights"


class Mixture(SequenceModel):
    """p(token | text) = sum_k w_k p_k(token | text), with one weight w_k for each of K members.

    The logits are the logarithms of these probabilities. `log_weights` has the weights, (K,), as
    the logits of a softmax: whatever an optimizer makes of them, they are positive and add up to 1.
    A new mixture has equal weights.
    """

    def __init__(self, members: Iterable[SequenceModel]) -> None:
        super().__init__()
        # Typed as what it holds: nn.ModuleList gives modules without the methods of a model.
        self.members: Sequence[SequenceModel] = nn.ModuleList(members)  # type: ignore[assignment]
        self.log_weights = nn.Parameter(torch.zeros(len(self.members)))

    def initial_state(self, batch_size: int) -> MixtureState:
        """Those of the members."""
        return tuple(member.initial_state(batch_size) for member in self.members)

    def forward(
        self, tokens: Int[Tensor, "B T"], state: MixtureState | None = None
    ) -> tuple[Float[Tensor, "B T V"], MixtureState]:
        states = (None,) * len(self.members) if state is None else state
        return self._mixed(
            member(tokens, own) for member, own in zip(self.members, states, strict=True)
        )

    def forward_in_training(
        self,
        tokens: Int[Tensor, "B T"],
        state: MixtureState | None = None,
        positions: Int[Tensor, " B"] | None = None,
    ) -> tuple[Float[Tensor, "B T V"], MixtureState]:
        """With `forward_in_training` of the members."""
        states = (None,) * len(self.members) if state is None else state
        return self._mixed(
            member.forward_in_training(tokens, own, positions)
            for member, own in zip(self.members, states, strict=True)
        )

    def before_training(self, tokens: npt.NDArray[Any]) -> None:
        """Every member looks at the training part."""
        for member in self.members:
            member.before_training(tokens)

    def start_adapting(self) -> None:
        """Every member adapts by itself to what it reads."""
        for member in self.members:
            member.start_adapting()

    def auxiliary_loss(self) -> Float[Tensor, ""] | None:
        """The sum of those of the members."""
        losses = [member.auxiliary_loss() for member in self.members]
        given = [loss for loss in losses if loss is not None]
        return torch.stack(given).sum() if given else None

    def _mixed(
        self, outputs: Iterable[tuple[Tensor, Any]]
    ) -> tuple[Float[Tensor, "B T V"], MixtureState]:
        logits, states = zip(*outputs, strict=True)
        # In the type of the weights: bfloat16 logarithms of autocast have three digits.
        kind = self.log_weights.dtype
        logs = torch.stack([each.log_softmax(-1, dtype=kind) for each in logits])  # (K, B, T, V)
        shares = self.log_weights.log_softmax(0)
        return (shares[:, None, None, None] + logs).logsumexp(0), tuple(states)


def combined_weights(
    members: Sequence[Mapping[str, Tensor]], shares: Sequence[float]
) -> dict[str, Tensor]:
    """The `state_dict` of a mixture of trained members, from theirs and from its weights w_k."""
    found = {
        f"members.{number}.{name}": tensor
        for number, weights in enumerate(members)
        for name, tensor in weights.items()
    }
    return found | {_WEIGHTS: torch.tensor(shares, dtype=torch.float64).log().float()}
