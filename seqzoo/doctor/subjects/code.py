"""A user's own model and batches, with no class of ours in sight, as a subject."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property, partial
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from seqzoo.data.corpus import Data, Splits, sha256_of, split
from seqzoo.doctor.evidence.generation import Generate
from seqzoo.doctor.evidence.gradients import without_sparse_gradients
from seqzoo.doctor.evidence.lazy import with_sizes
from seqzoo.doctor.evidence.loss_form import AdaptedLoss, shift_of
from seqzoo.doctor.evidence.missing import Exhausted
from seqzoo.doctor.evidence.network import Forward, Loss, Network, call_plainly, mean_nats
from seqzoo.doctor.evidence.pipeline import Pipeline
from seqzoo.doctor.evidence.recording import Source
from seqzoo.doctor.evidence.trial import Trainer
from seqzoo.doctor.subject import Missing, Settings, Subject, Text, or_none
from seqzoo.doctor.subjects.code_arguments import (
    require_batches,
    require_flag,
    require_function,
    require_limit,
    require_model,
    require_optimizer,
)
from seqzoo.doctor.subjects.code_batches import (
    OneTargetPerRow,
    next_targets,
    read_batch,
    with_every_target,
)
from seqzoo.doctor.subjects.code_fit import called, fitted
from seqzoo.doctor.subjects.code_pairs import has_inputs_as_labels, pair_of
from seqzoo.doctor.subjects.code_rows import ONE_TARGET, Rows, rows_of_model
from seqzoo.doctor.subjects.code_trainer import CodeTrainer, MakeOptimizer
from seqzoo.doctor.subjects.code_windows import Windows
from seqzoo.errors import UsageError
from seqzoo.plugin.contracts import Batch
from seqzoo.plugin.corpus import Corpus
from seqzoo.plugin.registry import Registry
from seqzoo.plugin.span import Span

__all__ = [
    "Batches",
    "Code",
    "CorpusBytes",
    "MakeOptimizer",
    "reinitialised",
    "subject_of_code",
    "text_of_code",
]

Batches: TypeAlias = Iterable[Any] | Callable[[], Iterable[Any]]
"""(inputs, targets) pairs of arrays: ids (B, T), or one-hot (B, T, V); (B,) or (B, V) for T = 1.
Negative targets are padding."""

CorpusBytes: TypeAlias = bytes | str | Path | npt.NDArray[np.uint8]
"""Bytes, an array of them, or the path of a file."""


@dataclass(frozen=True, kw_only=True)
class Code:
    """What a user gives of their own code; `seqzoo.examine` explains each part.

    Raises UsageError if there is nothing to examine, or something is of the wrong kind.
    """

    model: nn.Module | Callable[[], nn.Module] | None = None
    batches: Batches | None = None
    corpus: CorpusBytes | None = None
    held_out: CorpusBytes | None = None
    forward: Forward | None = None
    loss: Loss | None = None
    optimizer: MakeOptimizer | None = None
    carry_state: bool = True
    clip_norm: float | None = None
    generate: Generate | None = None

    def __post_init__(self) -> None:
        if self.model is None and self.batches is None and self.corpus is None:
            raise UsageError("there is nothing to examine; give a model, batches or a corpus.")
        require_model(self.model)
        require_batches(self.batches)
        require_function("forward", self.forward, "model, tokens, state", "logits and the state")
        require_function("loss", self.loss, "logits, targets", "a number")
        require_optimizer(self.optimizer)
        require_flag("carry_state", self.carry_state)
        require_limit("clip_norm", self.clip_norm)
        require_function("generate", self.generate, "model, prompt, length", "ids")


def subject_of_code(code: Code, registry: Registry, *, settings: Settings | None = None) -> Subject:
    """The user's code as a subject."""
    model, batches = code.model, code.batches
    text = text_of_code(code.corpus, code.held_out)
    forward, loss = code.forward or call_plainly, code.loss or _mean_nats
    network = None if model is None else cache(lambda: _network(model, forward, loss))
    return CodeSubject(
        title="model and batches",
        registry=registry,
        settings=settings,
        text=text,
        network=network,
        pipeline=(
            None
            if batches is None
            else lambda: CodePipeline(
                batches,
                code.optimizer,
                loss,
                carry_state=code.carry_state,
                clip_norm=code.clip_norm,
                model=network,
            )
        ),
        generate=code.generate,
    )


def text_of_code(corpus: CorpusBytes | None, held_out: CorpusBytes | None) -> Text:
    """The corpus and what is held out, as bytes. Raises UsageError if they cannot be read."""
    if corpus is None:
        return Text(use_cache=False)
    data = _data(corpus, held_out)
    return Text(
        data=data,
        # The whole corpus: batches may be made of all of it.
        tokens=_bytes(corpus),
        held_out=data.splits.validation.bytes,
        is_held_out_apart=held_out is not None,
        use_cache=False,
    )


