"""What the scores of a run mean, in sentences."""

from __future__ import annotations

from collections.abc import Iterator

from seqzoo.results.comparable import members_in_words
from seqzoo.results.result import Result

__all__ = ["explained"]


def explained(result: Result) -> Iterator[str]:
    """What the scores mean, a paragraph each."""
    ladder, test = result.ladder, result.scores["test"]
    score = test.bits_per_byte
    first, *further = ladder.sentences(score, "test", num_bytes=test.bytes)
    yield f"Test: {first}"
    places = [ladder.place(score, "test", adaptive=kind) for kind in (False, True)]
    if meaning := next((place.meaning for place in places if place.meaning), ""):
        yield f"{meaning} All baselines are described by: seqzoo list baseline"
    yield from further
    if result.adaptive is not None:
        learnt = result.adaptive.scores["test"]
        words = ladder.sentences(
            learnt.bits_per_byte, "test", num_bytes=learnt.bytes, adaptive=True
        )
        yield f"Test, while learning: {words[0]}"
        yield from words[1:]
    yield from _proofs(result)
    effort = (
        f"{result.parameters:,} parameters, {result.steps:,} updates, "
        f"{result.training_seconds:.0f} s of training."
    )
    if result.step != result.steps:
        effort += f" The weights are those of step {result.step:,}, the best on validation."
    if result.averaged:
        effort += " They are an average over updates, which was better on validation."
    if result.members:
        effort += f" {members_in_words(result, 'The run')}"
    yield effort


def _proofs(result: Result) -> Iterator[str]:
    learnt = {} if result.adaptive is None else result.adaptive.scores
    for words, scores in (("", result.scores), (" while learning", learnt)):
        for name, score in scores.items():
            if score.proven_bytes is not None:
                yield (
                    f"Proven: {name.replace('_', '-')}{words} is {score.proven_bytes:,} bytes as a "
                    f"compressed file, from which all {score.bytes:,} bytes were restored; the "
                    f"score says {score.bits / 8:,.1f}."
                )
