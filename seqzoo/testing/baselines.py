"""The laws of baselines. A score is a code length, which cannot beat chance."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from seqzoo.plugin.contexts import BaselineContext
from seqzoo.plugin.span import Span
from seqzoo.plugin.specs import BaselineScore, BaselineSpec
from seqzoo.testing.given import Given, NotHere
from seqzoo.testing.law import Law, law, require
from seqzoo.testing.materials import as_array, noise, words

__all__ = ["GIVEN", "LAWS"]

Data = npt.NDArray[np.uint8]

_CUT, _MIDDLE, _SIZE = 3000, 3300, 4000

_LUCK_BITS = 20
"""A code saves k bits on one random text in 2**k at most; more than this is not luck."""


class GIVEN(Given[BaselineSpec]):
    """A baseline with one choice of options."""

    def build(self) -> None:
        """Nothing is built: a baseline is a function."""

    def scores(
        self, data: Data, splits: Mapping[str, Span], cut: int = _CUT
    ) -> list[BaselineScore]:
        """What it yields of scores; the training part is the first `cut` bytes."""
        context = BaselineContext(training=data[:cut], splits=splits)
        try:
            found = list(self.spec.score(self.options, context))
        except ImportError as error:
            raise NotHere(f"not available here: {error}") from error
        return [each for each in found if isinstance(each, BaselineScore)]


def _text(seed: int = 0) -> Data:
    """(4000,) words, some of them new after the training part."""
    return as_array(words(_SIZE - 500, seed) + words(500, seed + 1))


def _splits(data: Data) -> dict[str, Span]:
    return {
        "validation": Span(data, _CUT, _MIDDLE),
        "test": Span(data, _MIDDLE, len(data)),
        "held_out": Span(data, _CUT, len(data)),
    }


@law(
    "baseline.complete",
    says="every split has a finite number of bits that is not negative; names are distinct, shares "
    "are between 0 and 1",
    cause="a split that is left out, a logarithm of zero, or an accuracy in percent",
    is_gate=True,
)
def _complete(given: GIVEN) -> None:
    data = _text()
    splits = _splits(data)
    context = BaselineContext(training=data[:_CUT], splits=splits)
    try:
        yielded = list(given.spec.score(given.options, context))
    except ImportError as error:
        raise NotHere(f"not available here: {error}") from error
    rungs = [each for each in yielded if isinstance(each, BaselineScore)]
    shares = [each for each in yielded if not isinstance(each, BaselineScore)]
    require(all(0 <= each <= 1 for each in shares), f"a share of progress is {shares[:3]}")
    require(bool(rungs), "it yields no score")
    names = [(each.name, each.adaptive) for each in rungs]
    require(len(set(names)) == len(names), f"two scores have one name: {sorted(names)[:4]}")
    for rung in rungs:
        missing = sorted(set(splits) - set(rung.bits))
        require(not missing, f"'{rung.name}' has no bits for {', '.join(missing)}")
        for split, bits in rung.bits.items():
            usable = np.isfinite(bits) and bits >= 0
            require(bool(usable), f"'{rung.name}' has {bits} bits for {split}")
        wrong = [share for share in rung.accuracy.values() if not 0 <= share <= 1]
        require(not wrong, f"an accuracy of '{rung.name}' is {wrong[:1]}")


@law(
    "baseline.no_free_bits",
    says="random bytes cost 8 bits each: no code can save more than luck allows",
    cause="counts of the split itself, which are not known before it is read",
    cases=[{"count": count, "seed": seed} for count, seed in [(1500, 5), (1500, 6)]],
    thorough_cases=[{"count": 3000, "seed": seed} for seed in range(10, 14)],
    every_option=True,
)
def _no_free_bits(given: GIVEN, count: int, seed: int) -> None:
    data = as_array(noise(_CUT + count, seed))
    for rung in given.scores(data, {"test": Span(data, _CUT, len(data))}):
        saved = 8 * count - rung.bits["test"]
        require(
            saved <= _LUCK_BITS,
            f"'{rung.name}' needs {rung.bits['test']:.1f} bits for {count} random bytes, "
            f"{saved:.1f} less than {8 * count}",
        )


@law(
    "baseline.one_byte",
    says="for the possible next bytes, 2**-bits add up to at most 1, as for any code",
    cause="probabilities that are not normalised, or the byte itself among the counts",
    cases=[{"context": 400, "values": 24}],
    thorough_cases=[{"context": 400, "values": 256}, {"context": 1, "values": 256}],
)
def _one_byte(given: GIVEN, context: int, values: int) -> None:
    before = words(context, 3)
    splits = {}
    # The most frequent bytes first: with them a sum that is too large is seen soonest.
    for value in sorted(range(256), key=before.count, reverse=True)[:values]:
        data = as_array(before + bytes([value]))
        splits[f"byte_{value}"] = Span(data, context, context + 1)
    rungs = given.scores(as_array(before), splits, cut=context)
    # The size of a file is in whole bytes, and a difference of two sizes is no code by itself.
    exact = [each for each in rungs if any(bits % 8 for bits in each.bits.values())]
    if not exact:
        raise NotHere("its code lengths are sizes of files in whole bytes")
    for rung in exact:
        total = float(sum(2.0 ** -rung.bits[name] for name in splits))
        require(
            total <= 1 + 1e-6,
            f"after {context} bytes, the probabilities of '{rung.name}' for {values} possible next "
            f"bytes add up to {total:.4g}",
        )


@law(
    "baseline.only_earlier_bytes",
    says="a byte does not change what was scored before it",
    cause="counts or a vocabulary of the whole split",
    cases=[{"count": 200}, {"count": 40}],
)
def _only_earlier_bytes(given: GIVEN, count: int) -> None:
    data = _text()
    whole = Span(data, _CUT, _CUT + 2 * count)
    other = np.array(data)
    other[_CUT + count :] = 255 - other[_CUT + count :]
    first = whole.first(count)
    changed = Span(other, _CUT, _CUT + 2 * count).first(count)
    for one, two in zip(
        given.scores(data, {"test": first}), given.scores(other, {"test": changed}), strict=True
    ):
        same = abs(one.bits["test"] - two.bits["test"]) <= 1e-9 * abs(one.bits["test"])
        require(same, f"'{one.name}' needs {one.bits['test']} or {two.bits['test']} bits")


@law(
    "baseline.repeatable",
    says="the same bytes have the same score, in a memory-mapped file as in an array",
    cause="a random number, the clock, an order of a set, or counts that are kept between calls",
    every_option=True,
)
def _repeatable(given: GIVEN) -> None:
    data = _text()
    first = given.scores(data, _splits(data))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "corpus")
        file.write_bytes(data.tobytes())
        mapped = np.memmap(file, dtype=np.uint8, mode="r")
        again = given.scores(mapped, _splits(mapped))
        del mapped
    for one, other in zip(first, again, strict=True):
        require(one == other, f"'{one.name}' has {dict(one.bits)} and then {dict(other.bits)}")


@law(
    "baseline.splits_apart",
    says="the score of a split does not depend on which other splits are scored",
    cause="counts of one split that are kept for the next",
)
def _splits_apart(given: GIVEN) -> None:
    data = _text()
    splits = _splits(data)
    together = given.scores(data, splits)
    for split, span in splits.items():
        for one, other in zip(given.scores(data, {split: span}), together, strict=True):
            off = abs(one.bits[split] - other.bits[split])
            require(
                off <= 1e-9 * max(1.0, abs(other.bits[split])),
                f"'{one.name}' needs {one.bits[split]} bits for {split} alone, "
                f"{other.bits[split]} with the others",
            )


@law(
    "baseline.few_symbols",
    says="texts of one or two symbols have a score of at most 8 bits a byte",
    cause="a division by zero, or a logarithm of a count that is zero",
    cases=[{"symbols": 1}, {"symbols": 2}],
)
def _few_symbols(given: GIVEN, symbols: int) -> None:
    data = (np.arange(_CUT + 500) % symbols).astype(np.uint8)
    for rung in given.scores(data, {"test": Span(data, _CUT, len(data))}):
        bits = rung.bits["test"]
        require(0 <= bits <= 8 * 500, f"'{rung.name}' needs {bits} bits for 500 bytes")


@law(
    "baseline.new_bytes",
    says="bytes that the training part does not have cost a finite number of bits",
    cause="a probability of zero for what was never seen",
)
def _new_bytes(given: GIVEN) -> None:
    data = as_array(bytes(_CUT) + noise(300))
    for rung in given.scores(data, {"test": Span(data, _CUT, len(data))}):
        bits = rung.bits["test"]
        require(bool(np.isfinite(bits)), f"'{rung.name}' needs {bits} bits")


LAWS: tuple[Law, ...] = (
    _complete,
    _no_free_bits,
    _one_byte,
    _only_earlier_bytes,
    _repeatable,
    _splits_apart,
    _few_symbols,
    _new_bytes,
)
