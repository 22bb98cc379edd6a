"""The laws of samplers."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from seqzoo.plugin.build import build_installed
from seqzoo.plugin.contexts import SamplerContext
from seqzoo.plugin.contracts import Sampler
from seqzoo.plugin.specs import SamplerSpec
from seqzoo.testing.given import Given
from seqzoo.testing.law import Law, law, require
from seqzoo.testing.materials import ByteIds
from seqzoo.testing.watching import changes, printed

__all__ = ["GIVEN", "LAWS"]

_SIZES = [(1, 1), (1, 7), (3, 40), (4, 256)]
_FORMS = ("usual", "ties", "excluded", "huge", "flat")
_NO_PROMPT = torch.zeros(0, dtype=torch.int64)
_CASES: list[dict[str, Any]] = [
    {"rows": rows, "vocab": vocab, "logits": form, "seed": seed}
    for seed, (rows, vocab) in enumerate(_SIZES)
    for form in _FORMS
]
_MORE = [{**case, "seed": case["seed"] + more} for case in _CASES for more in range(10, 60, 10)]


class GIVEN(Given[SamplerSpec]):
    """A sampler with one choice of options."""

    def build(self, vocab_size: int = 256) -> Sampler:
        """A new object."""
        context = SamplerContext(
            vocab_size=vocab_size, tokenizer=ByteIds(vocab_size), builder=build_installed
        )
        return self.spec.build(self.options, context)

    def begun(self, vocab_size: int, rows: int) -> Sampler:
        """A new object at the beginning of a text without a prompt."""
        sampler = self.build(vocab_size)
        sampler.begin(_NO_PROMPT, rows)
        return sampler


def _logits(rows: int, vocab: int, logits: str, seed: int, dtype: Any = torch.float32) -> Tensor:
    """(B, V) with at least one finite entry in every row."""
    generator = torch.Generator().manual_seed(seed)
    made = torch.randn(rows, vocab, generator=generator, dtype=dtype)
    if logits == "ties":
        return made.round()
    if logits == "huge":
        return 1e4 * made
    if logits == "flat":
        return 0 * made
    if logits == "excluded":
        without = torch.rand(rows, vocab, generator=generator) < 0.7
        without.scatter_(1, torch.randint(vocab, (rows, 1), generator=generator), False)
        return made.masked_fill(without, -torch.inf)
    return 3 * made


def _history(sampler: Sampler, rows: int, vocab: int, seed: int, length: int = 20) -> Tensor:
    """(B, N) of the last tokens, as many as the sampler asks for."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(vocab, (rows, min(sampler.history_length, length)), generator=generator)


@law(
    "sampler.calls",
    says="it can be built and called, and returns logits of the same shape and type",
    cause="an argument that is missing, a reduced dimension, or a conversion to another type",
    cases=_CASES,
    thorough_cases=[{"rows": 40, "vocab": 2000, "logits": "usual", "seed": 0}],
    every_option=True,
    is_gate=True,
)
def _calls(given: GIVEN, rows: int, vocab: int, logits: str, seed: int) -> None:
    for dtype in (torch.float32, torch.float64):
        sampler: Any = given.build(vocab)
        require(isinstance(sampler, Sampler), f"`build` returned a {type(sampler).__name__}")
        sampler.begin(_NO_PROMPT, rows)
        asked = sampler.history_length
        require(type(asked) is int and asked >= 0, f"`history_length` is {asked!r}")
        before = _logits(rows, vocab, logits, seed, dtype)
        after = sampler(before.clone(), _history(sampler, rows, vocab, seed))
        _require_form(after, before)


