"""How fast an architecture trains beside torch's LSTM: for the author to know, and no law."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seqzoo.bench.plain_lstm import lstm_of_size, number_of_parameters
from seqzoo.plugin.build import build_installed
from seqzoo.plugin.contexts import ArchitectureContext
from seqzoo.testing.architectures.given import Architecture

__all__ = ["speed_beside_lstm"]

_VOCAB_SIZE, _ROWS, _LENGTH = 256, 8, 64
_ROUNDS, _LONGEST_S = 5, 3.0
_MOST_PARAMETERS = 5_000_000


def speed_beside_lstm(given: Architecture) -> str:
    """Updates in a second as a ratio to torch's LSTM with about as many parameters, in words.

    The options are used as they are, with a vocabulary of bytes; alternating rounds, the fastest of
    each counts. "" where the model is too large for this.
    """
    model = given.spec.build(
        given.options, ArchitectureContext(vocab_size=_VOCAB_SIZE, builder=build_installed)
    )
    count = number_of_parameters(model)
    if count > _MOST_PARAMETERS:
        return ""
    generator = torch.Generator().manual_seed(0)
    text = torch.randint(_VOCAB_SIZE, (_ROWS, _LENGTH + 1), generator=generator)
    model.before_training(text[0].numpy().astype("uint8"))
    ours, theirs = _update(model, text), _update(lstm_of_size(count, vocab_size=_VOCAB_SIZE), text)
    for update in (ours, theirs):  # the first call prepares kernels and memory
        update()
    ends = time.monotonic() + _LONGEST_S
    fastest = [float("inf"), float("inf")]
    for number in range(_ROUNDS):
        if number and time.monotonic() > ends:
            break
        for place, update in enumerate((ours, theirs)):
            began = time.perf_counter()
            update()
            fastest[place] = min(fastest[place], time.perf_counter() - began)
    ratio = fastest[1] / fastest[0]
    return (
        f"{ratio:.2g} updates for each of torch's LSTM with as many parameters ({count:,}), "
        f"B{_ROWS} T{_LENGTH}"
    )


def _update(model: nn.Module, text: Tensor) -> Callable[[], None]:
    def update() -> None:
        logits, _ = model(text[:, :-1])
        F.cross_entropy(logits.flatten(0, 1), text[:, 1:].flatten()).backward()
        model.zero_grad()

    return update
