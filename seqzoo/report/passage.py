"""A passage as a model reads it: what each token cost, and what was expected in its place."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from seqzoo.data.tokens import EncodedText, encode_span
from seqzoo.model.runtime import in_float64, in_inference_mode
from seqzoo.plugin.span import Span
from seqzoo.runs.experiment import Experiment
from seqzoo.scoring.chunks import SplitReader
from seqzoo.scoring.static import FrozenReader, one_thread

__all__ = ["Guess", "TokenRead", "passage_of", "read_passage"]

_CONTEXT_BYTES = 1024
_CHUNK = 256


class Guess(NamedTuple):
    """A token that could have been next. text: empty for a part of a symbol."""

    text: bytes
    probability: float


class TokenRead(NamedTuple):
    """One token of a passage; its text is empty if it is a part of a symbol.

    guesses: the most probable first.
    """

    text: bytes
    bits: float
    guesses: tuple[Guess, ...]


def passage_of(span: Span, num_bytes: int) -> Span:
    """A part of a text to show: at the beginning of a line, with some text of the span before it.

    The whole span where it is shorter.
    """
    if len(span) <= num_bytes:
        return span
    begin = min(_CONTEXT_BYTES, len(span) - num_bytes)
    data = span.bytes[: len(span) - num_bytes + 1]
    is_end = data == ord("\n")
    starts = np.flatnonzero(is_end[:-1] & ~is_end[1:]) + 1  # of lines that are not empty
    after = starts[starts >= begin]
    start = span.start + (int(after[0]) if len(after) else begin)
    return Span(span.data, start, start + num_bytes)


def read_passage(experiment: Experiment, passage: Span, *, num_guesses: int) -> list[TokenRead]:
    """Every token of a passage; the model reads up to 1,024 bytes before it first.

    The costs are those of exact scoring from an empty state at the first of these bytes.
    """
    start = max(0, passage.start - _CONTEXT_BYTES)
    text = encode_span(experiment.tokenizer, Span(passage.data, start, passage.stop))
    begins = np.cumsum(text.lengths) - text.lengths
    first = int(np.searchsorted(begins, passage.start - start))
    costs, guessed, probabilities = _read(
        experiment, text, min(num_guesses, experiment.tokenizer.vocab_size)
    )

    @cache
    def text_of(token: int) -> bytes:
        return experiment.tokenizer.decode(np.array([token]))

    return [
        TokenRead(
            bytes(text.data[begins[index] : begins[index] + text.lengths[index]]),
            float(costs[index]),
            tuple(
                Guess(text_of(token), probability)
                for token, probability in zip(
                    guessed[index].tolist(), probabilities[index].tolist(), strict=True
                )
            ),
        )
        for index in range(first, len(text.tokens))
    ]


def _read(
    experiment: Experiment, text: EncodedText, num_guesses: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Bits of each of the M tokens, and the tokens (M, K) that were guessed, with probabilities."""
    costs, guessed, shares = [], [], []
    with in_inference_mode(experiment.model), one_thread(experiment.runtime):
        reader = FrozenReader(experiment.model, experiment.runtime, lanes=1)
        for chunk in SplitReader(text).chunks(_CHUNK):
            logarithms = in_float64(reader.read(chunk))[0].log_softmax(-1).cpu()
            best, tokens = logarithms.topk(num_guesses, dim=-1)
            targets = chunk.targets[0]
            costs.append(-logarithms.numpy()[np.arange(len(targets)), targets] / np.log(2))
            guessed.append(tokens.numpy())
            shares.append(best.exp().numpy())
    return np.concatenate(costs), np.concatenate(guessed), np.concatenate(shares)
