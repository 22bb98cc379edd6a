"""A model that reads a window of tokens and guesses the one after it, as the checks see it.

Bengio et al. 2003, and many tutorials: inputs (B, T), targets (B,), logits (B, V). It gives the
logits of every place of a text if it reads the window that ends there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seqzoo.doctor.evidence.loss_form import AdaptedLoss
from seqzoo.doctor.evidence.network import Forward, Loss, Network
from seqzoo.doctor.subjects.code_batches import read_rows
from seqzoo.plugin.contracts import Batch, State

__all__ = ["AtEachPlace", "Windows"]

_NO_LATER_TOKENS = "one target for each row, so the model reads no token after a place"
_FEW_TARGETS = "one target for each row, so a few updates see too few targets to compare rates"
_ROWS_AT_ONCE = 1024
_TOKENS_OF_A_CHECK = 1 << 18


@dataclass(frozen=True)
class AtEachPlace:
    """Logits (B, T, V) of a call that gives those of the last token, (B, V).

    length: tokens of a window. is_exact: whether no shorter one can be read; then the first
    windows of a text are filled with id 0 at the left.
    """

    call: Forward
    length: int
    is_exact: bool

    @property
    def in_words(self) -> str:
        """How a text is read."""
        return f"it guesses one token for each row, so each place is read with {self.length} tokens"

    def __call__(self, module: nn.Module, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        B, T = tokens.shape
        first: list[Tensor] = []
        if self.is_exact:
            tokens = F.pad(tokens, (self.length - 1, 0))
        else:
            ends = range(1, min(self.length, T + 1))
            first = [self._last(module, tokens[:, :end])[:, None] for end in ends]
        if tokens.shape[1] < self.length:
            return torch.cat(first, 1), None
        windows = tokens.unfold(1, self.length, 1).flatten(0, 1)
        parts = [self._last(module, part) for part in torch.split(windows, _ROWS_AT_ONCE)]
        later = torch.cat(parts).unflatten(0, (B, -1))
        return torch.cat([*first, later], 1), None

    def of_the_last(self, module: nn.Module, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        """The logits after the last token, at each place: what training computes."""
        last = self._last(module, tokens)
        return last[:, None].expand(-1, tokens.shape[1], -1), None

    def _last(self, module: nn.Module, tokens: Tensor) -> Tensor:
        logits, _ = self.call(module, tokens.contiguous(), None)
        return logits


@dataclass(frozen=True)
class Windows:
    """How the batches of a training look.

    call: how the model is called. targets: the dimensions of the targets, (B,) or (B, 1).
    length: T. is_exact: whether the model can read no shorter row.
    """

    call: Forward
    targets: int
    length: int
    is_exact: bool

    def skips(self, check: str) -> str:
        """Why a check does not run; "" if it does."""
        if check == "model.causality":
            return _NO_LATER_TOKENS
        return _FEW_TARGETS if check == "optimisation.learning_rate" else ""

    def read(self, item: Any, *, known: dict[str, bool]) -> Batch:
        """A batch with its next token at each place: the next input, and at the end the target."""
        inputs, last = read_rows(item, known)
        targets = torch.cat([inputs[:, 1:], last[:, None]], 1)
        restarts = torch.ones(len(inputs), dtype=torch.bool)
        return Batch(inputs=inputs, targets=targets, restarts=restarts)

    def few_rows(self, batch: Batch) -> Batch:
        """So many rows of a batch that all windows of them can be read at once."""
        rows = max(2, _TOKENS_OF_A_CHECK // self.length**2)
        return replace(
            batch,
            inputs=batch.inputs[:rows],
            targets=batch.targets[:rows],
            restarts=batch.restarts[:rows],
        )

    def adapted(self, network: Network, loss: Loss) -> Network:
        """The network with logits at each place, and the user's loss of all of them."""

        def of_columns(logits: Tensor, targets: Tensor) -> Tensor:
            return loss(logits.flatten(0, 1), targets.flatten()[:, None])

        return replace(
            network,
            forward=AtEachPlace(self.call, self.length, self.is_exact),
            loss=of_columns if self.targets == 2 else AdaptedLoss(loss),
            longest=None,
        )
