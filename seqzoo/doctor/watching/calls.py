"""Calls a model in the way in which the watched loop called it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seqzoo.doctor.evidence.network import Forward, call_plainly
from seqzoo.doctor.watching.marks import tensors_of
from seqzoo.doctor.watching.visit import ForwardPass
from seqzoo.plugin.contracts import State

__all__ = ["call_as_seen"]


def call_as_seen(seen: ForwardPass, *, is_time_first: bool) -> Forward:
    """(module, tokens (B, T), state) -> (logits (B, T, V), state), for a call like `seen`."""
    is_flat = seen.ids is not None and seen.ids.ndim == 1
    is_of_rows = _has_one_answer(seen)

    def given(tokens: Tensor) -> Tensor:
        tokens = tokens.T if is_time_first else tokens
        if not seen.is_one_hot or seen.original is None:
            return tokens
        return F.one_hot(tokens, seen.original.shape[-1]).to(seen.original.dtype)

    def call(module: nn.Module, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        if is_flat and tokens.shape[1] > 1:
            logits: list[Tensor] = []
            for place in range(tokens.shape[1]):
                one, state = call(module, tokens[:, place : place + 1], state)
                logits.append(one)
            return torch.cat(logits, 1), state
        read = given(tokens[:, 0] if is_flat else tokens)
        if seen.keyword:
            answer = module(**{seen.keyword: read})
        elif seen.num_arguments == 1 and state is None:
            answer = module(read)
        else:
            answer = call_plainly(module, read, state)
            answer = answer if answer[1] is not None else answer[0]
        if is_of_rows:
            return _first_logits(answer), _state(answer)
        return _logits(answer, tokens, is_time_first), _state(answer)

    return call


def _has_one_answer(seen: ForwardPass) -> bool:
    """Whether it gave one answer for each row, (B, V) for (B, T)."""
    if seen.ids is None or seen.ids.ndim != 2 or len(seen.output_shape) != 2:
        return False
    return seen.output_shape[0] == len(seen.ids) < seen.ids.numel()


def _logits(answer: Any, tokens: Tensor, is_time_first: bool) -> Tensor:
    B, T = tokens.shape
    tensor = _first_logits(answer)
    if tensor.ndim == 2 and len(tensor) == B * T:
        tensor = tensor.reshape((T, B, -1) if is_time_first else (B, T, -1))
    return tensor.transpose(0, 1) if is_time_first and tensor.ndim == 3 else tensor


def _first_logits(answer: Any) -> Tensor:
    for tensor in tensors_of(answer):
        if tensor.is_floating_point() and tensor.ndim >= 2:
            return tensor
    raise TypeError(f"the model gave {type(answer).__name__} without logits")


def _state(answer: Any) -> State:
    return answer[1] if type(answer) is tuple and len(answer) == 2 else None
