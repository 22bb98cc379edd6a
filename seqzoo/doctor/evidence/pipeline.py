"""How a subject's batches are had and its network is trained, whoever wrote them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from seqzoo.doctor.evidence.missing import Missing
from seqzoo.doctor.evidence.network import Network
from seqzoo.doctor.evidence.recording import Source
from seqzoo.doctor.evidence.trial import Trainee
from seqzoo.plugin.contracts import Batch

__all__ = ["Pipeline"]


class Pipeline(ABC):
    """Where batches come from, and how updates are made of them.

    numbered: whether `source` reads numbered tokens (see Recording).
    bptt_length: tokens between cuts of the gradient, the longest where it is scheduled.
    longest_pass: tokens that the model is sure to read at once, None for any number.
    is_flat: whether batches are given without a time axis, as B rows of one token.
    """

    numbered: bool
    batch_size: int
    bptt_length: int
    longest_pass: int | None = None
    is_flat: bool = False

    def first(self) -> Batch:
        """The first of the real batches, a target at every place."""
        source = self.real_source()
        return source.read(source.take())

    @abstractmethod
    def source(self) -> Source:
        """The batches from their beginning, numbered where that is possible."""

    @abstractmethod
    def real_source(self) -> Source:
        """The batches that training would see."""

    def short_source(self, num_tokens: int) -> Source:
        """Numbered batches of a text that short. Raises Missing where it cannot be done."""
        raise Missing("the batches cannot be had of another, shorter text")

    @abstractmethod
    def trainee(
        self, network: Network, *, steps: int, factor: Callable[[int], float] | None = None
    ) -> Trainee:
        """`network` trained for about `steps` updates as it would be.

        factor: what the learning rate of update n is multiplied by; without it the rate is
        warmed up as usual, and then constant.
        """