@law(
    "sampler.many_calls",
    says="every call returns logits of the same shape with a finite entry in each row, also the "
    "hundredth",
    cause="a counter, or state that grows from call to call",
    cases=[{"rows": 2, "vocab": 20, "calls": 100}],
    every_option=True,
)
def _many_calls(given: GIVEN, rows: int, vocab: int, calls: int) -> None:
    sampler = given.begun(vocab, rows)
    text = torch.zeros(rows, 0, dtype=torch.int64)
    generator = torch.Generator().manual_seed(0)
    for number in range(1, calls + 1):
        before = _logits(rows, vocab, "usual", number)
        kept = max(0, text.shape[1] - sampler.history_length)
        after = sampler(before.clone(), text[:, kept:].clone())
        _require_form(after, before, f" at call {number}")
        _require_finite(after, before, f" at call {number}")
        drawn = torch.multinomial(after.double().softmax(-1), 1, generator=generator)
        text = torch.cat([text, drawn], dim=1)
        sampler.drawn(drawn[:, 0])
        ended = sampler.done()
        require(
            ended is None or (ended.dtype == torch.bool and tuple(ended.shape) == (rows,)),
            f"`done` returned {ended!r:.60} at call {number}, expected ({rows},) bool or None",
        )


@law(
    "sampler.finite",
    says="each row keeps a finite entry; there is no nan and no +inf; what is excluded stays "
    "excluded",
    cause="a threshold that excludes everything, a division by zero, or an addition to -inf",
    cases=_CASES,
    thorough_cases=_MORE,
    every_option=True,
)
def _finite(given: GIVEN, rows: int, vocab: int, logits: str, seed: int) -> None:
    sampler = given.begun(vocab, rows)
    before = _logits(rows, vocab, logits, seed)
    after = sampler(before.clone(), _history(sampler, rows, vocab, seed))
    _require_finite(after, before)
    back = bool(after[before.isneginf()].isneginf().all())
    require(back, "a token that an earlier link excluded is possible again")


@law(
    "sampler.rows",
    says="a row does not depend on the other rows",
    cause="a sort, a sum or a threshold over the whole batch, or the wrong `dim`",
    cases=_CASES,
    thorough_cases=_MORE,
    every_option=True,
)
def _rows(given: GIVEN, rows: int, vocab: int, logits: str, seed: int) -> None:
    sampler = given.begun(vocab, rows)
    before = _logits(rows, vocab, logits, seed)
    history = _history(sampler, rows, vocab, seed)
    together = sampler(before.clone(), history.clone())
    for row in range(rows):
        one = slice(row, row + 1)
        alone = given.begun(vocab, 1)(before[one].clone(), history[one].clone())[0]
        # Sums over one row and over several can be vectorised differently.
        require(
            torch.allclose(alone, together[row], rtol=1e-5, atol=1e-5, equal_nan=True),
            f"row {row} of {rows} is different when it is alone",
        )


@law(
    "sampler.no_chance",
    says="it has no randomness: the core draws",
    cause="a draw, noise or dropout inside; a link that chooses leaves one finite entry",
    cases=[{"rows": 2, "vocab": 20, "calls": 12}],
    every_option=True,
)
def _no_chance(given: GIVEN, rows: int, vocab: int, calls: int) -> None:
    def outputs(seed: int) -> list[Tensor]:
        sampler = given.begun(vocab, rows)
        torch.manual_seed(seed)
        return [
            sampler(
                _logits(rows, vocab, "usual", number),
                _history(sampler, rows, vocab, number, length=number),
            )
            for number in range(calls)
        ]

    with changes() as changed:
        first = outputs(1)
    second = outputs(2)
    for number, (one, other) in enumerate(zip(first, second, strict=True), start=1):
        require(torch.equal(one, other), f"call {number} of the same inputs gives other logits")
    # `torch.manual_seed` above is what changes torch's.
    drew = [name for name in changed if "random" in name and not name.startswith("torch")]
    require(not drew, f"{', '.join(drew)} was used")
    sampler = given.begun(vocab, rows)
    before = torch.get_rng_state()
    sampler(_logits(rows, vocab, "usual", 0), _history(sampler, rows, vocab, 0))
    require(torch.equal(before, torch.get_rng_state()), "torch's random generator was used")


@law(
    "sampler.history_kept",
    says="it does not write into `history`, which is the core's own buffer",
    cause="a sort, a fill or an assignment in place",
    cases=[{"rows": 2, "vocab": 20, "length": 9}],
    every_option=True,
)
def _history_kept(given: GIVEN, rows: int, vocab: int, length: int) -> None:
    sampler = given.begun(vocab, rows)
    generator = torch.Generator().manual_seed(0)
    size = min(sampler.history_length, length)
    buffer = torch.randint(vocab, (rows, size), generator=generator)
    before = buffer.clone()
    sampler(_logits(rows, vocab, "usual", 0), buffer)
    require(torch.equal(buffer, before), "`history` was changed")


