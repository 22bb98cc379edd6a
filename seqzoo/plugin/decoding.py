"""Decoders: plugins that choose a whole text, and not only the next token."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from jaxtyping import Float, Int
from torch import Tensor

from seqzoo.plugin.contracts import State

__all__ = ["Decoder", "DecodingTask", "Stepper"]


class Stepper(Protocol):
    """A model that a decoder reads text with; it runs in evaluation mode and without gradients."""

    def read(
        self, tokens: Int[Tensor, "B T"], state: State | None = None
    ) -> tuple[Float[Tensor, "B V"], State]:
        """(B, V) log probabilities of what follows (B, T) tokens, on the CPU, and the next state.

        state: what an earlier call returned for the tokens before; None: these are the first.
        """

    def rows(self, state: State, rows: Int[Tensor, " K"]) -> State:
        """The state of (K,) rows, in this order; a row may be repeated."""


@dataclass(frozen=True, kw_only=True)
class DecodingTask:
    """What a decoder writes.

    prompt: (N,) tokens to continue, N >= 1. num_tokens: how many to write at most.
    seed: for decoders that draw; the same seed gives the same text.
    """

    prompt: Int[Tensor, " N"]
    num_tokens: int
    seed: int


class Decoder(ABC):
    """Chooses the text after a prompt; it replaces the sampling chain and the draw.

    Laws: at most `num_tokens` tokens, all in [0, V); the same task gives the same tokens; torch's
    global generators are not used.
    """

    @abstractmethod
    def decode(self, stepper: Stepper, task: DecodingTask) -> Iterator[int]:
        """The tokens of the text, each as soon as it is certain. It may end early."""
