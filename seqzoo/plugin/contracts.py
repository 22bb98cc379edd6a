"""The objects that plugins build: what the core does with each of them and what it requires.

B batch (lanes), T time (tokens), V vocabulary. Each class lists the laws that every implementation
must follow; `seqzoo check` and seqzoo.testing try them (docs/testing.md).
"""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from seqzoo.plugin import earlier_api
from seqzoo.plugin.corpus import Corpus
from seqzoo.plugin.roles import ParameterRole, default_roles
from seqzoo.plugin.tracker import Tracker

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = [
    "Batch",
    "Corpus",
    "ParameterRole",
    "Sampler",
    "Schedule",
    "SequenceModel",
    "State",
    "Stream",
    "Tokenizer",
    "Tracker",
]

State: TypeAlias = Any
"""A tree (tuples, lists, dicts) of tensors, every leaf batch-first: (B, ...)."""


class SequenceModel(nn.Module, ABC):
    """A causal model of token sequences whose memory is an explicit, carried state.

    Laws: *chunking*: one pass over (B, T) gives the same result as any division of it into parts
    with the state carried. *Causality*: token t+1 changes no logits up to t. *Row independence*:
    the logits of a row do not depend on other rows. *Bounded state*: the size of the state does not
    depend on the number of tokens read. In eval mode the output is deterministic. Every parameter
    gets a gradient.
    """

    def __init_subclass__(cls, **further: Any) -> None:
        super().__init_subclass__(**further)
        for earlier, name in earlier_api.RENAMED_METHODS.items():
            if earlier in vars(cls) and name not in vars(cls):
                earlier_api.warn(f"{cls.__name__}.{earlier} is called {name}")
                setattr(cls, name, vars(cls)[earlier])

    @abstractmethod
    def initial_state(self, batch_size: int) -> State:
        """The state before the first token, on the parameters' device, every leaf (B, ...)."""

    @abstractmethod
    def forward(
        self, tokens: Int[Tensor, "B T"], state: State | None = None
    ) -> tuple[Float[Tensor, "B T V"], State]:
        """For each token the logits of the next one, and the state after the last token.

        state: None means `initial_state(B)`. The returned state may have a gradient graph; the core
        detaches it between updates.
        """

    def parameter_roles(self) -> dict[str, ParameterRole]:
        """What each parameter is for, by its name; optimizers read it.

        Default: weights of linear and of recurrent layers are matrices, except those of embeddings
        and of a child named `head`; everything else is "other". What has two or more dimensions
        decays. Override it with what differs:
        `return super().parameter_roles() | {"log_rate": ParameterRole(use="other", decay=False)}`.
        A tied parameter has one role, under its first name. A child that is itself a SequenceModel
        gives its own roles.
        """
        roles = default_roles(self)
        if type(self).hidden_matrices is not SequenceModel.hidden_matrices:
            return earlier_api.with_hidden_matrices(self, self.hidden_matrices(), roles)
        return roles

    def hidden_matrices(self) -> Iterator[nn.Parameter]:
        """Deprecated: what `parameter_roles` calls matrices. Overrides are still used."""
        parameters = dict(self.named_parameters())
        roles = default_roles(self)
        yield from (parameters[name] for name in roles if roles[name].use == "matrix")

    def before_training(self, tokens: npt.NDArray[Any]) -> None:
        """Look at the training part before training begins or resumes; again in every process.

        What scoring and sampling need from it belongs in buffers, which checkpoints store. What
        only training needs can be stored elsewhere. Default: nothing.

        tokens: (N,) unsigned integers, memory-mapped if they are many.
        """

    def forward_in_training(
        self,
        tokens: Int[Tensor, "B T"],
        state: State | None = None,
        positions: Int[Tensor, " B"] | None = None,
    ) -> tuple[Float[Tensor, "B T V"], State]:
        """`forward` while training, on the training part itself.

        A model that has counted the training part should leave out the counts around the batch
        here. Otherwise it learns to trust counts that contain the answer. Default: `forward`.

        Hooks on the model and `compile` act on calls of `forward` only.

        positions: the index in the training part of each row's first token; None: not known.
        """
        answer: tuple[Float[Tensor, "B T V"], State] = self(tokens, state)
        return answer

    def auxiliary_loss(self) -> Float[Tensor, ""] | None:
        """What training adds to the cross-entropy of the batch that was just read.

        A scalar in nats per token, for example of load balancing or of a regulariser; called after
        every `forward_in_training`. Scores and the logged bits per byte do not contain it. Where
        several processes train, it is the mean of theirs.
        Default: None, nothing.
        """
        return None

    def start_adapting(self) -> None:
        """From now on learn from every token that is read, before the next one is predicted.

        Called only for adaptive scoring, on a copy, before anything is read. Default: nothing.
        """


