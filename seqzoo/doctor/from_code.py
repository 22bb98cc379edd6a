"""Someone's own model and batches, with no class of ours in sight, as the subject of a visit."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property, partial
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from seqzoo import state as states
from seqzoo.assembly import Data
from seqzoo.contracts import Batch, Corpus, State
from seqzoo.corpus import Splits, sha256_of, split
from seqzoo.doctor.network import Forward, Loss, Network, call_plainly, mean_nats
from seqzoo.doctor.pipeline import Pipeline
from seqzoo.doctor.recording import Source
from seqzoo.doctor.subject import Missing, Subject
from seqzoo.doctor.trial import Trainee, Updated
from seqzoo.errors import DivergedError, UsageError
from seqzoo.registry import Registry
from seqzoo.specs import Span

__all__ = ["Batches", "MakeOptimizer", "Text", "subject_of_code"]

Batches: TypeAlias = Iterable[Any] | Callable[[], Iterable[Any]]
"""(inputs, targets) pairs of arrays: ids (B, T), or one-hot (B, T, V); (B,) or (B, V) for T = 1."""

Text: TypeAlias = bytes | str | Path | npt.NDArray[np.uint8]
"""Bytes, an array of them, or the path of a file."""

MakeOptimizer: TypeAlias = Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]


def subject_of_code(
    *,
    model: nn.Module | Callable[[], nn.Module] | None,
    batches: Batches | None,
    corpus: Text | None,
    held_out: Text | None = None,
    registry: Registry,
    forward: Forward | None,
    loss: Loss | None,
    optimizer: MakeOptimizer | None,
    carry_state: bool,
    **further: Any,
) -> Subject:
    """See `seqzoo.doctor.examine`. further: as `Subject` takes it."""
    if model is None and batches is None and corpus is None:
        raise UsageError("there is nothing to examine; give a model, batches or a corpus.")
    data = None if corpus is None else _data(corpus, held_out)
    forward, loss = forward or call_plainly, loss or mean_nats
    return CodeSubject(
        title="model and batches",
        registry=registry,
        data=data,
        # All of the text that was given to train on, as its batches may be made of all of it.
        tokens=None if corpus is None else _bytes(corpus),
        held_out=None if data is None else data.splits.validation.bytes,
        is_held_out_apart=held_out is not None,
        network=None if model is None else lambda: _network(model, forward, loss),
        pipeline=(
            None
            if batches is None
            else lambda: CodePipeline(batches, optimizer or _adam, carry_state=carry_state)
        ),
        use_cache=False,
        **further,
    )


_SHORTEST_TEXT = 4


class CodeSubject(Subject):
    """Text as the ids that the model reads: bytes, or their places in the text's alphabet."""

    @property
    def tokens(self) -> npt.NDArray[Any]:
        return self._as_ids(super().tokens)

    @property
    def held_out(self) -> npt.NDArray[Any]:
        return self._as_ids(super().held_out)

    def _as_ids(self, text: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """`sorted(set(text))` is how most people number characters.

        Raises Missing where the model's vocabulary is of neither size.
        """
        try:
            vocab_size = self.vocab_size
        except Missing:  # no model; whoever looks at the text alone looks at its bytes
            return text
        alphabet = self._alphabet
        if vocab_size == len(alphabet) <= alphabet[-1]:
            return np.searchsorted(alphabet, text).astype(np.uint8)
        if vocab_size <= alphabet[-1]:
            raise Missing(
                f"the corpus's bytes are no ids of this model, whose vocabulary has {vocab_size}"
            )
        return text

    @cached_property
    def _alphabet(self) -> npt.NDArray[np.uint8]:
        return np.unique(self.data.corpus.data)


class CodePipeline(Pipeline):
    """An iterable of pairs, or a function that gives one anew."""

    numbered = False

    def __init__(
        self, batches: Batches, make_optimizer: MakeOptimizer, *, carry_state: bool
    ) -> None:
        self._batches = batches
        self._make_optimizer = make_optimizer
        self._carry_state = carry_state
        self._iterator: Iterator[Any] | None = None
        first = self.real_source()
        batch = first.read(first.take())
        self.batch_size, self.bptt_length = batch.inputs.shape
        # A model may have positions for no more; of a token or two, a carried state is the point.
        self.longest_pass = self.bptt_length if self.bptt_length >= _SHORTEST_TEXT else None

    def source(self) -> Source:
        return self.real_source()

    def real_source(self) -> Source:
        iterator = self._open()
        return Source(lambda: next(iterator), self._read)

    def trainee(
        self, network: Network, *, steps: int, factor: Callable[[int], float] | None = None
    ) -> Trainee:
        return _Trainee(network, self.real_source(), self._make_optimizer, factor)

    def _open(self) -> Iterator[Any]:
        if callable(self._batches):
            return iter(self._batches())
        if self._iterator is None or iter(self._batches) is not self._batches:
            self._iterator = iter(self._batches)
        # A generator can be read once: whoever comes later goes on where it stands.
        return self._iterator

    def _read(self, item: Any) -> Batch:
        try:
            inputs, targets = item
        except (TypeError, ValueError):
            raise TypeError("a batch is a pair (inputs, targets) of arrays") from None
        batch = Batch(_ids(inputs), _ids(targets), restarts=not self._carry_state)
        if batch.inputs.shape != batch.targets.shape:
            raise TypeError(
                f"inputs {tuple(batch.inputs.shape)} and targets {tuple(batch.targets.shape)} "
                f"differ in shape; expected a target for each input, both (batch, time)"
            )
        return batch


class _Trainee(Trainee):
    def __init__(
        self,
        network: Network,
        source: Source,
        make_optimizer: MakeOptimizer,
        factor: Callable[[int], float] | None,
    ) -> None:
        self.network = network
        self._source = source
        self._parameters = [p for p in network.module.parameters() if p.requires_grad]
        self._optimizer = make_optimizer(self._parameters)
        self._rates = [group["lr"] for group in self._optimizer.param_groups]
        self._factor = factor
        self._state: State = None
        self._step = 0

    def update(self) -> Updated:
        batch = self._source.read(self._source.take())
        self.network.module.train()
        if self._factor is not None:
            for group, rate in zip(self._optimizer.param_groups, self._rates, strict=True):
                group["lr"] = rate * self._factor(self._step)
        self._optimizer.zero_grad()
        state = None if batch.restarts else self._state
        logits, state = self.network(batch.inputs, state)
        self._state = None if state is None else states.detach(state)
        loss = self.network.loss(logits, batch.targets.to(logits.device))
        loss.backward()
        norm = float(torch.nn.utils.get_total_norm(
            [p.grad for p in self._parameters if p.grad is not None]
        ))  # fmt: skip
        value = float(loss.detach())
        if not (math.isfinite(value) and math.isfinite(norm)):
            raise DivergedError(f"loss {value:g} and gradient norm {norm:g} at update {self._step}")
        self._optimizer.step()
        self._step += 1
        return Updated(value, norm)


def _network(model: nn.Module | Callable[[], nn.Module], forward: Forward, loss: Loss) -> Network:
    if isinstance(model, nn.Module):
        return Network(model, partial(_initialised_anew, model), forward, loss, builds_anew=False)
    torch.manual_seed(0)
    return Network(model(), model, forward, loss)


def _initialised_anew(model: nn.Module) -> nn.Module:
    """A copy, its layers initialised by their own `reset_parameters`; others stay as they are."""
    other = Network(model, lambda: model).copied().module
    for layer in other.modules():
        if callable(reset := getattr(layer, "reset_parameters", None)):
            reset()
    return other


def _adam(parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    return torch.optim.Adam(parameters)


def _ids(array: Any) -> Tensor:
    """A copy as (B, T) token ids. One-hot arrays are floating; what is no array is refused."""
    given = torch.from_numpy(np.array(array)) if not isinstance(array, Tensor) else array.clone()
    if given.is_floating_point() or given.dtype == torch.bool:
        given = given.argmax(-1)
    given = given.to("cpu", torch.int64)
    return given[:, None] if given.ndim == 1 else given


def _data(text: Text, held_out: Text | None) -> Data:
    """The corpus as splits: its last tenth stands for held-out text where none was given."""
    training = _bytes(text)
    if held_out is None:
        corpus = Corpus(name="given", data=training, origin="given in code")
        splits = split(corpus, train=0.9, validation=0.05, test=0.05)
        return Data(corpus, sha256_of(corpus.data), splits)
    apart = _bytes(held_out)
    if not len(training) or len(apart) < 2:
        raise UsageError("corpus and held_out must hold text.")
    both = np.concatenate([training, apart])
    bounds = (0, len(training), len(training) + len(apart) // 2, len(both))
    training_span, validation, test = (Span(both, a, b) for a, b in pairwise(bounds))
    corpus = Corpus(name="given", data=both, origin="given in code")
    return Data(corpus, sha256_of(both), Splits(training_span, validation, test, "as given"))


def _bytes(text: Text) -> npt.NDArray[np.uint8]:
    if isinstance(text, (str, Path)):
        path = Path(text)
        try:
            text = path.read_bytes()
        except OSError as error:
            raise UsageError(f"corpus {path} cannot be read: {error.strerror}.") from error
    array = np.frombuffer(text, dtype=np.uint8) if isinstance(text, bytes) else np.asarray(text)
    if array.dtype != np.uint8 or array.ndim != 1:
        raise UsageError(
            f"a corpus is bytes, a path or a one-dimensional uint8 array; found {array.dtype} of "
            f"shape {array.shape}."
        )
    return array
