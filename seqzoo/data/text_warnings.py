"""What a user should know about a text before it is trained on, each with what to do."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from fractions import Fraction
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
        known = traits(_pieces(corpus, start, stop))
        plain += [] if known or start == stop else [path]
        for trait in known:
            found.setdefault(trait.group, []).append((path, trait))
    total = len(corpus.files)
    sentences = [_sentence(group, files, total) for group, files in found.items()]
    if found and plain:
        bad = dict.fromkeys(path for files in found.values() for path, _ in files)
        sentences.append(_how_to_leave_out(list(bad), plain))
    if not found and is_repetitive(b"".join(_pieces(corpus, 0, len(corpus.data)))):
        sentences.append(
            f"{corpus.name} repeats the same bytes, so there is almost nothing to learn and its "
            f"scores mean little; check that it is the text that you meant."
        )
    return sentences + list(_too_short(corpus, splits, batch_tokens))


def _sentence(group: str, files: list[tuple[str, Trait]], total: int) -> str:
    path, trait = files[0]
    name = _near(path)
    shown = "".join(each if each.isprintable() else "\ufffd" for each in name)
    what_to_do = trait.for_file(quoted(name)) if os.path.exists(path) else trait.for_pipe
    about = f"{trait.what}: {what_to_do}"
    if total == 1:
        return f"{shown} {about}"
    if len(files) == 1:
        return f"{shown} (1 of {total} files) {about}"
    return f"{len(files)} of {total} files {group}. For example {shown} {about}"


def _near(path: str) -> str:
    """A path as it can be typed here: short if it is below the working directory."""
    here = os.getcwd().rstrip("/") + "/"
    return path.removeprefix(here)


def _how_to_leave_out(bad: list[str], plain: list[str]) -> str:
    whom = {1: "it", 2: "both files"}.get(len(bad), f"all {len(bad)} files")
    if pattern := _pattern_of(plain, bad):
        return f"To leave {whom} out: --text {quoted(_near(pattern))}"
    return (
        f"To leave {whom} out, move {'it' if len(bad) == 1 else 'them'} to another folder, or name "
        f"each of the other files with its own --text."
    )


def _pattern_of(wanted: list[str], unwanted: list[str]) -> str:
    """A pattern of all wanted files and of no other file with text in it; "" if there is none."""
    folder = Path(os.path.commonpath([os.path.dirname(path) for path in wanted]))
    endings = {Path(path).suffix for path in wanted}
    of_names = f"*{endings.pop()}" if len(endings) == 1 else "*"
    for pattern in dict.fromkeys((of_names, f"**/{of_names}", "*", "**/*")):
        if _matching(folder, pattern) == set(wanted):
            return str(folder / pattern)
    return ""


def _matching(folder: Path, pattern: str) -> set[str]:
    """The files with text in them that a pattern finds; hidden ones are never read."""
    found = (path for path in folder.glob(pattern) if path.is_file() and path.stat().st_size)
    return {
        str(path)
        for path in found
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
    }


def _too_short(corpus: Corpus, splits: Splits, batch_tokens: int) -> Iterator[str]:
    """One sentence for each part that is too short, and the size that is enough for all."""
    size = len(corpus.data)
    train, validation, test = map(Fraction, splits.identity.split("/"))
    scored = min(validation, test)
    reasons, needed = [], Fraction(0)
    if len(splits.training) <= batch_tokens:
        reasons.append(
            f"Only {len(splits.training):,} bytes are trained on, and one update reads "
            f"{batch_tokens:,} (train.batch_size x train.bptt_length)."
        )
        needed = (batch_tokens + 1) / train
    if scored * size < _SCORED_BYTES:
        reasons.append(
            f"Only {min(len(splits.validation), len(splits.test)):,} bytes are scored, so the "
            f"score is uncertain (more than its interval says)."
        )
        needed = max(needed, _SCORED_BYTES / scored)
    if reasons:
        yield f"{' '.join(reasons)} Use at least {_rounded_up(needed):,} bytes of text."


def _rounded_up(number: Fraction) -> int:
    """The next larger number with two digits that are not zero."""
    whole = math.ceil(number)
    unit: int = 10 ** max(0, len(str(whole)) - 2)
    return -(-whole // unit) * unit


def _pieces(corpus: Corpus, start: int, stop: int) -> list[bytes]:
    """Up to three pieces: the start, the middle and the end, at multiples of 4 bytes."""
    size = max(4096, min(_PIECE, _ALL_PIECES // max(1, len(corpus.files))))
    if stop - start <= 3 * size:
        return [corpus.data[start:stop].tobytes()]
    begins = (start, start + (stop - start) // 8 * 4, start + (stop - start - size) // 4 * 4)
    return [corpus.data[begin : begin + size].tobytes() for begin in begins]
