"""What a user should know about a text before it is trained on, each with what to do."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from seqzoo.data.corpus import Splits
from seqzoo.data.inspection import Trait, is_repetitive, traits
from seqzoo.plugin.corpus import Corpus
from seqzoo.terminal.format import quoted

__all__ = ["text_warnings"]

_PIECE = 1 << 16
_ALL_PIECES = 1 << 24
"""Bytes that are looked at: of one file, up to three pieces; of many files, smaller ones."""

_SCORED_BYTES = 10_000
"""Of a part, so that an interval of its score means something: ten blocks of the bootstrap."""


def text_warnings(corpus: Corpus, splits: Splits, *, batch_tokens: int) -> list[str]:
    """One sentence for each thing; empty for plain text that is long enough.

    batch_tokens: that one update of training reads. A corpus that is not made of the user's files
    is not looked at.
    """
    if not corpus.files:
        return []
    found: dict[str, list[tuple[str, Trait]]] = {}
    plain = []
    for path, start, stop in corpus.files:
        name = _near(path)
        known = traits(_pieces(corpus, start, stop))
        plain += [] if known else [name]
        for trait in known:
            found.setdefault(trait.group, []).append((name, trait))
    total = len(corpus.files)
    sentences = [_sentence(group, files, plain, total) for group, files in found.items()]
    if not found and is_repetitive(b"".join(_pieces(corpus, 0, len(corpus.data)))):
        sentences.append(
            f"{corpus.name} repeats the same bytes, so there is almost nothing to learn and its "
            f"scores mean little; check that it is the text that you meant."
        )
    return sentences + list(_too_short(corpus, splits, batch_tokens))


def _sentence(group: str, files: list[tuple[str, Trait]], plain: list[str], total: int) -> str:
    name, trait = files[0]
    advice = trait.advice.replace("FILE", quoted(name))
    if total == 1:
        return f"{name} {trait.what}: {advice}."
    pattern = _pattern_of(plain, [name for name, _ in files])
    whom = "it" if len(files) == 1 else "them"
    others = f"; to leave {whom} out: --text {quoted(pattern)}" if pattern else ""
    if len(files) == 1:
        return f"{name} (1 of {total} files) {trait.what}: {advice}{others}."
    counted = f"{len(files)} of {total} files {group}"
    return f"{counted}. For example {name} {trait.what}: {advice}{others}."


def _near(path: str) -> str:
    """A path as it can be typed here: short if it is below the working directory."""
    here = os.getcwd().rstrip("/") + "/"
    return path.removeprefix(here)


def _pattern_of(wanted: list[str], unwanted: list[str]) -> str:
    """A pattern of most wanted files and of no other file; "" if their endings do not differ."""
    endings = Counter(Path(name).suffix for name in wanted)
    for name in unwanted:
        del endings[Path(name).suffix]
    del endings[""]
    if not endings:
        return ""
    ending = endings.most_common(1)[0][0]
    parents = {os.path.dirname(os.path.abspath(name)) for name in [*wanted, *unwanted]}
    return _near(f"{os.path.commonpath(parents).rstrip('/')}/**/*{ending}")


def _too_short(corpus: Corpus, splits: Splits, batch_tokens: int) -> Iterator[str]:
    size, training = len(corpus.data), len(splits.training)
    if training <= batch_tokens:
        needed = -(-batch_tokens * size // training)
        yield (
            f"{corpus.name} is short: its training part has {training:,} bytes, and one update "
            f"reads {batch_tokens:,} (train.batch_size x train.bptt_length); use at least "
            f"{needed:,} bytes of text, or a smaller batch_size."
        )
    part = min(len(splits.validation), len(splits.test))
    if part < _SCORED_BYTES:
        needed = -(-_SCORED_BYTES * size // part)
        yield (
            f"{corpus.name} is short: scores of {part:,} bytes are uncertain, and their intervals "
            f"too narrow; use at least {needed:,} bytes of text, or give more of it to "
            f"corpus.split.validation and corpus.split.test."
        )


def _pieces(corpus: Corpus, start: int, stop: int) -> list[bytes]:
    """Up to three pieces: the start, the middle and the end, at multiples of 4 bytes."""
    size = max(4096, min(_PIECE, _ALL_PIECES // max(1, len(corpus.files))))
    if stop - start <= 3 * size:
        return [corpus.data[start:stop].tobytes()]
    begins = (start, start + (stop - start) // 8 * 4, start + (stop - start - size) // 4 * 4)
    return [corpus.data[begin : begin + size].tobytes() for begin in begins]
