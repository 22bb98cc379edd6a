"""The text that a user gives beside their own code, as a corpus."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from seqzoo.data.corpus import Data, Splits, sha256_of, split
from seqzoo.doctor.subject import Text
from seqzoo.errors import UsageError
from seqzoo.plugin.corpus import Corpus
from seqzoo.plugin.span import Span

__all__ = ["CorpusBytes", "text_of_code"]

CorpusBytes: TypeAlias = bytes | str | Path | npt.NDArray[np.uint8]
"""Bytes, an array of them, or the path of a file."""


def text_of_code(corpus: CorpusBytes | None, held_out: CorpusBytes | None) -> Text:
    """The corpus and what is held out, as bytes. Raises UsageError if they cannot be read."""
    if corpus is None:
        return Text(use_cache=False)
    data = _data(corpus, held_out)
    return Text(
        data=data,
        # The whole corpus: batches may be made of all of it.
        tokens=_bytes(corpus),
        held_out=data.splits.validation.bytes,
        is_held_out_apart=held_out is not None,
        use_cache=False,
    )


def _data(text: CorpusBytes, held_out: CorpusBytes | None) -> Data:
    """The corpus as splits; its last tenth is the held-out text if none was given."""
    training = _bytes(text)
    if held_out is None:
        corpus = Corpus(name="given", data=training, origin="given in code")
        splits = split(corpus, train=0.9, validation=0.05, test=0.05)
        return Data(corpus, sha256_of(corpus.data), splits)
    apart = _bytes(held_out)
    if not len(training) or len(apart) < 2:
        raise UsageError("corpus and held_out must not be empty.")
    both = np.concatenate([training, apart])
    bounds = (0, len(training), len(training) + len(apart) // 2, len(both))
    training_span, validation, test = (Span(both, a, b) for a, b in pairwise(bounds))
    corpus = Corpus(name="given", data=both, origin="given in code")
    return Data(corpus, sha256_of(both), Splits(training_span, validation, test, "as given"))


def _bytes(text: CorpusBytes) -> npt.NDArray[np.uint8]:
    if isinstance(text, (str, Path)):
        try:
            text = Path(text).read_bytes()
        except (OSError, ValueError) as error:  # ValueError: a path with a null byte
            raise UsageError(_unreadable(str(text), error)) from error
    array = np.frombuffer(text, dtype=np.uint8) if isinstance(text, bytes) else np.asarray(text)
    if array.dtype.kind in "iu" and array.dtype != np.uint8 and array.ndim == 1:
        raise UsageError(
            f"a corpus is bytes, a path or a one-dimensional uint8 array; found ids of type "
            f"{array.dtype}: give ids.astype('uint8') if all are below 256, or leave out corpus= "
            f"(and held_out=)."
        )
    if array.dtype != np.uint8 or array.ndim != 1:
        raise UsageError(
            f"a corpus is bytes, a path or a one-dimensional uint8 array; found {array.dtype} of "
            f"shape {array.shape}."
        )
    return array


def _unreadable(path: str, error: OSError | ValueError) -> str:
    shown = path if len(path) <= 60 else f"{path[:60]}..."
    said = f"corpus {shown!r} cannot be read: {getattr(error, 'strerror', None) or error}"
    if len(path) > 60 or any(character in path for character in " \n\0"):
        said += "; this looks like text and not like a path: give text.encode()"
    return f"{said}."
