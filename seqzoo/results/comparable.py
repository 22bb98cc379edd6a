"""Which scores may be compared: one rule, for the leaderboard and for `seqzoo compare`.

Two scores are comparable where they are of the same bytes, read in the same way: the same corpus by
its hash, the same cut and the same part of it, the same protocol, and blocks of the same size, so
that the difference can be resampled in pairs. What a protocol is called does not matter; what it
does is in its fields.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from seqzoo.results.result import ProtocolRecord, Result, SplitScore

__all__ = [
    "ScoreIdentity",
    "members_in_words",
    "score_identity",
    "start_in_words",
    "why_not_comparable",
]


@dataclass(frozen=True)
class ScoreIdentity:
    """All that must be equal for two scores to be comparable.

    cut: how the corpus was split. split: the part that was scored. adaptive: the model learnt from
    the bytes that it had been scored on. max_bytes: the limit of a score of the first bytes only.
    num_bytes: of what was scored.
    """

    corpus_sha256: str
    cut: str
    split: str
    adaptive: bool
    lanes: int
    warmup_tokens: int
    max_bytes: int | None
    num_bytes: int
    block_bytes: int


def score_identity(result: Result, split: str, *, adaptive: bool = False) -> ScoreIdentity | None:
    """The identity of a result's score on a split; None where it has none that is kept in blocks.

    adaptive: of the score while learning; otherwise of the frozen model's.
    """
    protocol, score = _scored(result, split, adaptive=adaptive)
    if protocol is None or score is None or not score.blocks:
        return None
    return ScoreIdentity(
        corpus_sha256=result.corpus.sha256,
        cut=result.split,
        split=split,
        adaptive=protocol.adaptive,
        lanes=protocol.lanes,
        warmup_tokens=protocol.warmup_tokens,
        max_bytes=protocol.max_bytes,
        num_bytes=score.bytes,
        block_bytes=score.block_bytes,
    )


def why_not_comparable(
    first: Result,
    second: Result,
    split: str,
    *,
    adaptive: bool = False,
    names: tuple[str, str] = ("A", "B"),
) -> str:
    """Why the scores of two results may not be compared, as a sentence; empty where they may.

    names: of the two, for the sentence. adaptive: as in `score_identity`.
    """
    reason = next(_reasons(first, second, split, adaptive=adaptive, names=names), "")
    identities = [score_identity(each, split, adaptive=adaptive) for each in (first, second)]
    is_comparable = identities[0] is not None and identities[0] == identities[1]
    assert bool(reason) != is_comparable, (reason, identities)
    return reason


def start_in_words(result: Result, name: str) -> str:
    """A sentence that says what weights training started from; empty where they were new.

    Scores of such a run may be subtracted, but what the earlier training cost is not in its
    figures, so that a reader has to know. name: of the run, for the sentence.
    """
    start = result.started_from
    if start is None:
        return ""
    weights = f"the weights of {start.path}"
    if start.step is not None:
        weights = f"the weights of step {start.step:,} of {start.path}"
    return (
        f"{name} started from {weights} (sha256 {start.weights_sha256[:8]}); its figures do not "
        f"include that earlier training."
    )


def members_in_words(result: Result, name: str) -> str:
    """A sentence that says which runs an ensemble mixes; empty for a run that was trained.

    name: of the run, for the sentence.
    """
    if not result.members:
        return ""
    mixed = ", ".join(f"{member.run} ({member.weight:.3f})" for member in result.members)
    return f"{name} is an ensemble of {mixed}; its figures about training are the sums of theirs."


def _reasons(
    first: Result, second: Result, split: str, *, adaptive: bool, names: tuple[str, str]
) -> Iterator[str]:
    scored = [_scored(each, split, adaptive=adaptive) for each in (first, second)]
    for (protocol, _), name in zip(scored, names, strict=True):
        if protocol is None:
            yield f"{name} has no adaptive scores"
    both = f"{names[0]} and {names[1]} differ in"
    if differing := list(_differing(first, second, [protocol for protocol, _ in scored])):
        yield f"{both} {', '.join(differing)}, so their scores cannot be subtracted"
    for (_, score), name in zip(scored, names, strict=True):
        if score is None:
            yield f"{name} has no score for {split.replace('_', '-')}"
        elif not score.blocks:
            yield f"{name} keeps no scores by block; score it again with seqzoo eval"
    (_, one), (_, other) = scored
    if one is not None and other is not None:
        for what, sizes in (
            ("bytes of the split", (one.bytes, other.bytes)),
            ("size of blocks", (one.block_bytes, other.block_bytes)),
        ):
            if sizes[0] != sizes[1]:
                yield f"{both} {what} ({sizes[0]:,} and {sizes[1]:,})"


def _differing(
    first: Result, second: Result, protocols: list[ProtocolRecord | None]
) -> Iterator[str]:
    """What the scores differ in, with both values."""
    if first.corpus.sha256 != second.corpus.sha256:
        corpora = [f"{each.corpus.name} {each.corpus.sha256[:8]}" for each in (first, second)]
        yield f"corpus ({' and '.join(corpora)})"
    if first.split != second.split:
        yield f"split ({first.split} and {second.split})"
    one, other = protocols
    if one is not None and other is not None and one.fields != other.fields:
        yield f"protocol ({one.words} and {other.words})"


def _scored(
    result: Result, split: str, *, adaptive: bool
) -> tuple[ProtocolRecord | None, SplitScore | None]:
    """The protocol and the score of one kind; None for what the result does not have."""
    if not adaptive:
        return result.protocol, result.scores.get(split)
    if result.adaptive is None:
        return None, None
    return result.adaptive.protocol, result.adaptive.scores.get(split)
