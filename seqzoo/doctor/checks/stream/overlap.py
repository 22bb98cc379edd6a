"""How much of the held-out text is also in the training part.

Method: windows of 64 bytes, evenly spaced over validation and test, are looked up in the training
part by rolling hashes, block by block. Cost: 0.1 s for 1 MB of corpus, 1.3 s for 100 MB. Pass rule:
at most one window in a hundred occurs there. Natural text is far below (tinyshakespeare 0, pastiche
of 20 kB to 20 MB at most 0.05 %), and a model that knows these windows by heart gains at most their
share of the bits, which is less than the difference between seeds. Above a tenth the scores measure
nothing. Short windows that were drawn from one text and then divided share less than 64 bytes at
once: windows of 32 and 16 bytes are looked up too, and it is a finding if a tenth of those of 32
occur in the training part, or of those of 16 a tenth and three times as many as of its own last
tenth in the rest. Windows that also occur when the words of the training part stand in a random
order are no copy: a text of few words has many. Their share is taken off, of windows of 64 and of
32, and what is left must be half of it too. Source: Lee et al. 2022, "Deduplicating Training Data
Makes Language Models Better", arXiv:2107.06499.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from seqzoo.doctor.checks.stream._hashes import found_in, hashes_of_rows
from seqzoo.doctor.subject import Subject
from seqzoo.plugin.check import Outcome
from seqzoo.plugin.span import Span

__all__ = ["examine"]

_WIDTH = 64
_MOST_WINDOWS = 20_000
_WARN, _FAIL = 0.01, 0.1
_SHORT_WIDTHS = (32, 16)
_TIMES_USUAL = 3.0
_OF_CHANCE = 0.5
_MOST_BYTES = 1 << 24
_WORDS = re.compile(rb"\S{1,23}\s?|\s")
"""Words with the space after them; shorter than a window, also where a text has no spaces."""
_WHY = (
    "Text that was learnt by heart scores as if the model could predict it: the figures "
    "on held-out text are better than on any new text, and a larger model looks better than "
    "it is."
)


def examine(subject: Subject) -> Outcome:
    splits = subject.data.splits
    parts = {"validation": splits.validation, "test": splits.test}
    sought = {name: _sample(span.bytes, _WIDTH) for name, span in parts.items()}
    if not all(len(part) for part in sought.values()):
        return Outcome.skipped(f"a held-out split has fewer than {_WIDTH} bytes")
    found = found_in(np.concatenate(list(sought.values())), splits.training.bytes, _WIDTH)
    first = len(sought["validation"])
    shares = {"validation": float(found[:first].mean()), "test": float(found[first:].mean())}
    seen = " and ".join(f"{share:.1%} of {name}" for name, share in shares.items())
    copied = max(shares.values())
    shuffled = functools.cache(lambda: _words_in_random_order(splits.training))
    if copied > _WARN:
        copied = _beyond_chance(copied, splits.held_out, shuffled(), _WIDTH)
    if copied <= _WARN:
        if outcome := _short(splits.held_out, splits.training, shuffled):
            return outcome
        return Outcome.passed(
            f"{seen} ({_WIDTH}-byte windows) occur in the training part", **shares
        )
    finding = Outcome.failed if copied > _FAIL else Outcome.warned
    return finding(
        f"{seen} ({_WIDTH}-byte windows) occur verbatim in the training part",
        why=_WHY,
        remedy="Remove duplicates from the corpus before it is cut (equal documents, repeated "
        "headers), or cut it where the sources change; corpus.split sets the shares.",
        numbers=shares,
        read_more="https://arxiv.org/abs/2107.06499",
    )


def _short(
    held_out: Span, training: Span, shuffled: Callable[[], npt.NDArray[Any]]
) -> Outcome | None:
    """A finding if more windows of 32 are shared than in any text that shares none of 64, or far
    more of 16 than the text has in common with itself; or None.
    """
    cut = len(training) * 9 // 10
    for width in _SHORT_WIDTHS:
        shared = _share(held_out.bytes, training.bytes, width)
        if shared <= _FAIL:
            continue
        if width < 32:
            usual = _share(training.bytes[cut:], training.bytes[:cut], width)
            is_copied = shared > _TIMES_USUAL * usual
        else:
            is_copied = _beyond_chance(shared, held_out, shuffled(), width) > _FAIL
        if is_copied:
            return _shared(shared, width)
    return None


def _words_in_random_order(text: Span) -> npt.NDArray[Any]:
    words = _WORDS.findall(text.bytes[:_MOST_BYTES].tobytes())
    order = np.random.default_rng(0).permutation(len(words))
    return np.frombuffer(b"".join([words[place] for place in order]), np.uint8)


def _beyond_chance(shared: float, held_out: Span, shuffled: npt.NDArray[Any], width: int) -> float:
    """The share that is left without what words in a random order have in common; 0 if that is
    most of it.
    """
    usual = _share(held_out.bytes, shuffled, width)
    left = (shared - usual) / max(1 - usual, 1e-9)
    return left if left > _OF_CHANCE * usual else 0.0


def _share(sought: npt.NDArray[Any], text: npt.NDArray[Any], width: int) -> float:
    """The share of the windows of one text that occur in another."""
    windows = _sample(sought, width)
    return float(found_in(windows, text, width).mean()) if len(windows) else 0.0


def _shared(shared: float, width: int) -> Outcome:
    return Outcome.failed(
        f"{shared:.0%} of the held-out text's {width}-byte windows occur in the training part, "
        f"and almost none of {_WIDTH}: both have pieces of one text",
        why=_WHY,
        remedy="Cut the text once, at one place, before any window is drawn; windows that are "
        "drawn first and divided later overlap each other.",
        numbers={"shared": shared, "width": float(width)},
    )


def _sample(text: npt.NDArray[Any], width: int) -> npt.NDArray[Any]:
    """Hashes of all its windows, or of evenly spaced ones if there are very many."""
    count = len(text) - width + 1
    if count < 1:
        return np.empty(0, dtype=np.uint64)
    starts = np.linspace(0, count - 1, min(count, _MOST_WINDOWS)).astype(np.int64)
    return hashes_of_rows(text[starts[:, None] + np.arange(width)])
