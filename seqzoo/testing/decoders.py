"""The laws of decoders, tried with a small model that knows which token follows which."""

from __future__ import annotations

from itertools import islice
from typing import Any

import torch
from torch import Tensor

from seqzoo.plugin.build import build_installed
from seqzoo.plugin.contexts import DecoderContext
from seqzoo.plugin.contracts import State
from seqzoo.plugin.decoding import Decoder, DecodingTask
from seqzoo.plugin.specs import DecoderSpec
from seqzoo.testing.given import Given
from seqzoo.testing.law import Law, law, require
from seqzoo.testing.materials import ByteIds
from seqzoo.testing.watching import changes, printed

__all__ = ["GIVEN", "LAWS"]

_SIZES = [
    {"prompt": prompt, "num_tokens": num_tokens, "vocab": vocab, "seed": 1}
    for prompt, num_tokens, vocab in [(1, 1, 3), (5, 12, 40), (2, 30, 256)]
]


class GIVEN(Given[DecoderSpec]):
    """A decoder with one choice of options."""

    def build(self, vocab: int = 256) -> Decoder:
        """A new decoder."""
        context = DecoderContext(
            vocab_size=vocab, tokenizer=ByteIds(vocab), builder=build_installed
        )
        return self.spec.build(self.options, context)

    def text(self, *, prompt: int, num_tokens: int, vocab: int, seed: int) -> list[Any]:
        """What a new decoder writes; one token more than it may, so that too many are seen."""
        generator = torch.Generator().manual_seed(0)
        task = DecodingTask(
            prompt=torch.randint(vocab, (prompt,), generator=generator),
            num_tokens=num_tokens,
            seed=seed,
        )
        written = self.build(vocab).decode(_Pairs(vocab), task)
        return list(islice(written, num_tokens + 1))


class _Pairs:
    """A stepper: the next token depends on the last one and on how many were read."""

    def __init__(self, vocab: int) -> None:
        generator = torch.Generator().manual_seed(1)
        self._logits = 3 * torch.randn(vocab, vocab, generator=generator)

    def read(self, tokens: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        count = torch.zeros(len(tokens), dtype=torch.int64) if state is None else state["count"]
        count = count + tokens.shape[1]
        shifted = torch.stack(
            [
                self._logits[last].roll(int(shift))
                for last, shift in zip(tokens[:, -1], count, strict=True)
            ]
        )
        return shifted.log_softmax(-1), {"count": count}

    def rows(self, state: State, rows: Tensor) -> State:
        return {"count": state["count"][rows]}


@law(
    "decoder.calls",
    says="it writes tokens of the vocabulary, as whole numbers, at most as many as are asked for",
    cause="tensors in place of numbers, the prompt among the tokens, or one step too many",
    cases=_SIZES,
    every_option=True,
    is_gate=True,
)
def _calls(given: GIVEN, prompt: int, num_tokens: int, vocab: int, seed: int) -> None:
    decoder = given.build(vocab)
    require(isinstance(decoder, Decoder), f"`build` returned a {type(decoder).__name__}")
    text = given.text(prompt=prompt, num_tokens=num_tokens, vocab=vocab, seed=seed)
    require(len(text) <= num_tokens, f"it writes more than {num_tokens} tokens")
    wrong = [token for token in text if type(token) is not int]
    require(not wrong, f"a token is a {type(wrong[0]).__name__}" if wrong else "")
    outside = [token for token in text if not 0 <= token < vocab]
    require(not outside, f"token {outside[0] if outside else 0} is none of the {vocab}")


@law(
    "decoder.repeatable",
    says="the same task gives the same tokens, whatever random numbers others draw",
    cause="a global random generator; make one of your own from `task.seed`",
    cases=_SIZES,
    every_option=True,
)
def _repeatable(given: GIVEN, prompt: int, num_tokens: int, vocab: int, seed: int) -> None:
    texts = []
    for other in (1, 2):
        torch.manual_seed(other)
        before = torch.get_rng_state()
        texts.append(given.text(prompt=prompt, num_tokens=num_tokens, vocab=vocab, seed=seed))
        same = torch.equal(before, torch.get_rng_state())
        require(same, "torch's random generator was used")
    require(texts[0] == texts[1], f"it writes {texts[0][:9]} and then {texts[1][:9]}")


@law(
    "decoder.silent",
    says="it prints nothing and changes nothing that other plugins share",
    cause="a print for debugging that was left in, or a setting of torch",
    cases=_SIZES[:1],
)
def _silent(given: GIVEN, prompt: int, num_tokens: int, vocab: int, seed: int) -> None:
    with changes() as changed, printed() as said:
        given.text(prompt=prompt, num_tokens=num_tokens, vocab=vocab, seed=seed)
    require(not said.getvalue(), f"it printed {said.getvalue()[:60]!r}")
    changed = [name for name in changed if "random" not in name]
    require(not changed, f"it changed {', '.join(changed)}")


LAWS: tuple[Law, ...] = (_calls, _repeatable, _silent)
