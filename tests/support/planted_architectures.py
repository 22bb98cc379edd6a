"""Architectures with one fault each, and the law that each breaks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from seqzoo import ArchitectureSpec, Options, ParameterRole, SequenceModel

__all__ = ["ARCHITECTURES", "HEALTHY", "Cell", "CellOptions", "architecture"]


class CellOptions(Options):
    hidden_size: int = Field(default=64, ge=2, le=256, description="units")


class Cell(SequenceModel):
    """A GRU of torch, with places where a fault can be planted."""

    def __init__(self, options: CellOptions, vocab_size: int) -> None:
        super().__init__()
        self.size, self.vocab_size = options.hidden_size, vocab_size
        self.embed = nn.Embedding(vocab_size, self.size)
        self.cell = nn.GRU(self.size, self.size, batch_first=True)
        self.head = nn.Linear(self.size, vocab_size)
        self.extra()

    def extra(self) -> None:
        """Further parts."""

    def initial_state(self, batch_size: int) -> Any:
        return self.head.weight.new_zeros(batch_size, self.size)

    def forward(self, tokens: Tensor, state: Any = None) -> Any:
        state = self.initial_state(len(tokens)) if state is None else self.received(state)
        out, last = self.cell(self.before(self.embed(tokens)), state[None].contiguous())
        return self.logits(self.head(self.after(out))), self.returned(last[0])

    def received(self, state: Any) -> Any:
        return state

    def returned(self, state: Tensor) -> Any:
        return state

    def before(self, x: Tensor) -> Tensor:
        return x

    def after(self, out: Tensor) -> Tensor:
        return out

    def logits(self, logits: Tensor) -> Any:
        return logits


def architecture(model: type[Cell], **further: Any) -> ArchitectureSpec:
    return ArchitectureSpec(
        name="mine",
        summary="with a fault",
        options=CellOptions,
        build=lambda options, context: model(options, context.vocab_size),
        **further,
    )


class LeakingRow(Cell):
    def after(self, out: Tensor) -> Tensor:
        return out + 0.1 * out.mean(0, keepdim=True)


class BatchNormed(Cell):
    def extra(self) -> None:
        self.norm = nn.BatchNorm1d(self.size)

    def after(self, out: Tensor) -> Tensor:
        normed: Tensor = self.norm(out.transpose(1, 2))
        return normed.transpose(1, 2)


class Peek(Cell):
    def before(self, x: Tensor) -> Tensor:
        return x + x.roll(-1, 1)


class PeekWhenLong(Cell):
    def before(self, x: Tensor) -> Tensor:
        return x + x.roll(-1, 1) if x.shape[1] > 100 else x


class PeekInTraining(Cell):
    def before(self, x: Tensor) -> Tensor:
        return x + x.roll(-1, 1) if self.training else x


class MeanOverTime(Cell):
    def after(self, out: Tensor) -> Tensor:
        return out - out.mean(1, keepdim=True)


class IgnoresTokens(Cell):
    def before(self, x: Tensor) -> Tensor:
        return 0 * x


class IgnoresState(Cell):
    def received(self, state: Any) -> Any:
        return torch.zeros_like(state)


class NoMemory(Cell):
    """Sees the last token only; its state is carried and never used."""

    def forward(self, tokens: Tensor, state: Any = None) -> Any:
        state = self.initial_state(len(tokens)) if state is None else state
        return self.head(self.embed(tokens)), state


class ForgottenDetach(Cell):
    """Keeps its own state, with its graph, in place of the given one."""

    kept: Any = None

    def received(self, state: Any) -> Any:
        kept = self.kept
        return state if kept is None or kept.shape != state.shape else kept

    def returned(self, state: Tensor) -> Any:
        self.kept = state
        return state


class CounterInState(Cell):
    def initial_state(self, batch_size: int) -> Any:
        return (super().initial_state(batch_size), 0)

    def forward(self, tokens: Tensor, state: Any = None) -> Any:
        memory, count = state or self.initial_state(len(tokens))
        logits, memory = super().forward(tokens, memory)
        return logits, (memory, count + tokens.shape[1])


class ArrayInState(Cell):
    def received(self, state: Any) -> Any:
        return torch.as_tensor(state)

    def returned(self, state: Tensor) -> Any:
        return state.detach().numpy()


class DataclassInState(Cell):
    @dataclass
    class Memory:
        hidden: Tensor

    def received(self, state: Any) -> Any:
        return state.hidden if isinstance(state, self.Memory) else state

    def returned(self, state: Tensor) -> Any:
        return self.Memory(state)


class LayersFirst(Cell):
    def initial_state(self, batch_size: int) -> Any:
        return self.head.weight.new_zeros(2, batch_size, self.size)

    def forward(self, tokens: Tensor, state: Any = None) -> Any:
        state = self.initial_state(len(tokens)) if state is None else state
        logits, last = super().forward(tokens, state[0])
        return logits, torch.stack([last, state[1]])


class RaisesAtTheThirteenthCall(Cell):
    calls = 0

    def before(self, x: Tensor) -> Tensor:
        self.calls += 1
        if self.calls > 12:
            raise IndexError("no such place")
        return x


class FixedBatch(Cell):
    def before(self, x: Tensor) -> Tensor:
        return x + x.new_zeros(3, 1, 1).expand(len(x), 1, self.size)


class Lazy(Cell):
    def extra(self) -> None:
        self.lazy = nn.LazyLinear(self.size)

    def after(self, out: Tensor) -> Tensor:
        lazy: Tensor = self.lazy(out)
        return lazy


class GrowingState(Cell):
    def initial_state(self, batch_size: int) -> Any:
        return {"hidden": super().initial_state(batch_size), "read": self.read(batch_size, 1)}

    def read(self, rows: int, count: int) -> Tensor:
        return self.head.weight.new_zeros(rows, count)

    def forward(self, tokens: Tensor, state: Any = None) -> Any:
        state = state or self.initial_state(len(tokens))
        logits, hidden = super().forward(tokens, state["hidden"])
        read = torch.cat([state["read"], self.read(*tokens.shape)], dim=1)
        return logits, {"hidden": hidden, "read": read}


class ChangesState(Cell):
    def received(self, state: Any) -> Any:
        return state.mul_(0.5)


class SharedCounter(Cell):
    """Positions that all rows share: those of the first."""

    def initial_state(self, batch_size: int) -> Any:
        return (super().initial_state(batch_size), self.head.weight.new_zeros(batch_size))

    def forward(self, tokens: Tensor, state: Any = None) -> Any:
        hidden, count = self.initial_state(len(tokens)) if state is None else state
        self.shift = torch.sin(count[0] + torch.arange(tokens.shape[1]).to(count))
        logits, hidden = super().forward(tokens, hidden)
        return logits, (hidden, count + tokens.shape[1])

    def before(self, x: Tensor) -> Tensor:
        return x + self.shift[None, :, None]


class PositionsBeginAgain(Cell):
    def before(self, x: Tensor) -> Tensor:
        return x + torch.arange(x.shape[1]).to(x)[None, :, None].sin()


class OtherFirstState(Cell):
    def forward(self, tokens: Tensor, state: Any = None) -> Any:
        ones = self.head.weight.new_ones(len(tokens), self.size)
        return super().forward(tokens, ones if state is None else state)


class NoGradientThroughState(Cell):
    def returned(self, state: Tensor) -> Any:
        return state.detach()


class Prints(Cell):
    def before(self, x: Tensor) -> Tensor:
        print("forward", x.shape)
        return x


class DefaultDtype(Cell):
    def extra(self) -> None:
        torch.set_default_dtype(torch.float64)


class DropoutLeftOn(Cell):
    def after(self, out: Tensor) -> Tensor:
        return F.dropout(out, 0.2)


class SwitchesMode(Cell):
    def after(self, out: Tensor) -> Tensor:
        self.cell.train()
        return out


class CountsInEval(Cell):
    seen: Tensor

    def extra(self) -> None:
        self.register_buffer("seen", torch.zeros(()))

    def after(self, out: Tensor) -> Tensor:
        self.seen += 1
        return out


class Explodes(Cell):
    def logits(self, logits: Tensor) -> Any:
        growth = torch.exp(torch.arange(logits.shape[1]).to(logits) * 0.4)
        return logits * growth[None, :, None]


class ChangesTokens(Cell):
    def forward(self, tokens: Tensor, state: Any = None) -> Any:
        tokens.clamp_(max=5)
        return super().forward(tokens, state)


class OneOutput(Cell):
    output: Any = None

    def logits(self, logits: Tensor) -> Any:
        if torch.is_grad_enabled():
            return logits
        if self.output is None or self.output.shape != logits.shape:
            self.output = logits
        self.output.copy_(logits)
        return self.output


class CountsTwice(Cell):
    counts: Tensor

    def extra(self) -> None:
        self.register_buffer("counts", torch.zeros(self.vocab_size))

    def before_training(self, tokens: np.ndarray) -> None:
        found = torch.from_numpy(np.bincount(tokens, minlength=self.vocab_size))
        self.counts += found.to(self.counts)

    def logits(self, logits: Tensor) -> Any:
        return logits + (1 + self.counts).log()


class RoleOfNothing(Cell):
    def parameter_roles(self) -> Any:
        return super().parameter_roles() | {"haed.weight": ParameterRole(use="head", decay=True)}


class UnusedLayer(Cell):
    def extra(self) -> None:
        self.unused = nn.Linear(3, 3)


class WrongBackward(Cell):
    class Doubled(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            return 1 * x

        @staticmethod
        def backward(ctx: Any, *gradients: Tensor) -> Tensor:
            return 2 * gradients[0]

    def before(self, x: Tensor) -> Tensor:
        doubled: Tensor = self.Doubled.apply(x)  # type: ignore[no-untyped-call]
        return doubled


class CannotBeSure(Cell):
    def logits(self, logits: Tensor) -> Any:
        return logits.tanh()


class KeepsOutputs(Cell):
    def extra(self) -> None:
        self.kept: list[Tensor] = []

    def after(self, out: Tensor) -> Tensor:
        self.kept.append(out.detach())
        return out


class ByNumpy(Cell):
    def extra(self) -> None:
        values = np.random.default_rng().normal(size=(self.vocab_size, self.size)) * 0.1
        self.head.weight.data = torch.from_numpy(values).float()


class NotStored(Cell):
    def extra(self) -> None:
        self.scale = torch.rand(self.size).double().float()

    def after(self, out: Tensor) -> Tensor:
        return out * self.scale.to(out)


class OnlyFloat32(Cell):
    def extra(self) -> None:
        self.matrix = torch.eye(self.size)

    def after(self, out: Tensor) -> Tensor:
        return out @ self.matrix


class HalfState(Cell):
    def returned(self, state: Tensor) -> Any:
        return state.to(self.head(state).dtype)


class TimeFirstLogits(Cell):
    def logits(self, logits: Tensor) -> Any:
        return logits.transpose(0, 1)


class LastLogits(Cell):
    def logits(self, logits: Tensor) -> Any:
        return logits[:, -1]


class NeedsPositions(Cell):
    def forward_in_training(
        self, tokens: Tensor, state: Any = None, positions: Tensor | None = None
    ) -> Any:
        assert positions is not None
        return self(tokens, state)


class SeesTheBatch(Cell):
    """In training, the last token of the batch is in all logits."""

    def forward_in_training(
        self, tokens: Tensor, state: Any = None, positions: Tensor | None = None
    ) -> Any:
        logits, state = self(tokens, state)
        return logits + logits[:, -1:], state


class AdaptsTooEarly(Cell):
    """Counts a whole piece before the logits of its first token."""

    counts: Tensor | None = None

    def start_adapting(self) -> None:
        self.counts = torch.zeros(self.vocab_size)

    def forward(self, tokens: Tensor, state: Any = None) -> Any:
        logits, state = super().forward(tokens, state)
        if self.counts is not None:
            self.counts += torch.bincount(tokens.flatten(), minlength=self.vocab_size)
            logits = logits + self.counts.to(logits)
        return logits, state


class OtherForm(Cell):
    def before(self, x: Tensor) -> Tensor:
        return 1.1 * x


def built(model: type[Cell]) -> Callable[[Any, Any], Cell]:
    return lambda options, context: model(options, context.vocab_size)


class Planted(NamedTuple):
    """A declaration with a fault, the law that finds it, and laws that may fail with it."""

    spec: Any
    law: str
    also: str = ""


HEALTHY = architecture(Cell, plain_torch=built(Cell), step_by_step=built(Cell))

ARCHITECTURES: dict[str, Planted] = {
    "a row leaks into the others": Planted(architecture(LeakingRow), "rows", "state_rows"),
    "batch normalisation": Planted(architecture(BatchNormed), "rows", "causality"),
    "reads one token ahead": Planted(architecture(Peek), "causality", "chunking"),
    "reads ahead where T > 100": Planted(architecture(PeekWhenLong), "causality", "chunking"),
    "reads ahead in training": Planted(architecture(PeekInTraining), "causality"),
    "mean over time": Planted(architecture(MeanOverTime), "causality", "chunking"),
    "ignores its tokens": Planted(
        architecture(IgnoresTokens), "tokens_used", "state_used every_gradient by_heart"
    ),
    "ignores its state": Planted(
        architecture(IgnoresState), "chunking", "state_used state_carries_gradient"
    ),
    "no memory": Planted(
        architecture(NoMemory), "state_used", "state_carries_gradient every_gradient by_heart"
    ),
    "forgotten detach": Planted(
        architecture(ForgottenDetach), "detached", "chunking state_rows memory"
    ),
    "a Python number in the state": Planted(architecture(CounterInState), "state_tree"),
    "a NumPy array in the state": Planted(architecture(ArrayInState), "state_tree"),
    "a dataclass in the state": Planted(architecture(DataclassInState), "state_tree"),
    "layers before the batch": Planted(architecture(LayersFirst), "state_tree"),
    "raises at the 13th call": Planted(architecture(RaisesAtTheThirteenthCall), "calls"),
    "a fixed batch size": Planted(architecture(FixedBatch), "calls"),
    "a lazy layer": Planted(architecture(Lazy), "calls"),
    "the state grows": Planted(architecture(GrowingState), "bounded_state", "state_rows"),
    "changes its state in place": Planted(
        architecture(ChangesState), "state_kept", "chunking state_rows detached"
    ),
    "rows share a counter": Planted(architecture(SharedCounter), "state_rows"),
    "positions begin again": Planted(architecture(PositionsBeginAgain), "chunking"),
    "another first state": Planted(architecture(OtherFirstState), "initial_state"),
    "no gradient through the state": Planted(
        architecture(NoGradientThroughState), "state_carries_gradient"
    ),
    "prints": Planted(architecture(Prints), "silent"),
    "changes the default dtype": Planted(
        architecture(DefaultDtype), "global_state", "seed saved"
    ),
    "dropout left on": Planted(architecture(DropoutLeftOn), "deterministic"),
    "switches to training mode": Planted(architecture(SwitchesMode), "untouched"),
    "counts in eval mode": Planted(architecture(CountsInEval), "untouched"),
    "logits explode": Planted(architecture(Explodes), "finite", "chunking by_heart"),
    "changes its tokens": Planted(
        architecture(ChangesTokens), "arguments_kept"
    ),
    "one buffer for all outputs": Planted(
        architecture(OneOutput), "arguments_kept", "chunking state_used"
    ),
    "counts the training part twice": Planted(architecture(CountsTwice), "before_training"),
    "a role of no parameter": Planted(architecture(RoleOfNothing), "roles"),
    "an unused layer": Planted(architecture(UnusedLayer), "every_gradient"),
    "a wrong backward": Planted(architecture(WrongBackward), "right_gradients"),
    "can never be sure": Planted(architecture(CannotBeSure), "by_heart"),
    "keeps its outputs": Planted(architecture(KeepsOutputs), "memory"),
    "initial values from NumPy": Planted(architecture(ByNumpy), "seed"),
    "something is not stored": Planted(architecture(NotStored), "saved"),
    "only float32": Planted(architecture(OnlyFloat32), "float64"),
    "the state changes its type": Planted(architecture(HalfState), "autocast"),
    "time before batch": Planted(architecture(TimeFirstLogits), "logits"),
    "the last logits only": Planted(architecture(LastLogits), "logits"),
    "training sees the batch": Planted(architecture(SeesTheBatch), "training_form"),
    "positions are not optional": Planted(
        architecture(NeedsPositions), "training_form", "roles"
    ),
    "learns before it predicts": Planted(architecture(AdaptsTooEarly), "adapting"),
    "another plain form": Planted(
        architecture(Cell, plain_torch=built(OtherForm)), "plain_torch"
    ),
    "another form step by step": Planted(
        architecture(Cell, step_by_step=built(OtherForm)), "step_by_step"
    ),
}  # fmt: skip
