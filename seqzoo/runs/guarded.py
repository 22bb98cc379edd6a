"""Plugin objects of a run, checked at every call: a fault is reported with the plugin's name."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor

from seqzoo.plugin.build import as_plugin_error, require
from seqzoo.plugin.contracts import Batch, Sampler, Stream
from seqzoo.plugin.registry import Registry

__all__ = ["GuardedSampler", "GuardedStream"]


class GuardedStream(Stream):
    """A stream of a plugin, whose batches are checked."""

    def __init__(self, stream: Stream, registry: Registry, name: str) -> None:
        self._stream = stream
        self._registry = registry
        self._name = name
        self.batch_size = stream.batch_size

    @property
    def epoch(self) -> int:  # type: ignore[override]
        return self._stream.epoch

    def next(self, length: int) -> Batch:
        with as_plugin_error(self._registry, "stream", self._name):
            batch = self._stream.next(length)
            require(isinstance(batch, Batch), found=batch, expected="a Batch from next")
            _require_batch(batch)
        return batch

    def state(self) -> Mapping[str, Any]:
        with as_plugin_error(self._registry, "stream", self._name):
            return self._stream.state()

    def restore(self, state: Mapping[str, Any]) -> None:
        self._stream.restore(state)


def _require_batch(batch: Batch) -> None:
    B, T = batch.inputs.shape if batch.inputs.ndim == 2 else (-1, -1)
    require(
        B > 0 and T > 0, found=tuple(batch.inputs.shape), expected="inputs of shape (batch, time)"
    )
    for name, shape, dtype in (
        ("inputs", (B, T), torch.int64),
        ("targets", (B, T), torch.int64),
        ("restarts", (B,), torch.bool),
        ("mask", (B, T), torch.bool),
        ("positions", (B,), torch.int64),
    ):
        tensor: Tensor | None = getattr(batch, name)
        if tensor is not None:
            require(
                tensor.shape == shape and tensor.dtype == dtype,
                found=f"{_dtype(tensor.dtype)} of shape {tuple(tensor.shape)}",
                expected=f"{name} of a batch to be {_dtype(dtype)} of shape {shape}",
            )


def _dtype(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


class GuardedSampler(Sampler):
    """A sampler of a plugin, whose logits are checked.

    It is called for every token, so the context that names the plugin is entered only for a fault.
    """

    def __init__(self, sampler: Sampler, registry: Registry, name: str) -> None:
        self._sampler = sampler
        self._registry = registry
        self._name = name
        self.history_length = sampler.history_length
        self._has_drawn = type(sampler).drawn is not Sampler.drawn
        self._has_done = type(sampler).done is not Sampler.done

    def begin(self, prompt: Tensor, count: int) -> None:
        with self._reported():
            self._sampler.begin(prompt, count)

    def __call__(self, logits: Tensor, history: Tensor) -> Tensor:
        expected = logits.shape
        try:
            found = self._sampler(logits, history)
            if isinstance(found, Tensor) and found.shape == expected:
                return found
        except Exception:
            with self._reported():
                raise
        with self._reported():
            shape = tuple(getattr(found, "shape", ()))
            require(False, found=shape, expected=f"logits of shape {tuple(expected)}")
        return found

    def try_once(self, vocab_size: int) -> None:
        """Pass equal logits through it, as two rows of a text."""
        tokens = torch.zeros(2, dtype=torch.int64)
        self.begin(tokens, 2)
        history = tokens.repeat(2, 1)[:, : self.history_length]
        logits = self(torch.zeros(2, vocab_size), history)
        with self._reported():
            is_possible = bool(logits.isfinite().any(-1).all())
            require(is_possible, found="none", expected="a finite logit in every row")
        self.drawn(tokens)
        self.done()

    def drawn(self, tokens: Tensor) -> None:
        if self._has_drawn:
            with self._reported():
                self._sampler.drawn(tokens)

    def done(self) -> Tensor | None:
        if not self._has_done:
            return None
        with self._reported():
            ended = self._sampler.done()
            is_rows = ended is None or (ended.dtype == torch.bool and ended.ndim == 1)
            require(is_rows, found=ended, expected="a (B,) bool tensor or None from done")
        return ended

    def _reported(self) -> AbstractContextManager[None]:
        return as_plugin_error(self._registry, "sampler", self._name)
