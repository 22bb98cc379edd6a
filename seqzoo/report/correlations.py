"""Correlations of every unit of a state with the features of a text, in one reading."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
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

__all__ = [
    "Correlations",
    "Lanes",
    "correlations",
    "lanes_of",
    "states_while_reading",
    "unread_leaves",
]

_LANES, _LANE_BYTES, _WARMUP = 24, 512, 64
_LONGEST_STRIDE = 8
"""Tokens between two looks at the state: neighbours are similar, and a pass of eight tokens
takes about as long as one of a single token."""

_FEWEST_USED = 300
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

    Raises UsageError if a text is so short that a correlation would be chance.
    """
    shortest = min(map(len, spans))
    if shortest < _FEWEST_USED:
        raise _too_short(shortest)
    size = min(_LANE_BYTES + _WARMUP, shortest)
    count = max(1, min(_LANES, shortest // size))
    stretches = [_stretch(tokenizer, span, size, count) for span in spans]
    # A stretch of much fewer tokens than others, such as one of blanks, would cut them all.
    usual = int(np.median([len(each.tokens) for text in stretches for each in text]))
    kept = [[each for each in text if len(each.tokens) >= usual // 2] for text in stretches]
    length = min((len(each.tokens) for text in kept for each in text), default=0)
    stride = max(1, min(_LONGEST_STRIDE, count * length // _FEWEST_PLACES))
    length = length // stride * stride
    seen = slice(stride - 1, length, stride)
    rows: list[slice] = []
    features: list[npt.NDArray[np.float64]] = []
    uses: list[npt.NDArray[np.bool_]] = []
    for text in kept:
        used = np.array([each.uses[seen] for each in text])
        if used.sum() < _FEWEST_USED:
            raise _too_short(int(used.sum()))
        rows.append(slice(len(features), len(features) + len(text)))
        features += list(_standardised(np.array([each.features[seen] for each in text]), used))
        uses += list(used)
    tokens = np.stack([each.tokens[:length] for text in kept for each in text])
    return Lanes(stride, torch.from_numpy(tokens), tuple(rows), np.stack(features), np.stack(uses))


def _too_short(places: int) -> UsageError:
    return UsageError(
        f"a part of the held-out text has {places} places to look at, and {_FEWEST_USED} are "
        f"needed to tell what a unit follows; use a larger corpus."
    )


class _Stretch(NamedTuple):
    """tokens: (T,). features: (T, F) at the last byte of each. uses: (T,)."""

    tokens: npt.NDArray[np.int64]
    features: npt.NDArray[np.float64]
    uses: npt.NDArray[np.bool_]


def _stretch(tokenizer: Tokenizer, span: Span, size: int, count: int) -> list[_Stretch]:
    """So many stretches of `size` bytes."""
    values = np.stack([feature.of(span.bytes) for feature in FEATURES], axis=-1)
    found = []
    for lane in range(count):
        start = (len(span) - size) * lane // max(1, count - 1)
        begin = span.start + start
        text = encode_span(tokenizer, Span(span.data, begin, begin + size))
        ends = np.cumsum(text.lengths)
        found.append(
            _Stretch(
                text.tokens.astype(np.int64),
                values[start + np.maximum(ends, 1) - 1],
                (text.lengths > 0) & (ends > min(_WARMUP, size // 4)),
            )
        )
    return found


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
    model: SequenceModel,
    inputs: Tensor,
    runtime: Runtime,
    *,
    stride: int = 1,
    unseen: int = 0,
    names: Collection[str] | None = None,
) -> Iterator[Mapping[str, npt.NDArray[Any]]]:
    """The leaves of the state, as (B, ...) arrays, after every `stride` of the tokens (B, T).

    unseen: tokens at the beginning that are read in one pass, without a look at the state.
    names: leaves that are wanted; None for all that are small enough.
    """
    with in_inference_mode(model):
        state = model.initial_state(len(inputs))
        inputs = inputs.to(runtime.device)
        before = [inputs[:, :unseen]] if unseen else []
        for number, tokens in enumerate([*before, *inputs[:, unseen:].split(stride, dim=1)]):
            with runtime.autocast():
                _, state = model(tokens, state)
            if number >= len(before):
                yield _readable(state, names)


def _readable(state: State, names: Collection[str] | None) -> dict[str, npt.NDArray[Any]]:
    return {
        name: leaf.float().cpu().numpy()
        for name, leaf in states.flatten(state).items()
        if (name in names if names is not None else _is_readable(leaf))
    }


def _is_readable(leaf: Tensor) -> bool:
    return leaf.is_floating_point() and 0 < leaf[0].numel() <= _MAX_ELEMENTS


def unread_leaves(model: SequenceModel, runtime: Runtime) -> list[str]:
    """The names of leaves of numbers that are too large to be looked at."""
    token = torch.zeros(1, 1, dtype=torch.int64, device=runtime.device)
    with in_inference_mode(model), runtime.autocast():
        _, state = model(token, model.initial_state(1))
    leaves = states.flatten(state).items()
    return [name for name, leaf in leaves if leaf.is_floating_point() and not _is_readable(leaf)]
