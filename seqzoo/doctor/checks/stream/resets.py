"""Whether the state is reset where the text jumps, and nowhere else.

Method: the stream is opened on a numbered text so short that it is read more than twice; between
batches the numbers show where rows jump, and the stream says where the state is reset. In a user's
own code, only rows that continue although no state is carried can be found: a warning, because
nothing is wrong with what is learnt from each batch. Cost: about forty small
batches. Pass rule: no jump without a reset, and a reset at no more than one in twenty places where
rows continue, which allows for random resets on purpose (Melis et al. 2020, arXiv:1909.01792, reset
one state in a hundred).
"""

from __future__ import annotations

from collections.abc import Iterator

from seqzoo.doctor.checks._shared import contiguous_lanes
from seqzoo.doctor.checks._shares import share_of_continued_rows
from seqzoo.doctor.checks.stream._offsets import is_clear
from seqzoo.doctor.checks.stream._statelessness import is_stateless
from seqzoo.doctor.evidence.recording import Recording, record
from seqzoo.doctor.subject import Missing, Subject
from seqzoo.plugin.check import Outcome
from seqzoo.plugin.contracts import Batch

__all__ = ["examine"]

_BATCHES = 40
_MOST_NEEDLESS = 0.05


def examine(subject: Subject) -> Outcome:
    if not subject.pipeline.numbered:
        return _in_code(subject, subject.recording)
    recording = _read_again_and_again(subject)
    joints = [joint for before, after in recording.pairs() for joint in _joints(before, after)]
    continuing = [restarts for share, restarts in joints if share > 0.5]
    jumps = [restarts for share, restarts in joints if share <= 0.5]
    missing, needless = jumps.count(False), continuing.count(True)
    numbers = {
        "jumps": float(len(jumps)),
        "jumps_without_reset": float(missing),
        "continued": float(len(continuing)),
        "resets_without_jump": float(needless),
    }
    if not continuing and not missing:
        return _never_carried(recording.length, **numbers)
    if missing > len(joints) / 2:
        raise Missing("the rows continue nothing (see stream.continuity), so jumps cannot be seen")
    if needless > _MOST_NEEDLESS * len(continuing):
        return _needless(subject, needless, len(continuing), numbers)
    if missing:
        return _missing(subject, missing, len(jumps), numbers)
    return Outcome.passed(
        f"reset at {len(jumps)} of {len(jumps)} jumps of a short text, and at {needless} of "
        f"{len(continuing)} places where it continues",
        **numbers,
    )


def _joints(before: Batch, after: Batch) -> Iterator[tuple[float, bool]]:
    """The share of rows that continue, for the rows that are reset and for those that are not."""
    continues = after.inputs[:, 0] == before.inputs[:, -1] + 1
    for is_reset in (True, False):
        rows = continues[after.restarts == is_reset]
        if len(rows):
            yield float(rows.double().mean()), is_reset


def _never_carried(length: int, **numbers: float) -> Outcome:
    return Outcome.passed(
        f"the state is never carried across batches: training sees no more than {length} tokens "
        f"at once",
        **numbers,
    )


def _in_code(subject: Subject, recording: Recording) -> Outcome:
    pairs = recording.pairs()
    if not pairs or not all(after.restarts.all() for _, after in pairs):
        raise Missing("batches of a text so short that its end is reached are not available")
    if recording.has_one_beginning:
        # The mark that begins a row may also end it: then it seems to continue any other.
        return _never_carried(recording.length)
    share = share_of_continued_rows(recording.carried_on())
    if share is None or not is_clear(share, recording.chance, at_least=0.9):
        return _never_carried(recording.length)
    if is_stateless(subject):
        return Outcome.passed(f"{share:.0%} of the rows continue; the model has no state to carry")
    return _thrown_away(subject, share)


def _thrown_away(subject: Subject, share: float) -> Outcome:
    length = subject.pipeline.bptt_length
    return Outcome.warned(
        f"the state is thrown away after each batch (carry_state=False), although {share:.0%} of "
        f"the rows continue the row before them",
        why=f"Training uses no more than the {length} tokens of a batch, although the text before "
        "them was just read; and rows that lie side by side in the text come one after the other.",
        remedy="Keep the state: logits, state = model(x, state), then state = state.detach() (of "
        "each part of a tuple) before the next batch, and give carry_state=True. Or, if every row "
        "is to stand alone, draw rows from random places.",
        numbers={"continued": share},
    )


def _read_again_and_again(subject: Subject) -> Recording:
    """Lanes of three and a half batches, or shorter ones if the training text is short."""
    pipeline = subject.pipeline
    lane = 3 * pipeline.bptt_length + pipeline.bptt_length // 2 + 1
    num_tokens = min(pipeline.batch_size * lane + 1, len(subject.tokens))
    source = pipeline.short_source(num_tokens)
    return record(source, _BATCHES, pause_s=0.0, numbered=True)


def _needless(subject: Subject, needless: int, places: int, numbers: dict[str, float]) -> Outcome:
    length = subject.pipeline.bptt_length
    finding = Outcome.failed if needless > places / 2 else Outcome.warned
    return finding(
        f"the state is reset at {needless} of {places} places where the text continues",
        why=f"What was read is forgotten: training uses no more than the {length} tokens of a "
        "batch, although the text before them was just read.",
        remedy="Set Batch.restarts only where rows jump; in your own code pass the state of a "
        "batch, detached, to the next (and give carry_state=True).",
        changes=contiguous_lanes(subject),
        numbers=numbers,
    )


def _missing(subject: Subject, missing: int, jumps: int, numbers: dict[str, float]) -> Outcome:
    finding = Outcome.failed if missing > jumps / 2 else Outcome.warned
    return finding(
        f"the text jumps at {jumps} places (its end is one), and the state is never reset there"
        if missing == jumps
        else f"the state is not reset at {missing} of {jumps} places where the text jumps",
        why="After each jump the model reads with the memory of another text: once in an epoch "
        "that does little harm, in a short text with many epochs it does much.",
        remedy="Set Batch.restarts for the first batch after the end of the text (and wherever "
        "rows jump), so that the state is reset.",
        changes=contiguous_lanes(subject),
        numbers=numbers,
    )
