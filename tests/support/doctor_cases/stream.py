"""Batches that are not the text that they should be."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from doctor_cases.case import Case
from doctor_cases.models import Recurrent
from doctor_cases.proofs import does_not_continue, has_targets_elsewhere, is_not_in_the_corpus
from doctor_cases.setting import Batches, Pair, Setting, lanes, windows

__all__ = ["CASES"]


def _model(setting: Setting) -> dict[str, object]:
    return setting.stateful(lambda: Recurrent(256, setting.H))


def _rolled(setting: Setting) -> Batches:
    """Targets are the inputs of a row rolled by one, so that the last is the first input."""

    def batches() -> Iterator[Pair]:
        for inputs, _ in lanes(setting, setting.bytes)():
            yield inputs, np.roll(inputs, -1, axis=1)

    return batches


def _shuffled(setting: Setting) -> Batches:
    """Passages of the text in a random order."""

    def batches() -> Iterator[Pair]:
        B, T, text = setting.B, setting.T, setting.bytes
        draw = np.random.default_rng(setting.seed)
        starts = draw.permutation(np.arange(0, len(text) - T - 1, T))
        for some in np.split(starts, range(B, len(starts), B)):
            if len(some) == B:
                at = some[:, None] + np.arange(T)
                yield text[at], text[at + 1]

    return batches


CASES = (
    Case(
        name="the last target of a row is its first input",
        source="github udacity/deep-learning, Anna_KaRNNa notebook before PR #239",
        cause="Targets are the inputs rolled by one within the row.",
        named_by=("stream.targets",),
        make=lambda s: _model(s) | {"batches": _rolled(s)},
        proof=has_targets_elsewhere,
    ),
    Case(
        name="stateful and shuffled",
        source="TensorFlow text generation tutorial, 2018-2021",
        cause="The state is carried to the next batch, whose passages are from elsewhere.",
        named_by=("stream.continuity",),
        make=lambda s: _model(s) | {"batches": _shuffled(s)},
        proof=does_not_continue,
    ),
    Case(
        name="targets equal the inputs",
        source="github huggingface/transformers#22001",
        cause="Nothing is shifted: the model copies its input.",
        named_by=("stream.targets",),
        make=lambda s: _model(s) | {"batches": lanes(s, s.bytes, ahead=0)},
        proof=has_targets_elsewhere,
    ),
    Case(
        name="newlines lost in reading",
        source="github EricFillion/happy-transformer#297, hunkim/word-rnn-tensorflow#66",
        cause="The text is read line by line without line ends; the corpus has them.",
        named_by=("stream.*",),
        words=(r"newline|line (end|break)|lost|not (found )?in the corpus|corpus",),
        make=lambda s: (
            _model(s)
            | {
                "batches": lanes(
                    s, np.frombuffer(s.corpus.replace(b"\n", b""), np.uint8).astype(np.int64)
                )
            }
        ),
        proof=is_not_in_the_corpus,
    ),
    Case(
        name="the state is carried over random windows",
        source="github gabrielloye/RNN-walkthrough#3",
        cause="Each batch begins elsewhere in the text, with the state of the one before.",
        named_by=("stream.continuity",),
        make=lambda s: _model(s) | {"batches": windows(s, s.bytes)},
        proof=does_not_continue,
    ),
)
