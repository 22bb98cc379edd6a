"""Someone's own model and batches, with no class of ours in sight, as the subject of a visit."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property, partial
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from seqzoo.data.corpus import Data, Splits, sha256_of, split
from seqzoo.doctor.evidence.network import Forward, Loss, Network, call_plainly, mean_nats
from seqzoo.doctor.evidence.pipeline import Pipeline
from seqzoo.doctor.evidence.recording import Source
from seqzoo.doctor.evidence.trial import Trainee
from seqzoo.doctor.subject import Missing, Subject
from seqzoo.doctor.subjects.code_batches import read_batch, with_every_target
from seqzoo.doctor.subjects.code_trainee import CodeTrainee, MakeOptimizer
from seqzoo.errors import UsageError
from seqzoo.plugin.contracts import Batch, Corpus
from seqzoo.plugin.registry import Registry
from seqzoo.plugin.specs import Span

__all__ = ["Batches", "MakeOptimizer", "Text", "subject_of_code"]

Batches: TypeAlias = Iterable[Any] | Callable[[], Iterable[Any]]
"""(inputs, targets) pairs of arrays: ids (B, T), or one-hot (B, T, V); (B,) or (B, V) for T = 1.
Negative targets are padding."""

Text: TypeAlias = bytes | str | Path | npt.NDArray[np.uint8]
"""Bytes, an array of them, or the path of a file."""


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
    clip_norm: float | None = None,
    **further: Any,
) -> Subject:
    """See `seqzoo.doctor.examine`. further: as `Subject` takes it."""
    if model is None and batches is None and corpus is None:
        raise UsageError("there is nothing to examine; give a model, batches or a corpus.")
    if optimizer is not None and not callable(optimizer):
        raise UsageError(
            f"optimizer is {type(optimizer).__name__}, made already; give a function of the "
            f"parameters, as what is trained is a copy: lambda p: {type(optimizer).__name__}(p)."
        )
    data = None if corpus is None else _data(corpus, held_out)
    forward, loss = forward or call_plainly, loss or _mean_nats
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
            else lambda: CodePipeline(
                batches, optimizer or _adam, carry_state=carry_state, clip_norm=clip_norm
            )
        ),
        use_cache=False,
        **further,
    )


_SHORTEST_TEXT = 4
_ANEW = "give a function that begins it anew"


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

        Raises Missing where the model's vocabulary is of neither size, and where a larger one
        may be of words or pieces of them.
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
        if vocab_size > 256 and not np.isin(self.batch.inputs.numpy(), alphabet).all():
            raise Missing("the batches' ids are not the corpus's bytes")
        return text

    @cached_property
    def _alphabet(self) -> npt.NDArray[np.uint8]:
        return np.unique(self.data.corpus.data)


class CodePipeline(Pipeline):
    """An iterable of pairs, or a function that gives one anew."""

    numbered = False

    def __init__(
        self,
        batches: Batches,
        make_optimizer: MakeOptimizer,
        *,
        carry_state: bool,
        clip_norm: float | None = None,
    ) -> None:
        self._batches = batches
        self._make_optimizer = make_optimizer
        self._one_hot: dict[str, bool] = {}
        self._carry_state = carry_state
        self._clip_norm = clip_norm
        # No generator can be asked for two items at once, be it by a thread that reads ahead.
        self._lock = threading.Lock()
        self._iterator = self._open()
        self._peeked: list[Any] = []
        try:
            first = next(self._iterator)
        except StopIteration:
            raise ValueError(f"the batches end before the first ({_ANEW})") from None
        self._peeked.append(first)
        self._first = self._read(first)
        self.batch_size, self.bptt_length = self._first.inputs.shape
        self.is_flat = np.ndim(next(iter(first))) == 1
        # A model may have positions for no more; of a token or two, a carried state is the point.
        self.longest_pass = self.bptt_length if self.bptt_length >= _SHORTEST_TEXT else None

    def first(self) -> Batch:
        return with_every_target(self._first)

    def source(self) -> Source:
        return self.real_source()

    def real_source(self) -> Source:
        iterator = self._open()
        # A generator can be read once: whoever comes later goes on where it stands.
        goes_on = iterator is self._iterator
        begins_with = self._peeked if goes_on else []
        self._iterator, self._peeked = iterator, []
        is_begun = not goes_on

        def take() -> Any:
            nonlocal is_begun
            with self._lock:
                try:
                    item = begins_with.pop() if begins_with else next(iterator)
                except StopIteration:
                    if is_begun:
                        raise
                    raise Missing(f"the generator is through; {_ANEW}") from None
                is_begun = True
                return item

        return Source(take, self._read)

    def trainee(
        self, network: Network, *, steps: int, factor: Callable[[int], float] | None = None
    ) -> Trainee:
        return CodeTrainee(
            network,
            self.real_source(),
            self._make_optimizer,
            factor=factor,
            clip_norm=self._clip_norm,
        )

    def _open(self) -> Iterator[Any]:
        return iter(self._batches() if callable(self._batches) else self._batches)

    def _read(self, item: Any) -> Batch:
        return read_batch(item, restarts=not self._carry_state, known=self._one_hot)


def _network(model: nn.Module | Callable[[], nn.Module], forward: Forward, loss: Loss) -> Network:
    if isinstance(model, nn.Module):
        return Network(model, partial(_initialised_anew, model), forward, loss, builds_anew=False)
    torch.manual_seed(0)
    module = model()
    if not isinstance(module, nn.Module):
        raise TypeError(f"model() gave {type(module).__name__}, expected a torch.nn.Module")
    return Network(module, model, forward, loss)


def _initialised_anew(model: nn.Module) -> nn.Module:
    """A copy, its layers initialised by their own `reset_parameters`; others stay as they are."""
    other = Network(model, lambda: model).copied().module
    for layer in other.modules():
        if callable(reset := getattr(layer, "reset_parameters", None)):
            reset()
    return other


def _mean_nats(logits: Tensor, targets: Tensor) -> Tensor:
    """`mean_nats` of the targets that are no padding, which is negative."""
    return mean_nats(logits, targets.masked_fill(targets < 0, -100))


def _adam(parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    return torch.optim.Adam(parameters)


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
        try:
            text = Path(text).read_bytes()
        except (OSError, ValueError) as error:  # ValueError: a path with a null byte
            raise UsageError(_unreadable(str(text), error)) from error
    array = np.frombuffer(text, dtype=np.uint8) if isinstance(text, bytes) else np.asarray(text)
    if array.dtype != np.uint8 or array.ndim != 1:
        raise UsageError(
            f"a corpus is bytes, a path or a one-dimensional uint8 array; found {array.dtype} of "
            f"shape {array.shape}."
        )
    return array


def _unreadable(path: str, error: OSError | ValueError) -> str:
    shown = path if len(path) <= 60 else f"{path[:60]}..."
    said = f"corpus {shown!r} cannot be read: {getattr(error, 'strerror', None) or error}"
    if len(path) > 60 or any(character in path for character in " \n\0"):
        said += "; this looks like text and not like a path: give text.encode()"
    return f"{said}."
