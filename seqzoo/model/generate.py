"""Bytes from a model: the prompt in, then token by token through the sampling chain.

Read `generate_batch`: it is the whole procedure. Beside it stand the two decoders, which give out
only whole symbols and whole characters.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from seqzoo.errors import DivergedError
from seqzoo.model import state as states
from seqzoo.plugin.contracts import Sampler, SequenceModel, State, Tokenizer

__all__ = [
    "ByteStream",
    "Utf8Stream",
    "generate",
    "generate_batch",
]

_PROMPT_CHUNK = 1024
"""Tokens of the prompt per forward pass, so that a long prompt costs no more memory."""

_DRAWS_AHEAD = 256
"""Uniform numbers made at a time; one generator call per token would cost as much as the draw."""


def generate(
    model: SequenceModel,
    tokenizer: Tokenizer,
    *,
    chain: Sequence[Sampler],
    prompt: bytes,
    num_tokens: int,
    seed: int,
    device: torch.device | None = None,
) -> Iterator[bytes]:
    """The bytes that a model writes after a prompt, as they are made.

    Yields once for each of num_tokens tokens: its bytes, nothing while a symbol of several tokens
    is not whole. `generate_batch` says the rest; this is its row 0.
    """
    batch = generate_batch(
        model,
        tokenizer,
        chain=chain,
        prompt=prompt,
        num_tokens=num_tokens,
        seed=seed,
        count=1,
        device=device,
    )
    return (piece for (piece,) in batch)


def generate_batch(
    model: SequenceModel,
    tokenizer: Tokenizer,
    *,
    chain: Sequence[Sampler],
    prompt: bytes,
    num_tokens: int,
    seed: int,
    count: int,
    device: torch.device | None = None,
) -> Iterator[list[bytes]]:
    """Several continuations of one prompt side by side.

    The model starts from its empty state and reads the prompt once; an empty prompt is replaced
    by a newline, which is context like any prompt and not part of the output. The model is in
    eval mode until the iterator is exhausted or closed.

    seed: row r draws with the numbers that `generate` with seed + r draws with, so it writes the
    same bytes, as far as the model's logits do not depend on the batch size in their last bits.
    Fewer tokens are a prefix of more. Torch's global generators are not used.
    device: where the model is; by default that of its parameters.
    Raises DivergedError where the logits are not numbers, or nothing is left to choose from.
    """
    device = device or _device_of(model)
    inference = torch.inference_mode()
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with inference:
            context = torch.from_numpy(_prompt_tokens(tokenizer, prompt))
            logits, state = _read(model, context, count=count, device=device)
            history = _History(context, chain, count=count, num_tokens=num_tokens)
        alone: dict[int, bytes] = {}
        streams = [ByteStream(tokenizer, alone) for _ in range(count)]
        tokens = None
        for uniforms in islice(_uniforms(seed, count), num_tokens):
            with inference:  # left before each yield, or it would leak into the caller
                if tokens is not None:
                    logits, state = model(tokens.to(device), state)
                # Chain and draw run on the CPU: a token's few numbers are not worth a kernel
                # launch each, the token has to come to the CPU anyway, and no device draws
                # differently.
                scores = logits.select(1, -1).cpu()
                if chain:
                    scores = _copied(scores)
                    for link in chain:
                        scores = link(scores, history.latest(link.history_length))
                drawn = _draw(scores, uniforms)
                tokens = torch.from_numpy(drawn).unsqueeze(1)
                history.append(tokens)
            yield [
                stream.feed(token) for stream, token in zip(streams, drawn.tolist(), strict=True)
            ]
    finally:
        # Module by module: `model.train()` would thaw a part that its author keeps in eval mode.
        for module, training in modes:
            module.training = training


class ByteStream:
    """Token ids of one row in, bytes out, none before its symbol is whole.

    alone: what single tokens decode to, filled here; rows of one tokenizer may share it.
    """

    def __init__(self, tokenizer: Tokenizer, alone: dict[int, bytes] | None = None) -> None:
        self._tokenizer = tokenizer
        self._alone = {} if alone is None else alone
        self._pending: list[int] = []

    def feed(self, token: int) -> bytes:
        """The bytes that this token completes."""
        if not self._pending and (known := self._alone.get(token)):
            return known
        piece = self._tokenizer.decode(np.array([*self._pending, token]))
        if not self._pending:
            self._alone[token] = piece
        if piece:
            self._pending.clear()
        else:
            self._pending.append(token)
        return piece


class Utf8Stream:
    """Bytes in, text out, no character broken; bytes that are not UTF-8 become U+FFFD."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def feed(self, data: bytes) -> str:
        """The characters that these bytes complete."""
        return self._decoder.decode(data)

    def flush(self) -> str:
        """What an unfinished character at the end is shown as; the stream is empty afterwards."""
        return self._decoder.decode(b"", final=True)


