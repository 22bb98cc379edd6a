"""The runs that an ensemble is made of: opened, and compared with the first of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from seqzoo.errors import UsageError
from seqzoo.plugin.registry import Registry
from seqzoo.results.result import MemberRecord
from seqzoo.runs.experiment import Experiment
from seqzoo.runs.origin import read_origin
from seqzoo.runs.reopen import Trained, load_trained
from seqzoo.runs.status import RunState, status_of
from seqzoo.terminal.display import Display
from seqzoo.training.checkpoint_files import weights_sha256

__all__ = ["Member", "open_members"]


@dataclass(frozen=True)
class Member:
    """A run that an ensemble is made of. path: as it was given."""

    path: Path
    trained: Trained

    @property
    def experiment(self) -> Experiment:
        """With the best weights on validation."""
        return self.trained.experiment

    @property
    def name(self) -> str:
        """Of its folder."""
        return self.trained.directory.path.resolve().name

    @property
    def weights_sha256(self) -> str:
        """The hash of its weights."""
        return weights_sha256(self.trained.directory.checkpoints, self.trained.step)

    def record(self, share: float) -> MemberRecord:
        """What the ensemble keeps of it. share: of the mixture."""
        return MemberRecord(
            run=self.name,
            step=self.trained.step,
            weights_sha256=self.weights_sha256,
            weight=share,
            started_from=read_origin(self.trained.directory).started_from,
        )


def open_members(
    paths: Sequence[Path], registry: Registry, *, device: str | None, display: Display
) -> list[Member]:
    """The runs with their best weights, on the device of the first.

    Raises UsageError for less than two runs, for a run that cannot be part of an ensemble, and for
    runs whose probabilities cannot be mixed: it says which, and what differs.
    """
    if len(paths) < 2:
        raise UsageError(f"an ensemble needs two or more runs, and {len(paths)} was given.")
    members: list[Member] = []
    for path in paths:
        trained = load_trained(path, registry, device=device, display=display)
        device = device or trained.experiment.recipe.runtime.device
        members.append(Member(path, trained))
        _require_usable(members[-1])
    for place, member in enumerate(members):
        _require_new_weights(member, members[:place])
        _require_comparable(members[0], member)
    for member in members:
        _warn_of_unfinished(member, display)
    return members


def _require_usable(member: Member) -> None:
    """Raises UsageError for an ensemble, and for a run that is not trained yet."""
    if inner := read_origin(member.trained.directory).members:
        names = ", ".join(each.run for each in inner)
        raise UsageError(
            f"{member.path} is an ensemble itself; give the runs that it is made of instead: "
            f"{names}."
        )
    if member.trained.effort.steps == 0:
        raise UsageError(
            f"{member.path} is not trained yet; continue it with: "
            f"{member.trained.directory.to_continue}"
        )


def _require_new_weights(member: Member, earlier: Sequence[Member]) -> None:
    for other in earlier:
        if other.path.resolve() == member.path.resolve():
            raise UsageError(f"{member.path} is given twice; an ensemble needs different runs.")
        if other.weights_sha256 == member.weights_sha256:
            raise UsageError(
                f"{other.path} and {member.path} have the same weights (sha256 "
                f"{member.weights_sha256[:8]}); an ensemble needs different runs."
            )


def _warn_of_unfinished(member: Member, display: Display) -> None:
    status = status_of(member.trained.directory)
    if status.is_unfinished and status.state is not RunState.TRAINED:
        display.warn(
            f"the training of {member.path} is not finished ({status.state}, step "
            f"{status.progress}); the ensemble has its weights of step {member.trained.step}."
        )


def _require_comparable(first: Member, member: Member) -> None:
    differing = ", ".join(_differing(first, member))
    if differing:
        raise UsageError(
            f"{first.path} and {member.path} differ in {differing}; an ensemble needs runs with "
            f"the same text, split, tokenizer, way of scoring and precision."
        )


def _differing(first: Member, member: Member) -> Iterator[str]:
    """What makes the probabilities of two runs ones of different things, with both values."""
    both = [each.experiment for each in (first, member)]
    yield from _unequal("corpus", [f"{e.data.corpus.name} {e.data.sha256[:8]}" for e in both])
    yield from _unequal("split", [each.data.splits.identity for each in both])
    tokenizers = [each.recipe.tokenizer for each in both]
    if tokenizers[0] != tokenizers[1]:
        names = [each.name for each in tokenizers]
        yield from _unequal("tokenizer", names) if names[0] != names[1] else ("tokenizer options",)
    elif both[0].tokenizer.state() != both[1].tokenizer.state():
        yield "what the tokenizer has learnt"
    yield from _unequal("protocol", [str(each.protocol) for each in both])
    yield from _unequal("precision", [each.recipe.runtime.precision for each in both])


def _unequal(what: str, values: Sequence[str]) -> Iterator[str]:
    if values[0] != values[1]:
        yield f"{what} ({' and '.join(values)})"
