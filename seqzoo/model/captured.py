"""A model's single-token step as a CUDA graph: one launch in place of one for each operation.

On a GPU a step of one token takes less time than Python needs to start its operations. A graph
repeats what the first call did, with the same memory, so its input, state and logits have fixed
places.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

import torch
from torch import Tensor

from seqzoo.model import state as states
from seqzoo.plugin.contracts import SequenceModel, State

__all__ = ["Step", "single_token_step"]

Step: TypeAlias = Callable[[Tensor, State], tuple[Tensor, State]]
"""(tokens (B, 1), state) -> logits (B, 1, V), state; both may be overwritten by the next call."""

_PLAIN_CALLS = 16
"""A shorter text ends before the recording has paid for itself."""

_COMPARED_CALLS = 3
"""The recording may have kept what changes from call to call, which the second call shows."""


def single_token_step(model: SequenceModel, device: torch.device) -> Step:
    """The model's step from one token to the next, for B rows; in eval and inference mode.

    On CUDA a graph replaces the model's calls where it gives the same bits. Where the model reads
    numbers back to the CPU, or its state changes its shape, every call is the model's own.
    """
    return _CapturedStep(model) if device.type == "cuda" else model


class _CapturedStep:
    def __init__(self, model: SequenceModel) -> None:
        self._model = model
        self._calls = 0
        self._recorded: _Recording | None = None

    def __call__(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        self._calls += 1
        if self._calls == _PLAIN_CALLS:
            self._recorded = _record(self._model, tokens, state)
        if self._recorded is None:
            return self._plain(tokens, state)
        is_compared = self._calls < _PLAIN_CALLS + _COMPARED_CALLS
        # Compared as it will be used: from the second call on with the state that it left itself.
        own = self._recorded.state if is_compared and self._calls > _PLAIN_CALLS else state
        found = self._recorded.replay(tokens, own)
        if is_compared:
            expected = self._plain(tokens, state)
            if not _are_equal(found, expected):
                self._recorded = None
            return expected
        return found

    def _plain(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        answer: tuple[Tensor, State] = self._model(tokens, state)
        return answer


class _Recording:
    """A graph with the places of its input, its state and its logits."""

    def __init__(self, model: SequenceModel, tokens: Tensor, state: State) -> None:
        self._tokens = tokens.clone()
        self.state = states.map_tensors(Tensor.clone, state)
        self._graph = torch.cuda.CUDAGraph()
        places = [leaf for _, leaf in states.leaves(self.state)]
        memory = {place.untyped_storage().data_ptr() for place in places}
        with torch.cuda.graph(self._graph, capture_error_mode="thread_local"):
            self._logits, after = model(self._tokens, self.state)
            leaves = [leaf for _, leaf in states.leaves(after)]
            # A leaf may be a view of the state, and must be read before that is overwritten.
            leaves = [
                leaf.clone() if leaf.untyped_storage().data_ptr() in memory else leaf
                for leaf in leaves
            ]
            for place, leaf in zip(places, leaves, strict=True):
                place.copy_(leaf)

    def replay(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        self._tokens.copy_(tokens)
        if state is not self.state:
            for place, leaf in zip(self._leaves(self.state), self._leaves(state), strict=True):
                place.copy_(leaf)
        self._graph.replay()
        return self._logits, self.state

    @staticmethod
    def _leaves(state: State) -> Iterator[Tensor]:
        return (leaf for _, leaf in states.leaves(state))


def _record(model: SequenceModel, tokens: Tensor, state: State) -> _Recording | None:
    """None where the step cannot be repeated without Python."""
    stream = torch.cuda.Stream(tokens.device)
    stream.wait_stream(torch.cuda.current_stream(tokens.device))
    try:
        # Libraries allocate at their first call in a stream, which is not possible in a recording.
        with torch.cuda.stream(stream), _waiting_is_an_error():
            for _ in range(2):
                after = model(tokens, state)[1]
        if _forms(after) != _forms(state):
            return None
        return _Recording(model, tokens, state)
    except RuntimeError:
        return None
    finally:
        torch.cuda.current_stream(tokens.device).wait_stream(stream)


@contextmanager
def _waiting_is_an_error() -> Iterator[None]:
    """Inside, what reads a number back to the CPU raises RuntimeError.

    It would end a recording as well, but torch's random generator does not recover from that.
    """
    before = torch.cuda.get_sync_debug_mode()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch calls this mode a prototype
        torch.cuda.set_sync_debug_mode("error")
        try:
            yield
        finally:
            torch.cuda.set_sync_debug_mode(before)


def _forms(state: State) -> list[tuple[str, torch.Size, torch.dtype]]:
    return [(path, leaf.shape, leaf.dtype) for path, leaf in states.leaves(state)]


def _are_equal(found: tuple[Tensor, State], expected: tuple[Tensor, State]) -> bool:
    pairs = zip(states.leaves(found), states.leaves(expected), strict=True)
    return all(torch.equal(ours, theirs) for (_, ours), (_, theirs) in pairs)
