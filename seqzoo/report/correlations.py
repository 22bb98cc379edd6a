"""Correlations of every unit of a state with the features of a text, in one reading."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from seqzoo.data.tokens import encode_span
from seqzoo.errors import UsageError
from seqzoo.model import state as states
from seqzoo.model.runtime import Runtime, in_inference_mode
from seqzoo.plugin.contracts import SequenceModel, State, Tokenizer
from seqzoo.plugin.span import Span
from seqzoo.report.features import FEATURES

__all__ = ["Correlations", "Lanes", "correlations", "lanes_of", "states_while_reading"]

_LANES, _LANE_BYTES, _WARMUP = 24, 512, 64
_LONGEST_STRIDE = 8
"""Tokens between two looks at the state: neighbours are similar, and a pass of eight tokens
takes about as long as one of a single token."""

_FEWEST_BYTES = 500
_FEWEST_PLACES = 1000
"""Of a text that is looked at, where it has so many: a correlation of few is uncertain."""

_MAX_ELEMENTS = 32_768
"""Of a leaf; larger ones are windows of past inputs, or too large to be read one by one."""


class Lanes(NamedTuple):
    """Stretches of several texts that are read side by side.

    inputs: (B, T) tokens. rows: those of each text. After each S-th of the T tokens, in order:
    features: (B, T / S, F), standardised over what is used of a text. uses: (B, T / S) whether the
    place is used: not the warm-up, and not a token that completes no byte.
    """

    stride: int
    inputs: Tensor
    rows: tuple[slice, ...]
    features: npt.NDArray[np.float64]
    uses: npt.NDArray[np.bool_]


class Correlations(NamedTuple):
    """Of one leaf. shape: for one row. values: for each text, (units, features)."""

    shape: tuple[int, ...]
    values: tuple[npt.NDArray[np.float64], ...]


def lanes_of(tokenizer: Tokenizer, spans: Sequence[Span]) -> Lanes:
    """Stretches of each span, evenly spaced; fewer where one is short.

    Raises UsageError if one is so short that a correlation would be chance.
    """
    if (shortest := min(map(len, spans))) < _FEWEST_BYTES:
        raise UsageError(
            f"a part of the held-out text has {shortest:,} bytes, and {_FEWEST_BYTES:,} are needed "
            f"to tell what a unit follows; use a larger corpus."
        )
    size = min(_LANE_BYTES + _WARMUP, shortest)
    count = max(1, min(_LANES, shortest // size))
    tokens, features, uses = [], [], []
    for span in spans:
        values = np.stack([feature.of(span.bytes) for feature in FEATURES], axis=-1)
        for lane in range(count):
            start = (len(span) - size) * lane // max(1, count - 1)
            begin = span.start + start
            text = encode_span(tokenizer, Span(span.data, begin, begin + size))
            ends = np.cumsum(text.lengths)
            tokens.append(text.tokens.astype(np.int64))
            features.append(values[start + np.maximum(ends, 1) - 1])
            uses.append((text.lengths > 0) & (ends > min(_WARMUP, size // 4)))
    length = min(map(len, tokens))
    stride = max(1, min(_LONGEST_STRIDE, count * length // _FEWEST_PLACES))
    length = length // stride * stride
    seen = slice(stride - 1, length, stride)
    used = np.stack([each[seen] for each in uses])
    rows = tuple(slice(count * text, count * (text + 1)) for text in range(len(spans)))
    standard = np.stack([each[seen] for each in features])
    for each in rows:
        standard[each] = _standardised(standard[each], used[each])
    return Lanes(
        stride, torch.from_numpy(np.stack([each[:length] for each in tokens])), rows, standard, used
    )


def _standardised(
    features: npt.NDArray[np.float64], uses: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float64]:
    """Mean 0 and variance 1 over what is used; a feature that does not change is 0."""
    used = features[uses]
    spread = used.std(axis=0)
    found: npt.NDArray[np.float64] = (features - used.mean(axis=0)) / np.where(
        spread > 0, spread, np.inf
    )
    return found


def correlations(model: SequenceModel, lanes: Lanes, runtime: Runtime) -> dict[str, Correlations]:
    """For each leaf of the state that can be read.

    Sums are kept and no activations: a state may have tens of thousands of numbers. A unit that
    does not change has correlation 0.
    """
    sums: dict[str, list[_Sums]] = {}
    for step, leaves in enumerate(
        states_while_reading(model, lanes.inputs, runtime, stride=lanes.stride)
    ):
        for name, leaf in leaves.items():
            if name not in sums:
                sums[name] = [_Sums(leaf.shape[1:]) for _ in lanes.rows]
            for kept, rows in zip(sums[name], lanes.rows, strict=True):
                used = lanes.uses[rows, step]
                if used.any():
                    kept.add(leaf[rows][used], lanes.features[rows, step][used])
    return {
        name: Correlations(each[0].shape, tuple(kept.correlations() for kept in each))
        for name, each in sums.items()
    }


class _Sums:
    """What is needed of the units of one leaf for their correlations with standardised features."""

    def __init__(self, shape: Sequence[int]) -> None:
        self.shape = tuple(shape)
        units = int(np.prod(self.shape))
        self._count = 0
        self._first: npt.NDArray[np.float64] | None = None
        self._sum, self._square = np.zeros(units), np.zeros(units)
        self._product = np.zeros((units, len(FEATURES)))

    def add(self, leaf: npt.NDArray[Any], features: npt.NDArray[np.float64]) -> None:
        """Add rows: leaf (B, ...), features (B, F)."""
        values = leaf.reshape(len(leaf), -1).astype(np.float64)
        if self._first is None:
            self._first = values[0].copy()
        # Near the mean, the variance is not lost in rounding.
        values = np.nan_to_num(values - self._first, posinf=0.0, neginf=0.0)
        self._count += len(values)
        self._sum += values.sum(axis=0)
        self._square += (values * values).sum(axis=0)
        self._product += values.T @ features

    def correlations(self) -> npt.NDArray[np.float64]:
        """(units, features). The features have mean 0 and variance 1 over all that was added."""
        mean = self._sum / self._count
        variance = self._square / self._count - mean**2
        moves = variance > 1e-9 * (self._square / self._count) + 1e-30
        spread = np.sqrt(np.where(moves, variance, np.inf))
        found: npt.NDArray[np.float64] = self._product / self._count / spread[:, None]
        return found


def states_while_reading(
    model: SequenceModel, inputs: Tensor, runtime: Runtime, *, stride: int = 1, unseen: int = 0
) -> Iterator[Mapping[str, npt.NDArray[Any]]]:
    """The leaves of the state, as (B, ...) arrays, after every `stride` of the tokens (B, T).

    unseen: tokens at the beginning that are read in one pass, without a look at the state.
    """
    with in_inference_mode(model):
        state = model.initial_state(len(inputs))
        inputs = inputs.to(runtime.device)
        before = [inputs[:, :unseen]] if unseen else []
        for number, tokens in enumerate([*before, *inputs[:, unseen:].split(stride, dim=1)]):
            with runtime.autocast():
                _, state = model(tokens, state)
            if number >= len(before):
                yield _readable(state)


def _readable(state: State) -> dict[str, npt.NDArray[Any]]:
    return {
        name: leaf.float().cpu().numpy()
        for name, leaf in states.flatten(state).items()
        if leaf.is_floating_point() and 0 < leaf[0].numel() <= _MAX_ELEMENTS
    }
