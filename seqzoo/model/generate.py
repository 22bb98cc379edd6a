"""Generates bytes with a model: it reads the prompt, then draws token by token.

`generate_batch` is the whole procedure. The two decoders return only whole symbols and whole
characters.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from seqzoo.errors import DivergedError
from seqzoo.model import state as states
from seqzoo.model.captured import single_token_step
from seqzoo.model.chain import Chain
from seqzoo.plugin.contracts import Sampler, SequenceModel, State, Tokenizer

__all__ = [
    "ByteStream",
    "Utf8Stream",
    "as_text",
    "generate",
    "generate_batch",
    "prompt_tokens",
    "read_in_chunks",
]

_PROMPT_CHUNK = 1024
"""Tokens of the prompt per forward pass, so that a long prompt costs no more memory."""

_DRAWS_AHEAD = 256
"""Uniform numbers made at a time; a generator call for each token would take as long as a draw."""


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
    """The bytes that a model writes after a prompt, token by token.

    Yields once for each of num_tokens tokens: its bytes, or b"" while a symbol of several tokens is
    not complete. A sampler of the chain can end the text earlier. This is row 0 of
    `generate_batch`, which describes the rest.
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
    """Several continuations of one prompt, generated in parallel.

    The model starts from its empty state and reads the prompt once; an empty prompt is replaced
    by a newline, which is context like any prompt and not part of the output. The model is in
    eval mode until the iterator is exhausted or closed.

    seed: row r uses the same random numbers as `generate` with seed + r, so it writes the same
    bytes, provided that the model's logits do not depend on the batch size in their last bits.
    A shorter text is the beginning of a longer one. A row whose text has ended gives b"" from
    then on, and generation stops when all have. Torch's global generators are not used.
    device: of the model; by default that of its parameters.
    Raises DivergedError if a logit is not a number or the chain excludes every token.
    """
    device = device or _device_of(model)
    inference = torch.inference_mode()
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with inference:
            context = torch.from_numpy(prompt_tokens(tokenizer, prompt))
            logits, state = _read(model, context, count=count, device=device)
            links = Chain(chain, context, count=count, num_tokens=num_tokens)
        decoded: dict[int, bytes] = {}
        streams = [ByteStream(tokenizer, decoded) for _ in range(count)]
        tokens = None
        step = single_token_step(model, device)
        writing = [True] * count
        for uniforms in islice(_uniforms(seed, count), num_tokens):
            with inference:  # left before each yield, or it would apply to the caller too
                if tokens is not None:
                    logits, state = step(tokens.to(device), state)
                # Chain and draw run on the CPU: the few numbers of a token do not justify a kernel
                # launch for each operation, the token is needed on the CPU anyway, and all
                # devices then draw the same tokens.
                drawn = _draw(links(logits.select(1, -1).cpu()), uniforms)
                tokens = torch.from_numpy(drawn)
                ended = links.append(tokens)
                tokens = tokens.unsqueeze(1)
            yield [
                stream.feed(token) if wanted else b""
                for stream, token, wanted in zip(streams, drawn.tolist(), writing, strict=True)
            ]
            if ended is not None:
                writing = [w and not end for w, end in zip(writing, ended.tolist(), strict=True)]
                if not any(writing):
                    return
    finally:
        # Module by module: `model.train()` would also switch parts that the author keeps in eval
        # mode.
        for module, training in modes:
            module.training = training


def as_text(pieces: Iterable[bytes]) -> Iterator[str]:
    """Bytes as text, no character broken; bytes that are not UTF-8 become U+FFFD."""
    text = Utf8Stream()
    for piece in pieces:
        if characters := text.feed(piece):
            yield characters
    if rest := text.flush():
        yield rest


class ByteStream:
    """Decodes the tokens of one row; a symbol of several tokens is returned when it is complete.

    decoded: a cache of the bytes of single tokens; rows of one tokenizer may share it.
    """

    def __init__(self, tokenizer: Tokenizer, decoded: dict[int, bytes] | None = None) -> None:
        self._tokenizer = tokenizer
        self._decoded = {} if decoded is None else decoded
        self._pending: list[int] = []

    def feed(self, token: int) -> bytes:
        """The bytes that this token completes."""
        if not self._pending and (known := self._decoded.get(token)):
            return known
        piece = self._tokenizer.decode(np.array([*self._pending, token]))
        if not self._pending:
            self._decoded[token] = piece
        if piece:
            self._pending.clear()
        else:
            self._pending.append(token)
        return piece


class Utf8Stream:
    """Decodes UTF-8 to whole characters; bytes that are not UTF-8 become U+FFFD."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def feed(self, data: bytes) -> str:
        """The characters that these bytes complete."""
        return self._decoder.decode(data)

    def flush(self) -> str:
        """The text of an incomplete character at the end; the stream is empty afterwards."""
        return self._decoder.decode(b"", final=True)


def prompt_tokens(tokenizer: Tokenizer, prompt: bytes) -> Int[np.ndarray, " N"]:
    """The tokens of a prompt; those of a newline for an empty one."""
    data = np.frombuffer(prompt or b"\n", dtype=np.uint8)
    return tokenizer.encode(data).astype(np.int64)


def _read(
    model: SequenceModel, context: Int[Tensor, " T"], *, count: int, device: torch.device
) -> tuple[Float[Tensor, "B 1 V"], State]:
    """Logits and state after the prompt, read once and then copied to every row."""
    logits, state = read_in_chunks(model, context.to(device).unsqueeze(0))
    rows = torch.zeros(count, dtype=torch.int64)
    return states.select_rows(logits[:, -1:], rows), states.select_rows(state, rows)


def read_in_chunks(
    model: SequenceModel, tokens: Int[Tensor, "B T"], state: State | None = None
) -> tuple[Float[Tensor, "B t V"], State]:
    """Logits of the last chunk and the state, so that a long text costs no more memory."""
    for chunk in tokens.split(_PROMPT_CHUNK, dim=1):
        logits, state = model(chunk, state)
    return logits, state


def _uniforms(seed: int, count: int) -> Iterator[Float[np.ndarray, "B 1"]]:
    """Numbers in [0, 1), one for each row and token; a row depends only on seed + row."""
    generators = [torch.Generator().manual_seed(seed + row) for row in range(count)]
    while True:
        drawn = [
            torch.rand(_DRAWS_AHEAD, dtype=torch.float64, generator=generator)
            for generator in generators
        ]
        # Rounding may let a cumulated sum end below 1; no number may be above its end.
        yield from torch.stack(drawn, dim=1).clamp_(max=1 - 2**-36).unsqueeze(-1).numpy()


# A logit that is not a number is detected below by its sum, so NumPy need not warn.
@np.errstate(all="ignore")
def _draw(
    scores: Float[Tensor, "B V"], uniforms: Float[np.ndarray, "B 1"]
) -> Int[np.ndarray, " B"]:
    """One token per row from softmax(scores), by inversion of its distribution function.

    Exact in float64. A token of probability 0 is never drawn: it adds nothing to the sum.
    In a loop of its own, torch does this in less time than NumPy. Between the steps of a model,
    when the code is not in the processor's caches, torch takes more time.
    """
    if scores.dtype not in (torch.float32, torch.float64):
        scores = scores.double()  # NumPy has no bfloat16
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
    drawn: Int[np.ndarray, " B"] = is_beyond.argmax(axis=1)
    return drawn


def _device_of(model: SequenceModel) -> torch.device:
    for tensors in (model.parameters(), model.buffers()):
        for tensor in tensors:
            return tensor.device
    return torch.device("cpu")
