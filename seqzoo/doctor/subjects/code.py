"""A user's own model and batches, with no class of ours in sight, as a subject."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property, partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from seqzoo.doctor.evidence.generation import Generate
from seqzoo.doctor.evidence.lazy import with_sizes
from seqzoo.doctor.evidence.loss_form import AdaptedLoss
from seqzoo.doctor.evidence.network import Forward, Loss, Network, call_plainly, mean_nats
from seqzoo.doctor.subject import Missing, Settings, Subject, or_none
from seqzoo.doctor.subjects.code_arguments import (
    require_batches,
    require_flag,
    require_function,
    require_limit,
    require_model,
    require_optimizer,
)
from seqzoo.doctor.subjects.code_fit import called, fitted
from seqzoo.doctor.subjects.code_pipeline import Batches, CodePipeline
from seqzoo.doctor.subjects.code_rows import ONE_TARGET, Rows
from seqzoo.doctor.subjects.code_text import CorpusBytes, text_of_code
from seqzoo.doctor.subjects.code_trainer import MakeOptimizer
from seqzoo.doctor.subjects.code_windows import Windows
from seqzoo.errors import UsageError
from seqzoo.plugin.registry import Registry

__all__ = [
    "Code",
    "CodeSubject",
    "reinitialised",
    "subject_of_code",
]


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
    forward, loss = code.forward or call_plainly, code.loss or mean_nats
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
        return rows.adapted(network, None if loss is mean_nats else loss)

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
