"""What a plugin adds to `seqzoo doctor`: a check, its outcome, and what the check may look at.

A check reads attributes of the subject. An attribute that this examination does not have ends the
check as skipped, with the reason, so a check needs no test for it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

from seqzoo.plugin.specs import Spec

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import torch
    from torch import Tensor, nn

    from seqzoo.plugin.contracts import Batch, State, Tokenizer
    from seqzoo.plugin.corpus import Corpus
    from seqzoo.plugin.span import Span

__all__ = ["Check", "CheckSubject", "Outcome"]


class CheckNetwork(Protocol):
    """Any model: `network(tokens, state)` returns logits (B, T, V) and the next state."""

    @property
    def module(self) -> nn.Module:
        """The model itself. It is the user's own: change a copy (see `copied`)."""

    @property
    def loss(self) -> Callable[[Tensor, Tensor], Tensor]:
        """(logits (B, T, V), targets (B, T)) -> a scalar, as training computes it."""

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""

    @property
    def readable(self) -> int:
        """How many tokens a check should read in one pass: 64, or fewer if the model needs it."""

    def __call__(self, tokens: Tensor, state: State = None) -> tuple[Tensor, State]:
        """Logits (B, T, V) and the next state of tokens (B, T); None is an empty state."""

    def copied(self) -> CheckNetwork:
        """An independent copy with the same weights."""

    def fresh(self, seed: int) -> CheckNetwork:
        """A newly initialised network of the same kind, in training mode."""


class CheckPipeline(Protocol):
    """How the batches of training are made."""

    batch_size: int
    bptt_length: int


class CheckRecording(Protocol):
    """Consecutive batches of training, copied as they arrived."""

    @property
    def batches(self) -> tuple[Batch, ...]:
        """The batches; a negative target is padding."""

    @property
    def changed(self) -> tuple[bool, ...]:
        """For each batch, whether the original changed after it was handed out."""

    @property
    def numbered(self) -> bool:
        """Whether tokens are positions: token n is the n-th token of its text."""


class CheckTrial(Protocol):
    """A short training on the real batches."""

    losses: list[float]
    gradient_norms: list[float]
    update_ratios: dict[str, list[float]]
    diverged: str

    @property
    def network(self) -> CheckNetwork:
        """The trained network."""


class CheckSplits(Protocol):
    """The parts of a corpus."""

    @property
    def training(self) -> Span:
        """What the model learns from."""

    @property
    def validation(self) -> Span:
        """What choices are made on."""

    @property
    def test(self) -> Span:
        """What the final score is of."""

    @property
    def held_out(self) -> Span:
        """Validation and test together."""


class CheckData(Protocol):
    """A corpus and its splits."""

    @property
    def corpus(self) -> Corpus:
        """The bytes."""

    @property
    def splits(self) -> CheckSplits:
        """How they are divided."""


class CheckSubject(Protocol):
    """What a check may look at: a model, its batches, and all that belongs to them.

    What takes time is made when it is first used, and only once.
    """

    seed: int
    bytes_per_token: float
    is_trained: bool
    metrics: Sequence[Mapping[str, float]]

    @property
    def recipe(self) -> Any:
        """The checked recipe, its sections as attributes: `recipe.train.batch_size`."""

    @property
    def run(self) -> Any:
        """A finished or unfinished run: `run.recipe`, `run.step`, `run.model`."""

    @property
    def data(self) -> CheckData:
        """The corpus and its splits."""

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer, after it has learnt from the training split."""

    @property
    def tokens(self) -> npt.NDArray[np.unsignedinteger[Any]]:
        """(N,) tokens of the training split."""

    @property
    def held_out(self) -> npt.NDArray[np.unsignedinteger[Any]]:
        """(M,) tokens of the beginning of the validation split."""

    @property
    def vocab_size(self) -> int:
        """V: of the tokenizer, or the width of the logits."""

    @property
    def network(self) -> CheckNetwork:
        """The model: a run's best weights, the user's own, or a new one of the recipe."""

    @property
    def trained_network(self) -> CheckNetwork:
        """A model that has learnt something: of the run, or of the trial."""

    @property
    def pipeline(self) -> CheckPipeline:
        """How batches are made."""

    @property
    def batch(self) -> Batch:
        """The first batch of training."""

    @property
    def sample(self) -> Batch:
        """Real text, (4, up to 64)."""

    @property
    def recording(self) -> CheckRecording:
        """Consecutive batches."""

    @property
    def trial(self) -> CheckTrial:
        """A short training; `--quick` has none, so set `is_quick=False` on a check that uses it."""

    def random_tokens(self, rows: int, length: int) -> Tensor:
        """(rows, length) tokens drawn from those that occur in the text."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a check of `seqzoo doctor` found.

    status: "skip" if the check could not look; `seen` is then the reason.
    seen: what was found, with figures. why: why it matters. remedy: what to do.
    changes: overrides `dotted.path=value` that fix the recipe.
    numbers: the figures again, for programs. read_more: a page of docs/, or a URL.
    """

    status: Literal["pass", "warn", "fail", "skip"]
    seen: str
    why: str = ""
    remedy: str = ""
    changes: tuple[str, ...] = ()
    numbers: Mapping[str, float] = field(default_factory=dict)
    read_more: str = ""

    @classmethod
    def passed(cls, seen: str, **numbers: float) -> Outcome:
        """Nothing is wrong."""
        return cls(status="pass", seen=seen, numbers=numbers)

    @classmethod
    def skipped(cls, reason: str) -> Outcome:
        """There was nothing to look at."""
        return cls(status="skip", seen=reason)

    @classmethod
    def warned(
        cls,
        seen: str,
        *,
        why: str,
        remedy: str,
        changes: tuple[str, ...] = (),
        numbers: Mapping[str, float] | None = None,
        read_more: str = "",
    ) -> Outcome:
        """Something that costs quality, or may be intended."""
        return cls(
            status="warn",
            seen=seen,
            why=why,
            remedy=remedy,
            changes=changes,
            numbers=numbers or {},
            read_more=read_more,
        )

    @classmethod
    def failed(
        cls,
        seen: str,
        *,
        why: str,
        remedy: str,
        changes: tuple[str, ...] = (),
        numbers: Mapping[str, float] | None = None,
        read_more: str = "",
    ) -> Outcome:
        """Something that is broken."""
        return cls(
            status="fail",
            seen=seen,
            why=why,
            remedy=remedy,
            changes=changes,
            numbers=numbers or {},
            read_more=read_more,
        )


@dataclass(frozen=True, kw_only=True)
class Check(Spec):
    """A line of `seqzoo doctor`: `examine(subject)` looks at one thing and gives an `Outcome`.

    name: `group.what`; it never changes, because programs filter by it.
    examine: called with a `CheckSubject`. If it raises, the report shows this check as crashed,
    and the other checks run.
    rank: its place in its group; a lower one runs first and is reported first.
    explains: names of other checks whose findings follow from this one's; `group.*` for a group.
    is_quick: whether `--quick` runs it; then it must finish within a second.
    is_gate: if it fails, nothing can be said of what it explains, and those checks are not run.
    """

    kind: ClassVar[str] = "check"
    pattern: ClassVar[re.Pattern[str]] = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*")
    # Not [CheckSubject]: the built-in checks use more of the subject than is public.
    examine: Callable[[Any], Outcome]
    rank: int = 100
    explains: tuple[str, ...] = ()
    is_quick: bool = True
    is_gate: bool = False

    @property
    def group(self) -> str:
        """The first part of the name."""
        return self.name.partition(".")[0]
