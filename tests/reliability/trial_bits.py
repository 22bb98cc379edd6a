"""Bits per byte are what a file needs: 8 for a uniform model, and the size of a real coded file.

The text is random bytes, invalid UTF-8 or words; every tokenizer is used. The bytes of the tokens
are counted one by one, and the coded file is decoded again.
"""

from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import torch
from arithmetic_coder import decode, encode
from installed_architectures import SMALL, options_of
from installed_tokenizers import tokenizers_in
from outcome import Outcome
from tiny import RUNTIME
from tiny_runs import architectures, installed, text_of
from torch import Tensor

from seqzoo.plugin.build import build_installed
from seqzoo.plugin.contexts import ArchitectureContext, TokenizerContext
from seqzoo.plugin.contracts import SequenceModel, State, Tokenizer
from seqzoo.plugin.span import Span
from seqzoo.scoring.static import Protocol, score

__all__ = ["trial"]

CODED_BYTES = 3000
EVERY = 25
"""One case in so many makes a coded file."""


class _Uniform(SequenceModel):
    """Equal logits for every token."""

    def __init__(self, vocab_size: int) -> None:
        super().__init__()
        self.bias = torch.nn.Parameter(torch.zeros(vocab_size))

    def initial_state(self, batch_size: int) -> State:
        return torch.zeros(batch_size, 0)

    def forward(self, tokens: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        return self.bias.expand(*tokens.shape, -1), torch.zeros(len(tokens), 0)


def trial(count: int, seed: int, folder: Path) -> Outcome:
    """`count` texts with every tokenizer in turn; one in 25 is coded. folder: unused."""
    found, draw, worst = Outcome(), random.Random(seed), 0.0
    names = tokenizers_in(installed())
    for number in range(count):
        name, case_seed = names[number % len(names)], draw.randrange(2**32)
        if number % EVERY == EVERY - 1:
            model = architectures()[number // EVERY % len(architectures())]
            with found.case(f"{model} with {name}, coded, draw {case_seed}"):
                worst = max(worst, _code(found, model, _tokenizer(name), case_seed))
        else:
            with found.case(f"uniform with {name}, draw {case_seed}"):
                _score_uniform(found, _tokenizer(name), random.Random(case_seed))
    found.notes.append(f"a coded file differs from its score by at most {worst:.4%}")
    return found


def _tokenizer(name: str) -> Tokenizer:
    spec = installed().get("tokenizer", name)
    tokenizer: Tokenizer = spec.build(spec.options(), TokenizerContext(base=Path()))
    return tokenizer


def _text(draw: random.Random, size: int) -> bytes:
    kind = draw.randrange(4)
    if kind == 0:
        return draw.randbytes(size)
    if kind == 1:  # invalid UTF-8: continuations and starts without each other
        return bytes(draw.choices([0x80, 0xBF, 0xC3, 0xE2, 0xF0, 0xFF, 0x41, 0x00], k=size))
    if kind == 2:
        return bytes([draw.randrange(256)]) * size
    return text_of(size, draw.randrange(2**16))


def _score_uniform(found: Outcome, tokenizer: Tokenizer, draw: random.Random) -> None:
    data = np.frombuffer(_text(draw, draw.randint(1, 400)), dtype=np.uint8)
    learnt = np.frombuffer(_text(draw, draw.randint(1, 400)), dtype=np.uint8)
    tokenizer.learn(learnt)
    start = draw.randrange(len(data))
    span = Span(data, start, len(data))
    protocol = Protocol(
        lanes=draw.randint(1, min(4, len(span))),
        warmup_tokens=draw.choice([0, 3, 50]),
        chunk_length=draw.choice([1, 7, 64, 1000]),
    )
    with torch.no_grad():
        model = _Uniform(tokenizer.vocab_size)
        tally = score(model, tokenizer, span, runtime=RUNTIME, protocol=protocol)
    tokens = tokenizer.encode(span.bytes)
    lengths = sum(int(length) for length in tokenizer.byte_lengths(tokens))
    found.require(lengths == len(span), f"the tokens have {lengths} bytes of {len(span)}")
    back = tokenizer.decode(tokens)
    found.require(back == span.bytes.tobytes(), "the tokens decode to another text")
    if tokenizer.vocab_size == 256 and len(tokens) == len(span):
        expected = 8.0
        found.require(tally.bits_per_byte == 8.0, f"{tally.bits_per_byte!r}, not exactly 8")
    else:
        expected = len(tokens) * math.log2(tokenizer.vocab_size) / len(span)
    difference = abs(tally.bits_per_byte - expected)
    found.require(difference < 1e-9, f"{tally.bits_per_byte!r} instead of {expected!r}")


def _code(found: Outcome, architecture: str, tokenizer: Tokenizer, seed: int) -> float:
    """The relative difference of a coded file and the score."""
    # Of a text of few bits, the last whole byte of the file would be more than 0.1 %.
    draw = np.random.default_rng(seed)
    data = draw.integers(32, 127, 2 * CODED_BYTES, dtype=np.uint8)
    tokenizer.learn(data[:CODED_BYTES])
    spec = installed().get("architecture", architecture)
    torch.manual_seed(seed)
    options = options_of(spec, **{**SMALL, "num_layers": 1})
    context = ArchitectureContext(vocab_size=tokenizer.vocab_size, builder=build_installed)
    model = spec.build(options, context).eval()
    model.before_training(tokenizer.encode(data[:CODED_BYTES]))
    span = Span(data, CODED_BYTES, 2 * CODED_BYTES)
    with torch.no_grad():
        tally = score(model, tokenizer, span, runtime=RUNTIME, protocol=Protocol())
        tokens = np.asarray(tokenizer.encode(data[CODED_BYTES:]), dtype=np.int64)
        first = tokenizer.encode(data[CODED_BYTES - 64 : CODED_BYTES])[-1]
        # A model's own loop over tokens, not the one that scores.
        probabilities, state = [], model.initial_state(1)
        for token in (first, *tokens[:-1]):
            logits, state = model(torch.tensor([[int(token)]]), state)
            probabilities.append(torch.softmax(logits[0, 0].double(), -1).numpy())
    table: Any = np.stack(probabilities)
    content = encode(tokens.tolist(), table)
    back = decode(content, len(tokens), lambda so_far: table[len(so_far)])
    found.require(back == tokens.tolist(), "the coded file decodes to another text")
    bits = tally.bits_per_byte * len(span)
    difference = abs(8 * len(content) - bits) / bits
    found.require(difference < 1e-3, f"the coded file differs from the score by {difference:.3%}")
    return difference
