"""The live objects that plugins build, and what the core promises and expects of each.

B batch (lanes), T time (tokens), V vocabulary. Laws that every implementation has to keep are
listed with each class; tests/laws runs them over everything that is installed.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor, nn

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["Batch", "Corpus", "Sampler", "SequenceModel", "State", "Stream", "Tokenizer", "Tracker"]

State: TypeAlias = Any
"""A tree (tuples, lists, dicts) of tensors, every leaf batch-first: (B, ...)."""


class SequenceModel(nn.Module, ABC):
    """A causal model of token sequences whose memory is an explicit, carried state.

    Laws: *chunking*: one pass over (B, T) equals any cut of it with the state carried.
    *Causality*: token t+1 changes no logits up to t. *Row independence*: a row's logits do not
    depend on the other rows. *Bounded state*: its size does not depend on how much was read.
    In eval mode the output is deterministic; every parameter receives a gradient.
    """

    @abstractmethod
    def initial_state(self, batch_size: int) -> State:
        """The state before the first token, on the parameters' device, every leaf (B, ...)."""

    @abstractmethod
    def forward(
        self, tokens: Int[Tensor, "B T"], state: State | None = None
    ) -> tuple[Float[Tensor, "B T V"], State]:
        """Logits of the token after each token, and the state after the last.

        state: None means `initial_state(B)`. The returned state may carry a graph; the core
        detaches it between updates.
        """

    def hidden_matrices(self) -> Iterator[nn.Parameter]:
        """The matrices that map hidden to hidden units, which Muon may orthogonalise.

        Default: every matrix but embeddings and those of a child named `head`.
        """
        outside = {
            id(p) for m in self.modules() if isinstance(m, nn.Embedding) for p in m.parameters()
        }
        if isinstance(head := getattr(self, "head", None), nn.Module):
            outside |= {id(p) for p in head.parameters()}
        for parameter in self.parameters():
            if parameter.ndim == 2 and id(parameter) not in outside:
                yield parameter

    def prepare(self, tokens: npt.NDArray[Any]) -> None:
        """See the training part before training begins or goes on; anew in every process.

        What scoring and sampling need of it belongs in buffers, which checkpoints hold; what only
        training needs may be kept outside them. Default: nothing.

        tokens: (N,) unsigned integers, memory-mapped where they are many.
        """

    def forward_in_training(
        self,
        tokens: Int[Tensor, "B T"],
        state: State | None = None,
        positions: Int[Tensor, " B"] | None = None,
    ) -> tuple[Float[Tensor, "B T V"], State]:
        """`forward` on the training part itself.

        A model that has counted the training part leaves out here what it counted around the
        batch: else it would learn to trust counts that have seen the answer. Default: `forward`.

        Hooks on the model and `compile` see calls of `forward` alone.

        positions: where in the training part each row's first token stands; None: not known.
        """
        answer: tuple[Float[Tensor, "B T V"], State] = self(tokens, state)
        return answer

    def adapt(self) -> None:
        """From now on learn from all tokens that are read, each before the next is predicted.

        Called in adaptive scoring only, on a copy, before anything is read. Default: nothing.
        """


class Tokenizer(ABC):
    """Bytes to token ids and back, without loss.

    Laws: `decode(encode(data)) == data` for all bytes; `byte_lengths(encode(data))` sums to
    `len(data)`; ids lie in [0, vocab_size).
    """

    vocab_size: int

    def learn(self, training: npt.NDArray[np.uint8]) -> None:  # noqa: B027
        """Look at the training part, (N,) uint8, before anything is encoded. Default: nothing."""

    @abstractmethod
    def encode(self, data: npt.NDArray[np.uint8]) -> npt.NDArray[Any]:
        """(N,) uint8 to (M,) token ids of the smallest unsigned type that holds vocab_size."""

    @abstractmethod
    def decode(self, tokens: npt.NDArray[Any]) -> bytes:
        """Any ids in range to bytes; a tail that is not yet a whole symbol gives nothing."""

    @abstractmethod
    def byte_lengths(self, tokens: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        """(M,) ids to (M,) numbers of raw bytes that each stands for."""

    def state(self) -> Mapping[str, Any]:
        """What was learnt, as plain JSON data; stored with every checkpoint."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:  # noqa: B027 (nothing learnt by default)
        """Take back what `state` gave; raises ValueError where it does not fit."""


class Batch(NamedTuple):
    """inputs, targets: (B, T) int64, targets one token ahead. restarts: the state must be reset.

    positions: (B,) int64, where in the split's tokens each row's first input stands; None where a
    stream cannot say.
    """

    inputs: Int[Tensor, "B T"]
    targets: Int[Tensor, "B T"]
    restarts: bool
    positions: Int[Tensor, " B"] | None = None


class Stream(ABC):
    """The order in which training reads the tokens of its split.

    Laws: targets are one token ahead; row i of a batch continues row i of the batch before it
    unless `restarts` says that the state must be reset; a batch never changes once it is handed
    out; positions, where given, are right; `restore(state())` goes on with the same batches.
    `seqzoo doctor` holds a stream to all of them but the positions, which `pytest tests/laws` sees.
    """

    batch_size: int
    epoch: int = 0
    """How many times the whole split has been read."""

    @abstractmethod
    def next(self, length: int) -> Batch:
        """The next batch: `length` tokens of every row, or fewer where the text ends."""

    @abstractmethod
    def state(self) -> Mapping[str, Any]:
        """Where it stands, as plain JSON data; stored with every checkpoint."""

    @abstractmethod
    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to what `state` gave; raises KeyError or ValueError where it does not fit."""


class Sampler(ABC):
    """One link of the sampling chain: reshapes the logits that the next token is drawn from.

    The core draws once, from the softmax of what the last link returns, so a link that wants to
    choose by itself leaves one finite entry. Laws: shape kept, at least one finite entry per row,
    row independence, no randomness of its own.
    """

    @abstractmethod
    def __call__(
        self, logits: Float[Tensor, "B V"], history: Int[Tensor, "B N"]
    ) -> Float[Tensor, "B V"]:
        """New logits (-inf excludes); the argument may be changed in place.

        history: the tokens so far, prompt included, N as much as `history_length` asks for.
        """

    history_length: int = 0
    """How many of the latest tokens `history` has to hold; 0 for none."""


@dataclass(frozen=True)
class Corpus:
    """Bytes to learn from and to be scored on.

    name: as results and the leaderboard show it.
    data: (N,) uint8, read-only; memory-mapped where it comes from a file.
    origin: where the bytes come from, for people.
    code_lengths: where the true source is known, `(start, stop) -> (stop - start,) float64` bits
    that each byte costs under it, all earlier bytes known: the floor no honest model gets below.
    """

    name: str
    data: npt.NDArray[np.uint8]
    origin: str
    code_lengths: Callable[[int, int], npt.NDArray[np.float64]] | None = None

    def __post_init__(self) -> None:
        if self.data.dtype != np.uint8 or self.data.ndim != 1:
            raise TypeError(f"corpus '{self.name}' must be one-dimensional uint8")


class Tracker(ABC):
    """A sink for the metrics of one run."""

    @abstractmethod
    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """Take one line of metrics; steps never go back within one process."""

    def close(self) -> None:  # noqa: B027 (most sinks have nothing to close)
        """The run is over, or is being interrupted."""
