"""Opens a corpus or its fallback, hashes it, and splits it into training, validation and test."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from seqzoo.cache import sha256_of, tidy_cache
from seqzoo.data.mapped import MappedFile, mapped_file
from seqzoo.errors import CorpusUnavailable, UsageError
from seqzoo.plugin.build import build
from seqzoo.plugin.contexts import CorpusContext
from seqzoo.plugin.corpus import Corpus
from seqzoo.plugin.registry import Registry
from seqzoo.plugin.span import Span
from seqzoo.recipes.load import Recipe
from seqzoo.recipes.sections import CorpusSection, SplitSection

__all__ = ["Data", "Splits", "divide", "open_corpus", "open_data", "sha256_of", "split"]


@dataclass(frozen=True)
class Splits:
    """Contiguous parts of a corpus in file order; together they are the whole corpus."""

    training: Span
    validation: Span
    test: Span
    identity: str
    """The shares, e.g. "0.9/0.05/0.05": results are compared only if it is equal."""

    @property
    def held_out(self) -> Span:
        """Validation and test together: everything after the training part."""
        return Span(self.test.data, self.validation.start, self.test.stop)


@dataclass(frozen=True)
class Data:
    """An opened corpus, its hash and its splits.

    fell_back: whether it is the recipe's fallback, because the corpus itself is not available.
    mapped: the file that the bytes are mapped from; None for bytes in memory, which stay the same.
    """

    corpus: Corpus
    sha256: str
    splits: Splits
    fell_back: bool = False
    mapped: MappedFile | None = None

    def require_whole(self, *, again: str) -> None:
        """See `MappedFile.require_whole`; called often."""
        if self.mapped is not None:
            self.mapped.require_whole(again=again)

    def require_unchanged(self, *, again: str = "") -> None:
        """See `MappedFile.require_unchanged`; called before anything of the bytes is kept."""
        if self.mapped is not None:
            self.mapped.require_unchanged(again=again)


def open_data(recipe: Recipe, *, announce: Callable[[str], None]) -> Data:
    """Open and split the recipe's corpus; `announce` gets a sentence if the fallback is used.

    What killed processes left in the cache is removed first: it may have filled the disk.
    """
    tidy_cache()
    sentences: list[str] = []
    corpus = open_corpus(recipe.corpus, recipe.registry, recipe.base, announce=sentences.append)
    for sentence in sentences:
        announce(sentence)
    splits = divide(corpus, recipe.corpus.split)
    mapped = mapped_file(corpus.data)
    sha256 = sha256_of(corpus.data) if mapped is None else mapped.sha256()
    return Data(corpus, sha256, splits, fell_back=bool(sentences), mapped=mapped)


def open_corpus(
    section: CorpusSection,
    registry: Registry,
    base: Path,
    *,
    announce: Callable[[str], None],
) -> Corpus:
    """The corpus that a recipe names; its fallback if that corpus is not available.

    base: the folder that relative paths start from. announce: called with one sentence if the
    fallback is used. Raises UsageError for a wrong name or option, CorpusUnavailable if the corpus
    is missing and the recipe names no fallback.
    """
    context = CorpusContext(base=base)
    try:
        return build(registry, "corpus", section, context)
    except CorpusUnavailable as error:
        fallback = section.fallback
        if fallback is None:
            raise
        corpus = build(registry, "corpus", fallback, context)
        reason = str(error).rstrip(".")
        announce(
            f"Corpus '{section.name}' is not available: {reason}. The fallback '{corpus.name}' is "
            f"used instead. To use '{section.name}', set SEQZOO_DATA to the folder that holds it, "
            f"or run this on a machine with a network: seqzoo fetch {section.name}"
        )
        return corpus


def divide(corpus: Corpus, section: SplitSection | None) -> Splits:
    """The parts of a corpus by the shares of a recipe; None: by the corpus's own division."""
    if section is None and corpus.division is not None:
        parts = _parts(corpus, *corpus.division)
        sizes = "/".join(str(len(span)) for span in parts.values())
        return Splits(**parts, identity=f"its own, {sizes} bytes")
    shares = section or SplitSection()
    return split(corpus, train=shares.train, validation=shares.validation, test=shares.test)


def split(corpus: Corpus, *, train: float, validation: float, test: float) -> Splits:
    """Split a corpus at int(train n) and int((train + validation) n).

    The shares are exact decimals, as they are written: in floats, (0.9 + 0.05) * 20 is slightly
    less than 19, and int() would move a byte to another part. Raises UsageError if the shares do
    not add up to 1 or a part would be empty.
    """
    shares = [Fraction(repr(float(share))) for share in (train, validation, test)]
    identity = "/".join(f"{share:g}" for share in (train, validation, test))
    if sum(shares) != 1:
        raise UsageError(
            f"the split {identity} adds up to {float(sum(shares)):g}, expected 1; write three "
            f"shares such as 0.9, 0.05 and 0.05."
        )
    size = len(corpus.data)
    # int() of a fraction is exact; the test part gets the bytes that rounding leaves over.
    first, second = int(shares[0] * size), int((shares[0] + shares[1]) * size)
    parts = _parts(corpus, first, second)
    smallest = min(shares)
    enough = f" of at least {math.ceil(1 / smallest)} bytes" if smallest > 0 else ""
    for name, span in parts.items():
        if not len(span):
            raise UsageError(
                f"corpus '{corpus.name}' has {size} byte{'' if size == 1 else 's'}, so with the "
                f"split {identity} its {name} part would be empty; use a larger corpus{enough}, "
                f"or another split."
            )
    return Splits(**parts, identity=identity)


def _parts(corpus: Corpus, validation: int, test: int) -> dict[str, Span]:
    """The three parts, by the first bytes of the second and the third."""
    bounds = {
        "training": (0, validation),
        "validation": (validation, test),
        "test": (test, len(corpus.data)),
    }
    return {name: Span(corpus.data, *bound) for name, bound in bounds.items()}