class Tokenizer(ABC):
    """Converts bytes to token ids and back, without loss.

    Laws: `decode(encode(data)) == data` for all bytes; the sum of `byte_lengths(encode(data))` is
    `len(data)`; ids are in [0, vocab_size).
    """

    vocab_size: int

    def __init_subclass__(cls, **further: Any) -> None:
        """Let every tokenizer's `encode` take bytes as well, and refuse a str in one sentence."""
        super().__init_subclass__(**further)
        if encode := cls.__dict__.get("encode"):
            cls.encode = _taking_bytes(encode)  # type: ignore[method-assign]

    def learn(self, training: npt.NDArray[np.uint8]) -> None:  # noqa: B027
        """Look at the training part, (N,) uint8, before anything is encoded. Default: nothing."""

    @abstractmethod
    def encode(self, data: npt.NDArray[np.uint8]) -> npt.NDArray[Any]:
        """(N,) uint8 to (M,) token ids, in the smallest unsigned type in which vocab_size fits.

        Callers may also give bytes; an implementation always receives an array.
        """

    @abstractmethod
    def decode(self, tokens: npt.NDArray[Any]) -> bytes:
        """Any ids in range to bytes. An incomplete symbol at the end gives nothing."""

    @abstractmethod
    def byte_lengths(self, tokens: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        """(M,) ids to (M,) numbers of raw bytes, one for each id."""

    def state(self) -> Mapping[str, Any]:
        """What was learnt, as plain JSON data. Stored with every checkpoint."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:  # noqa: B027 (nothing learnt by default)
        """Use what `state` returned. Raises ValueError if it does not fit."""


def _taking_bytes(encode: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(encode)
    def wrapped(self: Tokenizer, data: Any) -> Any:
        if not isinstance(data, np.ndarray):
            if isinstance(data, str):
                raise TypeError("a tokenizer encodes bytes, found a str; use text.encode()")
            data = np.frombuffer(data, dtype=np.uint8)
        return encode(self, data)

    return wrapped


@dataclass(frozen=True, kw_only=True, eq=False)
class Batch:
    """What one training step reads.

    inputs, targets: (B, T) int64; the targets are one token ahead of the inputs.
    restarts: (B,) bool, the rows whose state is reset before this batch.
    mask: (B, T) bool, the targets that count; None: all of them. The model reads what does not
    count, so a row that ends early is filled up with any tokens.
    positions: (B,) int64, the index in the split's tokens of each row's first input; None if the
    stream does not know it.
    """

    inputs: Int[Tensor, "B T"]
    targets: Int[Tensor, "B T"]
    restarts: Bool[Tensor, " B"]
    mask: Bool[Tensor, "B T"] | None = None
    positions: Int[Tensor, " B"] | None = None

    def __post_init__(self) -> None:
        if isinstance(self.restarts, bool):
            earlier_api.warn("Batch.restarts is a bool, expected a (B,) bool tensor")
            object.__setattr__(self, "restarts", torch.full((len(self.inputs),), self.restarts))

    @property
    def num_targets(self) -> int:
        """How many targets count."""
        return self.targets.numel() if self.mask is None else int(self.mask.sum())


class Stream(ABC):
    """The order in which training reads the tokens of its split.

    Laws: targets are one token ahead. Row i of a batch continues row i of the batch before it,
    unless `restarts[i]` is set. A batch does not change after it was returned. Positions, if given,
    are correct. After `restore(state())` the same batches follow. `seqzoo check` tries all of
    these.
    """

    batch_size: int
    epoch: int = 0
    """How many times the whole split has been read."""

    @abstractmethod
    def next(self, length: int) -> Batch:
        """The next batch: `length` tokens of every row, or fewer at the end of the text."""

    @abstractmethod
    def state(self) -> Mapping[str, Any]:
        """The current position, as plain JSON data. Stored with every checkpoint."""

    @abstractmethod
    def restore(self, state: Mapping[str, Any]) -> None:
        """Return to a position from `state`. Raises KeyError or ValueError if it does not fit."""


class Schedule(ABC):
    """How the learning rate changes during training, after the warm-up.

    Laws: `factor` depends on its arguments alone, so that a resumed run continues as if it had not
    stopped; it is finite and not negative.
    """

    @abstractmethod
    def factor(self, step: int, progress: float) -> float:
        """The factor of all learning rates at an update.

        step: updates before it, 0 for the first. progress: the share of the budget that is spent,
        0 to 1.
        """


class Sampler(ABC):
    """One link of the sampling chain: changes the logits from which the next token is drawn.

    The core draws once, from the softmax of the logits that the last link returns. A link that
    chooses the token itself leaves one finite entry. Laws: the shape stays, each row has at least
    one finite entry, rows are independent, and there is no randomness. What a link remembers
    belongs to one text; `begin` starts the next.
    """

    history_length: int = 0
    """How many of the last tokens `history` must contain; 0 for none."""

    def begin(self, prompt: Int[Tensor, " N"], count: int) -> None:  # noqa: B027
        """A text begins: `count` rows after the same prompt. Default: nothing."""

    @abstractmethod
    def __call__(
        self, logits: Float[Tensor, "B V"], history: Int[Tensor, "B N"]
    ) -> Float[Tensor, "B V"]:
        """New logits; -inf excludes a token. The argument may be changed in place.

        history: a copy of the last N tokens, prompt included; N is at most `history_length`.
        """

    def drawn(self, tokens: Int[Tensor, " B"]) -> None:  # noqa: B027
        """Receive the tokens that were drawn from the logits. Default: nothing."""

    def done(self) -> Bool[Tensor, " B"] | None:
        """The rows whose text ends with the token just drawn; None (default): it never does."""
        return None
