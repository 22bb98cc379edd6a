"""A model as the checks see it: tokens and a state in, logits and a state out."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqzoo.doctor.evidence.answers import likely_places
from seqzoo.doctor.evidence.calling import (
    Forward,
    adapter_of_parts,
    call_in_words,
    call_plainly,
    layout_advice,
    reading_in_words,
)
from seqzoo.doctor.evidence.missing import Missing
from seqzoo.doctor.evidence.one_size import OfOneSize
from seqzoo.model import state as states
from seqzoo.model.runtime import in_inference_mode
from seqzoo.plugin.contracts import State

__all__ = ["Forward", "Loss", "Network", "call_plainly", "mean_nats", "runs_hooks", "tensors_in"]

Loss: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""(logits (B, T, V), targets (B, T)) -> a scalar."""


_PASS = 64


def runs_hooks(module: nn.Module) -> bool:
    """Whether forward hooks can be set on a module; on one of torch.jit they cannot."""
    return not isinstance(module, torch.jit.ScriptModule)


def mean_nats(logits: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy in nats, the mean over (B, T) targets: what training minimises.

    Negative targets are padding and do not count.
    """
    counted = targets.masked_fill(targets < 0, -100)
    return F.cross_entropy(logits.float().flatten(0, 1), counted.flatten())


@dataclass(frozen=True)
class Network:
    """A module, how to call it, and how to make another of its kind.

    build: returns a newly initialised module; the caller sets the seed before.
    longest: how many tokens it can read at once, None for any number.
    builds_new: whether `build` initialises every parameter. In a copy of a user's module only
    layers with `reset_parameters` are, and the others may be trained.
    computed_types: by the types of the weights the types of what layers return, shared by copies:
    it takes a pass to know them.
    """

    module: nn.Module
    build: Callable[[], nn.Module]
    forward: Forward = call_plainly
    loss: Loss = mean_nats
    builds_new: bool = True
    longest: int | None = None
    computed_types: dict[frozenset[torch.dtype], set[torch.dtype]] = field(
        default_factory=dict, compare=False, repr=False
    )

    def __call__(self, tokens: Tensor, state: State = None) -> tuple[Tensor, State]:
        """Logits (B, T, V) and the next state. Raises TypeError for any other answer."""
        # Contiguous, as batches are: a model may use view.
        logits, state = self.forward(self.module, tokens.to(self.device).contiguous(), state)
        if not isinstance(logits, Tensor):
            raise TypeError(
                f"the model gave {_kind(logits)}; expected logits, or logits and the next state: "
                f"{adapter_of_parts(call := call_in_words(self.module), _places(logits, call))}"
            )
        if logits.ndim != 3 or logits.shape[:2] != tokens.shape:
            raise TypeError(
                f"the model gave an output of shape {tuple(logits.shape)} for tokens of shape "
                f"{tuple(tokens.shape)}; expected logits (batch, time, vocabulary)"
                + layout_advice(
                    self.module, tuple(logits.shape), *tokens.shape, has_state=state is not None
                )
            )
        if not logits.is_floating_point():
            raise TypeError(f"the model gave {logits.dtype}; expected logits, floating numbers")
        return logits, state

    def reading_in_words(self, tokens: Tensor) -> str:
        """How the model is called and its answer read, where that is not the usual way; or ""."""
        if self.forward is call_plainly:
            return reading_in_words(self.module, tokens)
        said, call = [], self.forward
        if isinstance(call, OfOneSize):
            said.append(f"it reads {call.in_words}")
            call = call.call
        said.append(getattr(call, "in_words", ""))
        return "; ".join(each for each in said if each)

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        first = next(self.module.parameters(), None)
        return torch.device("cpu") if first is None else first.device

    @property
    def only_length(self) -> int | None:
        """How many tokens a row must have, None for any number."""
        return self.forward.length if isinstance(self.forward, OfOneSize) else None

    @cached_property
    def readable(self) -> int:
        """Tokens that one pass of a check reads: 64, or what the model can read at once.

        If that is not known it is tried, down to 8: learnt positions have an end.
        """
        if self.only_length is not None:
            return self.only_length
        if self.longest is not None:
            return min(self.longest, _PASS)
        lengths = [_PASS, _PASS // 2, _PASS // 4, _PASS // 8]
        return next((length for length in lengths if self._reads(length)), _PASS)

    def _reads(self, length: int) -> bool:
        try:
            with torch.random.fork_rng(devices=[]), torch.no_grad():
                self.copied()(torch.zeros(2, length, dtype=torch.int64))
        except KeyboardInterrupt:
            raise
        except BaseException:  # model.contract reports why
            return False
        return True

    def fresh(self, seed: int) -> Network:
        """A new network of the same kind, initialised from `seed`, same device, training mode."""
        torch.manual_seed(seed)
        return replace(self, module=self.build().to(self.device).train())

    def select_rows(self, state: State, rows: Tensor) -> State:
        """The state of some rows of the batch (repeats allowed).

        Our states are batch-first; torch's own layers put the batch second. States of two and of
        three rows show which dimension it is.
        """
        if isinstance(self.forward, OfOneSize) and self.forward.rows is not None:
            raise Missing(f"the model reads {self.forward.in_words}, so rows cannot be chosen")
        dimensions = iter(self._batch_dimensions)

        def chosen(leaf: Tensor) -> Tensor:
            dimension = next(dimensions)
            return leaf if dimension is None else leaf.index_select(dimension, rows)

        return states.map_tensors(chosen, state)

    @cached_property
    def _batch_dimensions(self) -> list[int | None]:
        """For each leaf of the state, in order; None for a leaf that all rows share."""
        network = self.copied()
        with in_inference_mode(network.module):
            shapes = [
                [leaf.shape for leaf in states.flatten(state).values()]
                for state in (
                    network(torch.zeros(rows, 2, dtype=torch.int64))[1] for rows in (2, 3)
                )
            ]
        return [
            next((d for d, (a, b) in enumerate(zip(two, three, strict=True)) if a != b), None)
            for two, three in zip(*shapes, strict=True)
        ]

    def copied(self) -> Network:
        """An independent copy with the same weights; tensors that it keeps are detached."""
        # torch cannot copy a tensor that was computed with a graph, such as a state kept inside.
        kept = {
            id(leaf): leaf.detach().clone()
            for module in self.module.modules()
            for leaf in tensors_in(vars(module))
            if leaf.grad_fn is not None
        }
        try:
            if all(map(runs_hooks, self.module.modules())):
                return replace(self, module=copy.deepcopy(self.module, dict[int, Any](kept)))
            with torch.no_grad():  # torch.jit copies weights as an operation with a graph
                module = copy.deepcopy(self.module, dict[int, Any](kept))
            for own, given in zip(module.parameters(), self.module.parameters(), strict=True):
                own.requires_grad_(given.requires_grad)
            return replace(self, module=module)
        except Exception as error:
            raise TypeError(f"the model cannot be copied (copy.deepcopy): {error}") from error


def _kind(answer: Any) -> str:
    if isinstance(answer, Mapping) and answer:
        return f"a {type(answer).__name__} of {', '.join(map(repr, list(answer)[:6]))}"
    if isinstance(answer, (tuple, list)):
        parts = ", ".join(type(part).__name__ for part in answer)
        return f"a {type(answer).__name__} of {len(answer)} ({parts})"
    return f"{type(answer).__name__}, which is not a tensor"


def _places(answer: Any, call: str) -> list[int | str]:
    return likely_places(answer, has_state="state" in call)


def tensors_in(tree: Any) -> Iterator[Tensor]:
    """All tensors of a nest of mappings, tuples and lists."""
    if isinstance(tree, Tensor):
        yield tree
    elif isinstance(tree, (Mapping, tuple, list)):
        for value in tree.values() if isinstance(tree, Mapping) else tree:
            yield from tensors_in(value)