@law(
    "sampler.short_history",
    says="a history that is shorter than `history_length`, or empty, is enough",
    cause="an index from the end of `history` without a look at its length",
    cases=[{"length": length} for length in (1, 2, 5)],
    every_option=True,
)
def _short_history(given: GIVEN, length: int) -> None:
    for size in range(length + 1):
        sampler = given.begun(8, 2)
        history = torch.ones(2, min(size, sampler.history_length), dtype=torch.int64)
        before = torch.arange(8.0).repeat(2, 1)
        _require_finite(sampler(before.clone(), history), before, f" after {size} tokens")


@law(
    "sampler.fresh",
    says="a new object, and `begin` of a used one, start again: nothing is left of an earlier text",
    cause="state in the class or the module, or a `begin` that does not reset what is remembered",
    cases=[{"rows": 2, "vocab": 20, "calls": 30}],
    every_option=True,
)
def _fresh(given: GIVEN, rows: int, vocab: int, calls: int) -> None:
    def outputs(sampler: Sampler, count: int) -> list[Tensor]:
        sampler.begin(_NO_PROMPT, rows)
        made = []
        for number in range(count):
            history = _history(sampler, rows, vocab, number, length=number)
            made.append(sampler(_logits(rows, vocab, "usual", number), history).clone())
            sampler.drawn(made[-1].argmax(dim=-1))
        return made

    expected = outputs(given.build(vocab), 4)
    used = given.build(vocab)
    outputs(used, calls)
    for what, sampler in (("a new object", given.build(vocab)), ("`begin`", used)):
        same = all(map(torch.equal, outputs(sampler, 4), expected))
        require(same, f"after another text of {calls} tokens, {what} does not start again")


@law(
    "sampler.nan_shown",
    says="a logit that is not a number is not hidden, so that the core can report it",
    cause="`nan_to_num`, or a comparison that is false for nan",
    cases=[{"vocab": 16}],
)
def _nan_shown(given: GIVEN, vocab: int) -> None:
    sampler = given.begun(vocab, 2)
    before = torch.arange(2.0 * vocab).reshape(2, vocab)
    before[1, vocab // 2] = torch.nan
    history = torch.zeros(2, min(1, sampler.history_length), dtype=torch.int64)
    after = sampler(before, history)
    require(not after[0].isnan().any(), "a row without nan has one afterwards")
    require(bool(after[1].isnan().any()), "a row with nan has none afterwards")


@law(
    "sampler.silent",
    says="it prints nothing and changes nothing that other plugins share",
    cause="a print for debugging that was left in, or a setting of torch",
    cases=[{"vocab": 20}],
)
def _silent(given: GIVEN, vocab: int) -> None:
    with changes() as changed, printed() as said:
        sampler = given.begun(vocab, 2)
        sampler(_logits(2, vocab, "usual", 0), _history(sampler, 2, vocab, 0))
    require(not said.getvalue(), f"it printed {said.getvalue()[:60]!r}")
    changed = [name for name in changed if "random" not in name]
    require(not changed, f"it changed {', '.join(changed)}")


def _require_form(after: Any, before: Tensor, when: str = "") -> None:
    require(isinstance(after, Tensor), f"it returned a {type(after).__name__}{when}")
    require(
        after.shape == before.shape and after.dtype == before.dtype,
        f"{before.dtype} of shape {tuple(before.shape)} became {after.dtype} of shape "
        f"{tuple(after.shape)}{when}",
    )


def _require_finite(after: Tensor, before: Tensor, when: str = "") -> None:
    require(not bool(after.isnan().any()), f"an entry is nan{when}")
    require(not bool(after.isposinf().any()), f"an entry is +inf{when}")
    empty = ~after.isfinite().any(dim=1)
    require(
        not bool(empty.any()), f"every token of row {int(empty.int().argmax())} is excluded{when}"
    )


LAWS: tuple[Law, ...] = (
    _calls,
    _many_calls,
    _finite,
    _no_chance,
    _rows,
    _history_kept,
    _short_history,
    _fresh,
    _nan_shown,
    _silent,
)
