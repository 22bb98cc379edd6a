"""Batches that are not the text that they should be."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from doctor_cases.case import Case
from doctor_cases.models import Recurrent, Stateless
from doctor_cases.proofs import (
    does_not_continue,
    first_batch,
    has_targets_elsewhere,
    is_not_in_the_corpus,
)
from doctor_cases.setting import Batches, Pair, Setting, lanes, windows
from seqzoo.plugin.registry import load_registry

__all__ = ["CASES"]


class _OneHot(Recurrent):
    """It reads one-hot rows."""

    def __init__(self, V: int, H: int) -> None:
        super().__init__(V, H)
        self.embed = nn.Linear(V, H, bias=False)  # type: ignore[assignment]

    @staticmethod
    def read(model: nn.Module, tokens: Tensor, state: Any) -> Any:
        """The doctor has ids."""
        return model(F.one_hot(tokens, 256).float(), state)


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


def _one_buffer(setting: Setting) -> Batches:
    """One pair of arrays, filled again for each batch."""

    def batches() -> Iterator[Pair]:
        inputs = np.zeros((setting.B, setting.T), np.int64)
        targets = np.zeros_like(inputs)
        for new in lanes(setting, setting.bytes)():
            inputs[:], targets[:] = new
            yield inputs, targets

    return batches


def _one_hot_buffer(setting: Setting) -> Batches:
    """One token for each row, as one-hot rows of arrays that are filled again."""

    def batches() -> Iterator[Pair]:
        text = setting.bytes
        x, y = np.zeros((setting.B, 1, 256)), np.zeros((setting.B, 256))
        places = np.random.default_rng(setting.seed).integers(len(text) - 1, size=setting.B)
        while True:
            x[:], y[:] = 0, 0
            x[np.arange(setting.B), 0, text[places]] = 1
            places = (places + 1) % len(text)
            y[np.arange(setting.B), text[places]] = 1
            yield x, y

    return batches


def _same_in_each_worker(setting: Setting) -> Batches:
    """Four workers draw with generators of one seed: each batch comes four times."""

    def batches() -> Iterator[Pair]:
        for inputs, targets in windows(setting, setting.bytes)():
            for _ in range(4):
                yield inputs.clone(), targets.clone()

    return batches


def _read_across(setting: Setting) -> Batches:
    """The text as (N / B, B): a row is every B-th character."""

    def batches() -> Iterator[Pair]:
        B, T, text = setting.B, setting.T, setting.bytes
        rows = text[: len(text) // B * B].reshape(-1, B).T
        for start in range(0, rows.shape[1] - T - 1, T):
            yield rows[:, start : start + T], rows[:, start + 1 : start + T + 1]

    return batches


def _time_first(setting: Setting) -> Batches:
    """(T, B) from a loader that ignores batch_first, for a model that is batch-first."""

    def batches() -> Iterator[Pair]:
        for inputs, targets in lanes(setting, setting.bytes)():
            yield inputs.T, targets.T

    return batches


def _inclusive_start(setting: Setting) -> Batches:
    """The last possible start leaves a chunk that is one character short."""

    def batches() -> Iterator[Pair]:
        B, T = setting.B, setting.T
        text = torch.from_numpy(setting.bytes[: T + 150].copy())
        draw = np.random.default_rng(setting.seed)
        while True:
            rows = torch.zeros(B, T + 1, dtype=torch.int64)
            for row in range(B):
                start = int(draw.integers(0, len(text) - T, endpoint=True))
                rows[row] = text[start : start + T + 1]
            yield rows[:, :-1], rows[:, 1:]

    return batches


def _last_window_short(setting: Setting) -> Batches:
    """Targets of the last window end with the text, one before its inputs do."""

    def batches() -> Iterator[Pair]:
        B, T = setting.B, setting.T
        rows = setting.bytes[: B * 20 * T].reshape(B, -1)
        for start in range(0, rows.shape[1], T):
            yield rows[:, start : start + T], rows[:, start + 1 : start + T + 1]

    return batches


def _of_another_text(setting: Setting) -> Batches:
    """A file that was cached for another corpus of the same kind."""
    spec: Any = load_registry().get("corpus", "pastiche")
    other = spec.open(spec.options(seed=21, size_bytes=100_000), Path()).data
    return lanes(setting, np.asarray(other).astype(np.int64))


def _with_other_line_ends(setting: Setting) -> dict[str, object]:
    """open(path).read() of a file that has the line ends of Windows."""
    corpus = setting.corpus.replace(b"\n", b"\r\n")
    return _model(setting) | {"corpus": corpus}


def _from_the_first_lines(setting: Setting) -> Batches:
    """Random windows of a slice that was left from a trial."""
    return windows(setting, setting.bytes[:3000])


def _is_in_a_small_part(arguments: Any) -> bool:
    rows = [bytes(row.tolist()) for row in first_batch(arguments, skip=7)[0]]
    return all(row in arguments["corpus"][:3000] for row in rows)


def _one_token_late(setting: Setting) -> Batches:
    """Chunks of T + 1 tokens, one after the other: the target of one is no input of the next."""

    def batches() -> Iterator[Pair]:
        B, T = setting.B, setting.T
        rows = setting.bytes[: len(setting.bytes) // B * B].reshape(B, -1)
        for start in range(0, rows.shape[1] - T - 1, T + 1):
            chunk = rows[:, start : start + T + 1]
            yield chunk[:, :-1], chunk[:, 1:]

    return batches


def _rows_that_change_places(setting: Setting) -> Batches:
    """The lanes are shuffled again in each batch, to be fair."""

    def batches() -> Iterator[Pair]:
        draw = np.random.default_rng(setting.seed)
        for inputs, targets in lanes(setting, setting.bytes)():
            order = draw.permutation(setting.B)
            yield inputs[order], targets[order]

    return batches


def _is_one_array(arguments: Any) -> bool:
    first, second = itertools.islice(arguments["batches"](), 2)
    return first[0] is second[0]


def _repeats(arguments: Any) -> bool:
    first, second = itertools.islice(arguments["batches"](), 2)
    return bool((first[0] == second[0]).all())


def _is_short(arguments: Any) -> bool:
    try:
        return any(len(x[0]) != len(y[0]) for x, y in itertools.islice(arguments["batches"](), 48))
    except RuntimeError as error:
        return "expanded size" in str(error)


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
        name="batches of another text",
        source="huggingface/datasets, documentation of its cache",
        cause="A cache gives the text of an earlier corpus of the same kind.",
        named_by=("stream.text",),
        words=(r"another text",),
        make=lambda s: _model(s) | {"batches": _of_another_text(s)},
        proof=is_not_in_the_corpus,
    ),
    Case(
        name="other line ends than the corpus",
        source="docs.python.org, open(newline=None)",
        cause="The file has line ends of two bytes, and reading it as text made one of them.",
        named_by=("stream.text",),
        words=(r"line ends",),
        make=_with_other_line_ends,
    ),
    Case(
        name="only the first 3,000 characters",
        source="docs.python.org, a slice of a string",
        cause="Random windows are drawn from a slice that was left from a trial.",
        named_by=("stream.coverage",),
        make=lambda s: s.stateless(lambda: Stateless(256, s.H), batches=_from_the_first_lines(s)),
        proof=_is_in_a_small_part,
    ),
    Case(
        name="the state is carried over random windows",
        source="github gabrielloye/RNN-walkthrough#3",
        cause="Each batch begins elsewhere in the text, with the state of the one before.",
        named_by=("stream.continuity",),
        make=lambda s: _model(s) | {"batches": windows(s, s.bytes)},
        proof=does_not_continue,
    ),
    Case(
        name="rows that begin one token late",
        source="tensorflow.org, text generation tutorial: batch(seq_length + 1)",
        cause="Chunks of T + 1 tokens follow each other, and the state is carried between them.",
        named_by=("stream.continuity",),
        words=(r"1 token late",),
        make=lambda s: _model(s) | {"batches": _one_token_late(s)},
        proof=does_not_continue,
    ),
    Case(
        name="lanes that change places",
        source="torch.utils.data.DataLoader, shuffle",
        cause="Rows continue each other, in another order in each batch.",
        named_by=("stream.continuity",),
        words=(r"change their places",),
        make=lambda s: _model(s) | {"batches": _rows_that_change_places(s)},
        proof=does_not_continue,
    ),
    Case(
        name="targets two tokens ahead",
        source="github huggingface/transformers#44642",
        cause="The data set shifts its targets, and so does the code around it.",
        named_by=("stream.targets",),
        make=lambda s: _model(s) | {"batches": lanes(s, s.bytes, ahead=2)},
        proof=has_targets_elsewhere,
    ),
    Case(
        name="one buffer for all batches",
        source="github tensorflow/tensorflow#34099",
        cause="The generator fills the arrays that it handed out before.",
        named_by=("stream.aliasing",),
        make=lambda s: _model(s) | {"batches": _one_buffer(s)},
        proof=_is_one_array,
    ),
    Case(
        name="one buffer of one-hot rows",
        source="the question of docs/answer.md",
        cause="A queue keeps references to one array, which is filled again and again.",
        named_by=("stream.aliasing",),
        make=lambda s: (
            _model(s)
            | {
                "model": lambda: _OneHot(256, s.H),
                "batches": _one_hot_buffer(s),
                "forward": _OneHot.read,
            }
        ),
        proof=_is_one_array,
    ),
    Case(
        name="each worker draws the same windows",
        source="github pytorch/pytorch#5059, facebookresearch/fairseq#1383",
        cause="numpy has one seed in all workers of a loader: batches come several times.",
        named_by=("stream.repeats",),
        make=lambda s: s.stateless(lambda: Stateless(256, s.H), batches=_same_in_each_worker(s)),
        proof=_repeats,
    ),
    Case(
        name="rows read across the text",
        source="github pytorch/tutorials#1841",
        cause="view(-1, B) instead of view(B, -1).t(): neighbours in a row are B bytes apart.",
        named_by=("stream.*",),
        words=(r"corpus|neighbour|apart|every \d+",),
        make=lambda s: _model(s) | {"batches": _read_across(s)},
        proof=is_not_in_the_corpus,
    ),
    Case(
        name="time-first batches for a batch-first model",
        source="github pytorch/text#342",
        cause="The loader gives (T, B), whatever batch_first says.",
        named_by=("stream.targets",),
        words=(r"transpos|time|other row|first axis",),
        make=lambda s: _model(s) | {"batches": _time_first(s)},
        proof=has_targets_elsewhere,
    ),
    Case(
        name="an inclusive random start",
        source="github spro/char-rnn.pytorch#10",
        cause="randint includes its upper bound, where the chunk is one character short.",
        named_by=("stream.contract",),
        words=(r"size|shape|short",),
        make=lambda s: _model(s) | {"batches": _inclusive_start(s), "carry_state": False},
        proof=_is_short,
    ),
    Case(
        name="the last window is one short",
        source="github spro/char-rnn.pytorch#10",
        cause="The last targets end with the text, one before the inputs do.",
        named_by=("stream.contract",),
        words=(r"shape|short",),
        make=lambda s: _model(s) | {"batches": _last_window_short(s)},
        proof=_is_short,
    ),
)