class _History:
    """The latest tokens of every row, as many as the most demanding link wants.

    Twice the room is taken, so that old tokens are dropped once in a while and not every time.
    """

    def __init__(
        self, context: Tensor, chain: Sequence[Sampler], *, count: int, num_tokens: int
    ) -> None:
        longest = max((link.history_length for link in chain), default=0)
        self._kept = min(longest, len(context) + num_tokens)
        self._tokens = torch.empty(count, 2 * self._kept, dtype=torch.int64)
        self._end = min(self._kept, len(context))
        self._tokens[:, : self._end] = context[len(context) - self._end :]
        self._nothing = self._tokens[:, :0]

    def append(self, tokens: Int[Tensor, "B 1"]) -> None:
        if not self._kept:
            return
        if self._end == 2 * self._kept:
            self._tokens[:, : self._kept] = self._tokens[:, self._kept :]
            self._end = self._kept
        self._tokens[:, self._end : self._end + 1] = tokens
        self._end += 1

    def latest(self, length: int) -> Int[Tensor, "B N"]:
        if not length:
            return self._nothing
        return self._tokens[:, max(0, self._end - length) : self._end]


def _prompt_tokens(tokenizer: Tokenizer, prompt: bytes) -> Any:
    data = np.frombuffer(prompt or b"\n", dtype=np.uint8)
    return tokenizer.encode(data).astype(np.int64)


def _read(
    model: SequenceModel, context: Int[Tensor, " T"], *, count: int, device: torch.device
) -> tuple[Float[Tensor, "B 1 V"], State]:
    """Logits and state after the prompt, read once and then copied to every row."""
    state: State = None
    for chunk in context.to(device).unsqueeze(0).split(_PROMPT_CHUNK, dim=1):
        logits, state = model(chunk, state)
    rows = torch.zeros(count, dtype=torch.int64)
    return states.select_rows(logits[:, -1:], rows), states.select_rows(state, rows)


def _uniforms(seed: int, count: int) -> Iterator[Float[np.ndarray, "B 1"]]:
    """Numbers in [0, 1), one for each row and token; a row's depend on seed + row alone."""
    generators = [torch.Generator().manual_seed(seed + row) for row in range(count)]
    while True:
        drawn = [
            torch.rand(_DRAWS_AHEAD, dtype=torch.float64, generator=generator)
            for generator in generators
        ]
        # A cumulated sum may end below 1 by its rounding; no number may lie beyond its end.
        yield from torch.stack(drawn, dim=1).clamp_(max=1 - 2**-36).unsqueeze(-1).numpy()


def _copied(logits: Float[Tensor, "B V"]) -> Float[Tensor, "B V"]:
    """In float32 or float64, and the links' own: they may write into it."""
    dtype = torch.float64 if logits.dtype == torch.float64 else torch.float32
    return logits.to(dtype, copy=True)


# What is not a number is found by its sum; torch does not warn of it either.
@np.errstate(all="ignore")
def _draw(
    scores: Float[Tensor, "B V"], uniforms: Float[np.ndarray, "B 1"]
) -> Int[np.ndarray, " B"]:
    """One token per row from softmax(scores), by inversion of its distribution function.

    Exact in float64. A token of probability 0 is never drawn: its step of the sum has no width.
    Repeated by themselves, three operations of torch take less time than these of NumPy; between
    the steps of a model, where neither is in the processor's caches, they take more.
    """
    if scores.dtype not in (torch.float32, torch.float64):
        scores = scores.double()  # half precision has no equal in NumPy
    weights = scores.numpy().astype(np.float64)
    weights -= np.maximum.reduce(weights, axis=1, keepdims=True)
    cumulated = np.add.accumulate(np.exp(weights, out=weights), axis=1)
    is_beyond = cumulated > uniforms * cumulated[:, -1:]
    if not is_beyond[:, -1].all():
        raise DivergedError(
            "no token can be drawn, because the model gave a logit that is not a finite number "
            "or the chain excluded every token; its training has probably diverged, so take an "
            "earlier checkpoint."
        )
    return is_beyond.argmax(axis=1)


def _device_of(model: SequenceModel) -> torch.device:
    for tensors in (model.parameters(), model.buffers()):
        for tensor in tensors:
            return tensor.device
    return torch.device("cpu")
