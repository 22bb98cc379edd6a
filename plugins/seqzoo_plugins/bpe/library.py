"""The package `tokenizers` learns merges from words, and applies them to a word.

It works on text. Latin-1 has a character for each byte, of the same number, so every word of bytes
is a text and back.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeAlias

from seqzoo import UsageError

__all__ = ["Merges", "encoder", "learn_merges"]

Merges: TypeAlias = list[tuple[int, int]]
"""Pairs of ids, in the order in which they are applied."""

_BETWEEN_WORDS = "\u0100"  # not in Latin-1
_WORDS_AT_ONCE = 1 << 16
_FEWEST_OCCURRENCES = 2


def learn_merges(words: Iterable[bytes], vocab_size: int) -> Merges:
    """The merges that give at most `vocab_size` tokens, the most frequent pair first.

    Raises UsageError if the package is not installed.
    """
    library = _library()
    tokenizer = library.Tokenizer(library.models.BPE())
    tokenizer.pre_tokenizer = library.pre_tokenizers.Split(_BETWEEN_WORDS, "removed")
    trainer = library.trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=_FEWEST_OCCURRENCES,
        initial_alphabet=[chr(value) for value in range(256)],
        special_tokens=[],
        show_progress=False,
    )
    tokenizer.train_from_iterator(_texts(words), trainer)
    ids = {chr(value): value for value in range(256)}
    merges = []
    for left, right in json.loads(tokenizer.to_str())["model"]["merges"]:
        merges.append((ids[left], ids[right]))
        ids.setdefault(left + right, len(ids))
    return merges


def encoder(tokens: Sequence[bytes], merges: Merges) -> Callable[[bytes], list[int]]:
    """A function that gives the ids of a word. tokens: the bytes of each id.

    Raises UsageError if the package is not installed.
    """
    texts = [token.decode("latin-1") for token in tokens]
    model = _library().models.BPE(
        vocab={text: number for number, text in enumerate(texts)},
        merges=[(texts[left], texts[right]) for left, right in merges],
    )
    return lambda word: [token.id for token in model.tokenize(word.decode("latin-1"))]


def _texts(words: Iterable[bytes]) -> Iterator[str]:
    rest = iter(words)
    while some := list(islice(rest, _WORDS_AT_ONCE)):
        yield _BETWEEN_WORDS.join(word.decode("latin-1") for word in some)


def _library() -> Any:
    try:
        import tokenizers
    except ModuleNotFoundError as error:
        if error.name != "tokenizers":
            raise
        raise UsageError(
            "tokenizer 'bpe' needs the package 'tokenizers', which is not installed; install it "
            "with: pip install 'seqzoo[bpe]'"
        ) from error
    return tokenizers
