"""Writes text with a decoder, which chooses a whole text and not only the next token."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seqzoo.errors import DivergedError
from seqzoo.model import state as states
from seqzoo.model.generate import ByteStream, prompt_tokens, read_in_chunks
from seqzoo.model.runtime import in_inference_mode
from seqzoo.plugin.contracts import SequenceModel, State, Tokenizer
from seqzoo.plugin.decoding import Decoder, DecodingTask

__all__ = ["decode"]


def decode(
    model: SequenceModel,
    tokenizer: Tokenizer,
    decoder: Decoder,
    *,
    prompt: bytes,
    num_tokens: int,
    seed: int,
    device: torch.device,
) -> Iterator[bytes]:
    """The bytes that a decoder writes after a prompt, token by token, as `generate` gives them.

    An empty prompt is replaced by a newline, which is not part of the output.
    Raises ValueError if the decoder gives too many tokens, or one that is out of range.
    """
    task = DecodingTask(
        prompt=torch.from_numpy(prompt_tokens(tokenizer, prompt)), num_tokens=num_tokens, seed=seed
    )
    stream = ByteStream(tokenizer)
    tokens = iter(decoder.decode(_Stepper(model, device), task))
    count = 0
    while (token := next(tokens, None)) is not None:
        count += 1
        if not 0 <= token < tokenizer.vocab_size or count > num_tokens:
            raise ValueError(
                f"the decoder gave token {token} as number {count}, expected at most {num_tokens} "
                f"tokens from 0 to {tokenizer.vocab_size - 1}"
            )
        yield stream.feed(token)


class _Stepper:
    def __init__(self, model: SequenceModel, device: torch.device) -> None:
        self._model = model
        self._device = device

    def read(
        self, tokens: Int[Tensor, "B T"], state: State | None = None
    ) -> tuple[Float[Tensor, "B V"], State]:
        if tokens.ndim != 2 or tokens.shape[1] == 0:
            raise ValueError(
                f"read takes tokens of shape (B, T), T of at least 1; found {tuple(tokens.shape)}"
            )
        with in_inference_mode(self._model):
            logits, state = read_in_chunks(self._model, tokens.to(self._device), state)
            found = logits[:, -1].double().log_softmax(-1).cpu()
        if not found.isfinite().any(-1).all():
            raise DivergedError(
                "the model gave a logit that is not a finite number; its training has probably "
                "diverged, so take an earlier checkpoint."
            )
        return found, state

    def rows(self, state: State, rows: Int[Tensor, " K"]) -> State:
        return states.select_rows(state, rows)