_SHORTEST_TEXT = 4
_RESTART = "give a function that starts it again"


class CodeSubject(Subject):
    """Text as the ids that the model reads: bytes, or their places in the text's alphabet."""

    @property
    def tokens(self) -> npt.NDArray[Any]:
        return self._as_ids(super().tokens)

    @cached_property
    def network(self) -> Network:
        network = super().network
        rows = self._rows
        if isinstance(rows, Windows):
            return rows.adapted(network, _given(network.loss))
        if rows is None:
            batch = or_none(lambda: self.batch) if self.has("pipeline") else None
            if batch is None:
                return called(network, torch.zeros(2, 8, dtype=torch.int64), None)
            width = getattr(self.pipeline, "one_hot_width", None)
            return fitted(called(network, batch.inputs, width), batch.inputs)
        loss = _given(network.loss)
        return rows.adapted(network, None if loss is _mean_nats else loss)

    def skips(self, check: str) -> str:
        rows = self._rows
        return "" if rows is None else rows.skips(check)

    def random_tokens(self, rows: int, length: int) -> Tensor:
        if not isinstance(self._rows, Rows):
            return super().random_tokens(rows, length)
        known = torch.unique(self.batch.inputs)  # answers are no tokens
        generator = torch.Generator().manual_seed(self.seed)
        drawn: Tensor = known[torch.randint(len(known), (rows, length), generator=generator)]
        return drawn

    @property
    def _rows(self) -> Rows | Windows | None:
        pipeline = or_none(lambda: self.pipeline) if self.has("pipeline") else None
        return pipeline.rows if isinstance(pipeline, CodePipeline) else None

    @property
    def held_out(self) -> npt.NDArray[Any]:
        return self._as_ids(super().held_out)

    def _as_ids(self, text: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """`sorted(set(text))` is how most people number characters.

        Raises Missing if the model's vocabulary has neither size, and if a larger one may be of
        words or of pieces of words.
        """
        if isinstance(self._rows, Rows):
            raise Missing(ONE_TARGET)
        vocab_size = or_none(lambda: self.vocab_size)
        if vocab_size is None:  # no model; a check of the text alone looks at its bytes
            return text
        alphabet = self._alphabet
        if vocab_size == len(alphabet) <= alphabet[-1]:
            return np.searchsorted(alphabet, text).astype(np.uint8)
        if vocab_size <= alphabet[-1]:
            raise Missing(
                f"the corpus's bytes are not ids of this model, whose vocabulary has {vocab_size}"
            )
        if vocab_size > 256 and not np.isin(self.batch.inputs.numpy(), alphabet).all():
            raise Missing("the batches' ids are not the corpus's bytes")
        return text

    @cached_property
    def _alphabet(self) -> npt.NDArray[np.uint8]:
        return np.unique(self.data.corpus.data)


class CodePipeline(Pipeline):
    """An iterable of pairs, or a function that returns a new one."""

    numbered = False

    def __init__(
        self,
        batches: Batches,
        make_optimizer: MakeOptimizer | None,
        loss: Loss | None = None,
        *,
        carry_state: bool,
        clip_norm: float | None = None,
        model: Callable[[], Network] | None = None,
    ) -> None:
        """model: built when the batches have one target for each row, to see whether it fits."""
        self.rows: Rows | Windows | None = None
        self._batches = batches
        self._make_optimizer = make_optimizer
        self.restarts_anywhere = callable(batches)
        self._one_hot: dict[str, bool] = {}
        self._has_labels = False
        self._carry_state = carry_state
        self._clip_norm = clip_norm
        # A generator cannot be asked for two items at the same time, also not by a second thread.
        self._lock = threading.Lock()
        self._iterator = self._open()
        self._peeked: list[Any] = []
        try:
            first = next(self._iterator)
        except StopIteration:
            raise ValueError(f"the batches end before the first ({_RESTART})") from None
        self._peeked.append(first)
        try:
            self._first = self._read(first)
        except OneTargetPerRow:
            self.rows = model and rows_of_model(model(), first, self._one_hot)
            if self.rows is None:
                raise
            self.has_one_target = True
            self._first = self._read(first)
        self._has_labels = self.rows is None and has_inputs_as_labels(first)
        if loss is not None and (
            self._has_labels or torch.equal(self._first.inputs, self._first.targets)
        ):
            # Targets that are the inputs are right if the loss shifts them.
            self.loss_shift = shift_of(loss, int(self._first.inputs.max()) + 1)
            self._first = self._read(first)
        self.one_hot_width = self._width_of(first)
        self.batch_size, self.bptt_length = self._first.inputs.shape
        self.is_flat = np.ndim(pair_of(first)[0]) == 1
        # The model may have positions for no more tokens. Batches of a token or two mean that the
        # state is carried, so such a model reads any number.
        self.longest_pass = self.bptt_length if self.bptt_length >= _SHORTEST_TEXT else None

    def first(self) -> Batch:
        if isinstance(self.rows, Windows):
            return self.rows.few_rows(self._first)
        return self._first if self.rows else with_every_target(self._first)

    def source(self) -> Source:
        return self.real_source()

    def real_source(self) -> Source:
        iterator = self._open()
        # A generator can be read only once: a later reader continues at its current position.
        continues = iterator is self._iterator
        begins_with = self._peeked if continues else []
        self._iterator, self._peeked = iterator, []
        is_begun = not continues

        def take() -> Any:
            nonlocal is_begun
            with self._lock:
                try:
                    item = begins_with.pop() if begins_with else next(iterator)
                except StopIteration:
                    if is_begun:
                        raise
                    raise Exhausted(f"the generator has ended; {_RESTART}") from None
                is_begun = True
                return item

        return Source(take, self._read)

    def trainer(
        self, network: Network, *, steps: int, factor: Callable[[int], float] | None = None
    ) -> Trainer:
        make_optimizer = self._make_optimizer
        if make_optimizer is None:
            without_sparse_gradients(network.module)
            make_optimizer = torch.optim.Adam
        return CodeTrainer(
            network,
            self.real_source(),
            make_optimizer,
            factor=factor,
            clip_norm=self._clip_norm,
        )

    def _open(self) -> Iterator[Any]:
        return iter(self._batches() if callable(self._batches) else self._batches)

    def _width_of(self, item: Any) -> int | None:
        """V of inputs that are one-hot."""
        return np.shape(pair_of(item)[0])[-1] if self._one_hot.get("inputs") else None

    def _read(self, item: Any) -> Batch:
        restarts = not self._carry_state
        if isinstance(self.rows, Windows):
            return self.rows.read(item, known=self._one_hot)
        if self.rows is not None:
            return self.rows.read(item, restarts=restarts, known=self._one_hot)
        batch = read_batch(item, restarts=restarts, known=self._one_hot)
        return next_targets(batch) if self.loss_shift and not self._has_labels else batch


def _given(loss: Loss) -> Loss:
    """The user's own loss."""
    return loss.given if isinstance(loss, AdaptedLoss) else loss


def _network(model: nn.Module | Callable[[], nn.Module], forward: Forward, loss: Loss) -> Network:
    if isinstance(model, nn.Module):
        module = with_sizes(model, forward)
        return Network(module, partial(reinitialised, module), forward, loss, builds_new=False)

    def build() -> nn.Module:
        module = model()
        if not isinstance(module, nn.Module):
            raise TypeError(f"model() gave {type(module).__name__}, expected a torch.nn.Module")
        return with_sizes(module, forward)

    torch.manual_seed(0)
    return Network(build(), build, forward, loss)


def reinitialised(model: nn.Module) -> nn.Module:
    """A copy with every layer that has `reset_parameters` initialised; others stay as they are."""
    other = Network(model, lambda: model).copied().module
    for layer in other.modules():
        if callable(reset := getattr(layer, "reset_parameters", None)):
            reset()
    return other


def _mean_nats(logits: Tensor, targets: Tensor) -> Tensor:
    """`mean_nats` of the targets that are not padding; padding is negative."""
    return mean_nats(logits, targets.masked_fill(targets < 0, -100))


def _data(text: CorpusBytes, held_out: CorpusBytes | None) -> Data:
    """The corpus as splits; its last tenth is the held-out text if none was given."""
    training = _bytes(text)
    if held_out is None:
        corpus = Corpus(name="given", data=training, origin="given in code")
        splits = split(corpus, train=0.9, validation=0.05, test=0.05)
        return Data(corpus, sha256_of(corpus.data), splits)
    apart = _bytes(held_out)
    if not len(training) or len(apart) < 2:
        raise UsageError("corpus and held_out must not be empty.")
    both = np.concatenate([training, apart])
    bounds = (0, len(training), len(training) + len(apart) // 2, len(both))
    training_span, validation, test = (Span(both, a, b) for a, b in pairwise(bounds))
    corpus = Corpus(name="given", data=both, origin="given in code")
    return Data(corpus, sha256_of(both), Splits(training_span, validation, test, "as given"))


def _bytes(text: CorpusBytes) -> npt.NDArray[np.uint8]:
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
