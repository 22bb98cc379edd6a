"""Whether each target is the token right after its input.

Method: for each offset d from -3 to 3 the share of targets that equal the input d tokens later,
with numbered tokens if they are available (then nothing matches by chance), otherwise within rows
and, for short rows, from batch to batch. If rows of one token continue nothing, (input, target)
pairs are compared with the corpus: at which distance do such pairs occur there most often? If
nothing fits, targets are compared with other rows (another row's, or time before batch). The last
target of a row is looked up in the corpus, after the 15 inputs before it. Cost: the recording, and
a pass over the corpus. Pass rule: nineteen targets in twenty are one ahead, and nine in ten at
every place of a row; the rest allows for jumps in the text (one document ends, another begins). An
end mark before padding has no input after it, so it is only compared with the row's first input.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from seqzoo.doctor.checks._shared import contiguous_lanes
from seqzoo.doctor.checks.stream._corpus_ids import readings
from seqzoo.doctor.checks.stream._last_place import share_of_last_targets
from seqzoo.doctor.checks.stream._offsets import OFFSETS, is_clear, shares_by_offset
from seqzoo.doctor.checks.stream._other_rows import across_rows
from seqzoo.doctor.evidence.endings import are_endings, without_endings
from seqzoo.doctor.evidence.recording import Recording
from seqzoo.doctor.subject import Missing, Subject, or_none
from seqzoo.plugin.check import Outcome

__all__ = ["examine"]

_MOST = 0.95
_MOST_AT_EACH_PLACE = 0.9
_CORPUS_BYTES = 1 << 22
_FEWEST_ENDINGS = 20

_MEANING = {
    0: "the target is the input itself: nothing is predicted, and the loss goes to zero",
    1: "the target is the next token",
    2: "the target is the token after next: off by one",
    3: "the target is three tokens ahead: off by two",
    -1: "the target is the token before the input, which the model has read",
    -2: "the target is two tokens back, which the model has read",
    -3: "the target is three tokens back, which the model has read",
}


_CUT = (
    "Cut T + 1 tokens for a row: inputs are all but the last, targets all but the first "
    "(x = row[:-1], y = row[1:]), and shift nowhere else, the loss included."
)


def examine(subject: Subject) -> Outcome:
    recording = _without_endings(subject.recording)
    shares = shares_by_offset(recording)
    numbers = {f"share_at_{offset:+d}": share for offset, share in shares.items()}
    best = max(OFFSETS, key=lambda offset: (shares[offset], offset == 1))
    is_known = is_clear(shares[best], recording.chance, at_least=0.5)
    if recording.length == 1 and not recording.numbered and not is_known:
        return _by_pairs(subject, recording)
    # Numbers show the offset of a target from its own input, not in which row the next input is.
    continued = _share_continued(recording)
    if (not is_known or continued < 0.5) and (mixed := across_rows(recording)):
        return _failed(subject, mixed[0], continued, numbers, remedy=mixed[1])
    if not is_known:
        meaning = "the targets are not near their inputs"
        return _failed(subject, meaning, shares[1], numbers)
    if best != 1:
        return _failed(subject, _MEANING[best], shares[1], numbers)
    if (at_the_end := _at_the_end(subject, recording)) is not None and at_the_end < 0.5:
        meaning = (
            f"the last target of each row is another token than the corpus has there, in "
            f"{1 - at_the_end:.0%} of the rows (was the input rolled, or the row cut too short?)"
        )
        return _failed(subject, meaning, shares[1], numbers)
    if rolled := _share_rolled_before_padding(subject.recording):
        meaning = (
            f"the last target of each padded row is its first input, in {rolled:.0%} of these rows "
            "(was the input rolled instead of shifted?)"
        )
        return _failed(subject, meaning, 1 - rolled, numbers)
    place, share = _worst_place(recording)
    if share < _MOST_AT_EACH_PLACE:
        meaning = (
            f"at place {place + 1} of {recording.length} in each row the target is another token "
            "(was the input rolled instead of shifted?)"
        )
        return _failed(subject, meaning, share, numbers)
    if shares[1] < _MOST:
        return _failed(subject, "many targets are not the next token", shares[1], numbers)
    return Outcome.passed(f"{shares[1]:.0%} of the targets are the next token", **numbers)


def _without_endings(recording: Recording) -> Recording:
    if recording.numbered:
        return recording
    batches = (
        replace(each, targets=without_endings(each.inputs, each.targets))
        for each in recording.batches
    )
    return replace(recording, batches=tuple(batches))


def _share_rolled_before_padding(recording: Recording) -> float:
    """The share of ended rows whose last target is their first input; 0 if that may be chance.

    It shows nothing if most rows begin with one token: that may be the mark that also ends them.
    """
    if recording.numbered or recording.has_one_beginning:
        return 0.0
    equal = []
    for batch in recording.batches:
        is_ending = are_endings(batch.inputs, batch.targets)
        first = batch.inputs[:, :1].expand(batch.inputs.shape)
        equal.append((batch.targets == first)[is_ending])
    known = torch.cat(equal).double()
    if len(known) < _FEWEST_ENDINGS:
        return 0.0
    share = float(known.mean())
    return share if is_clear(share, recording.chance_of_beginnings, at_least=0.9) else 0.0


def _at_the_end(subject: Subject, recording: Recording) -> float | None:
    """The share of last targets that the corpus has there; None if that cannot be known."""
    data = or_none(lambda: subject.data)
    if data is None or subject.has("recipe"):
        return None
    corpus = data.corpus.data[:_CORPUS_BYTES]
    return share_of_last_targets(recording, data.corpus.data, corpus)


def _share_continued(recording: Recording) -> float:
    """The share of targets within a row that are its next input; 1 if there are none."""
    equal = [
        (b.targets[:, :-1] == b.inputs[:, 1:])[b.targets[:, :-1] >= 0] for b in recording.batches
    ]
    known = torch.cat(equal)
    return float(known.double().mean()) if len(known) else 1.0


def _failed(
    subject: Subject, meaning: str, share: float, numbers: dict[str, float], *, remedy: str = _CUT
) -> Outcome:
    return Outcome.failed(
        f"{meaning} ({share:.0%} are the next token)",
        why="The model learns to predict these targets: a low loss says nothing about the next "
        "token, and generation, which needs the next token, does not work.",
        remedy=remedy,
        changes=contiguous_lanes(subject),
        numbers=numbers,
    )


def _worst_place(recording: Recording) -> tuple[int, float]:
    """The place in a row where the fewest targets are one ahead, and their share there.

    Batches that are shorter than others are left out. Without numbers a row does not show what
    follows its last place, except for the usual fault: that it is the row's first input.
    """
    T = recording.length
    whole = [batch for batch in recording.batches if batch.inputs.shape[1] == T]
    inputs = torch.cat([batch.inputs for batch in whole])
    targets = torch.cat([batch.targets for batch in whole])
    if recording.numbered:
        right = targets == inputs + 1
    elif T == 1:
        return 0, 1.0
    else:
        # Padding is not a fault.
        right = (targets[:, :-1] == inputs[:, 1:]) | (targets[:, :-1] < 0)
        rolled = float((targets[:, -1] == inputs[:, 0]).double().mean())
        is_periodic = any(
            bool((inputs[:, period:] == inputs[:, :-period]).double().mean() > 0.9)
            for period in range(1, T // 2 + 1)
        )
        if is_clear(rolled, recording.chance, at_least=0.9) and not is_periodic:
            return T - 1, 1 - rolled
    shares = right.double().mean(0)
    return int(shares.argmin()), float(shares.min())


def _by_pairs(subject: Subject, recording: Recording) -> Outcome:
    """For rows of one token that continue nothing: how likely their pairs are at each distance."""
    inputs = torch.cat([batch.inputs.flatten() for batch in recording.batches]).numpy()
    targets = torch.cat([batch.targets.flatten() for batch in recording.batches]).numpy()
    inputs, targets = inputs[targets >= 0], targets[targets >= 0]
    text = subject.data.splits.training.bytes[:_CORPUS_BYTES]
    known = readings(subject.data.corpus.data, int(max(inputs.max(), targets.max())))
    bits = {
        offset: min(_bits(text, offset, reading(inputs), reading(targets)) for reading in known)
        for offset in (OFFSETS if known else ())
    }
    if not bits:
        raise Missing("rows of one token continue nothing, and the ids are not the corpus's bytes")
    numbers = {f"bits_at_{offset:+d}": value for offset, value in bits.items()}
    best = min(bits, key=lambda offset: bits[offset])
    next_best = min(value for offset, value in bits.items() if offset != best)
    # Three standard errors; the bits of a pair have a standard deviation of about three.
    if next_best - bits[best] < 10 / len(inputs) ** 0.5:
        raise Missing("rows of one token continue nothing, and their pairs fit several distances")
    if best == 1:
        return Outcome.passed("the pairs are neighbours in the corpus", **numbers)
    return _failed(subject, _MEANING[best] + ", compared with pairs of the corpus", 0.0, numbers)


def _bits(text: np.ndarray, offset: int, inputs: np.ndarray, targets: np.ndarray) -> float:
    """Mean bits of the targets given the inputs, by pairs of the corpus at that distance."""
    size = abs(offset)
    early, late = text[: len(text) - size].astype(np.int64), text[size:]
    first, second = (early, late) if offset >= 0 else (late.astype(np.int64), early)
    counts = np.bincount(first * 256 + second, minlength=1 << 16).reshape(256, 256) + 1 / 256
    chances = counts / counts.sum(1, keepdims=True)
    return float(-np.log2(chances[inputs, targets]).mean())
