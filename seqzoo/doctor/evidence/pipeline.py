"""How the batches of a subject are made and its network is trained."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from seqzoo.doctor.evidence.missing import Missing
from seqzoo.doctor.evidence.network import Network
from seqzoo.doctor.evidence.recording import Source
from seqzoo.doctor.evidence.trial import Trainer
from seqzoo.plugin.contracts import Batch

__all__ = ["Pipeline"]


class Pipeline(ABC):
    """Where batches come from, and how updates are made with them.

    numbered: whether `source` reads numbered tokens (see Recording).
    bptt_length: tokens between cuts of the gradient, the longest if a schedule changes it.
    longest_pass: how many tokens the model can certainly read at once, None for any number.
    is_flat: whether batches are given without a time axis, as B rows of one token.
    loss_shift: how many tokens later the loss looks for the target of a place: 1 if batches are
    pairs of equal ids and the loss shifts them. Batches that are read here have the next token.
    has_one_target: whether there is one target for each row, and not one for each token.
    restarts_anywhere: whether batches are from a function of the user that can be called again.
    """

    numbered: bool
    batch_size: int
    bptt_length: int
    longest_pass: int | None = None
    is_flat: bool = False
    loss_shift: int = 0
    has_one_target: bool = False
    restarts_anywhere: bool = False

    def first(self) -> Batch:
        """The first of the real batches, with a target at every place."""
        source = self.real_source()
        return source.read(source.take())

    @abstractmethod
    def source(self) -> Source:
        """The batches from their beginning, numbered if that is possible."""

    @abstractmethod
    def real_source(self) -> Source:
        """The batches that training would see."""

    def short_source(self, num_tokens: int) -> Source:
        """Numbered batches of a text of that length. Raises Missing if that is not possible."""
        raise Missing("batches of another, shorter text are not available")

    @abstractmethod
    def trainer(
        self, network: Network, *, steps: int, factor: Callable[[int], float] | None = None
    ) -> Trainer:
        """Trains `network` for about `steps` updates, as the user's training would.

        factor: the learning rate of update n is multiplied by factor(n); without it the rate
        warms up as usual and is then constant.
        """
