"""Modules with one fault each, healthy modules, and batches for them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqzoo.doctor.checks import all_checks
from seqzoo.plugin.registry import load_registry

B, T, V, H = 6, 32, 256, 12


TEXT = bytes(np.random.default_rng(0).choice(list(b"etaoin shrdlu\n"), 20_000).astype(np.uint8))


QUICK_MODEL = [check for check in all_checks(load_registry()) if check.group == "model"]


class Plain(nn.Module):
    """What users write: the state as nn.LSTM returns it, (layers, B, H)."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(V, H)
        self.lstm = nn.LSTM(H, H, batch_first=True)
        self.head = nn.Linear(H, V)

    def forward(self, tokens: Tensor, state: Any = None) -> Any:
        out, state = self.lstm(self.before(self.embed(tokens)), state)
        return self.head(self.after(out)), state

    def before(self, x: Tensor) -> Tensor:
        return x

    def after(self, out: Tensor) -> Tensor:
        return out


class Stateless(Plain):
    def forward(self, tokens: Tensor) -> Tensor:  # type: ignore[override]
        logits: Tensor = self.head(self.after(self.lstm(self.before(self.embed(tokens)))[0]))
        return logits


class Ending(Plain):
    """Outputs after a last function."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, tokens: Tensor, state: Any = None) -> Any:
        logits, state = super().forward(tokens, state)
        return self.function(logits), state


class Overconfident(Plain):
    def __init__(self) -> None:
        super().__init__()
        nn.init.normal_(self.head.weight, std=10)


class SeesTargets(Stateless):
    """A new model that already gives the target a high logit."""

    def forward(self, tokens: Tensor) -> Tensor:  # type: ignore[override]
        return super().forward(tokens) + 20 * F.one_hot(tokens.roll(-1, 1), V)


class Bidirectional(Stateless):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(H, H, batch_first=True, bidirectional=True)
        self.head = nn.Linear(2 * H, V)


class PeekingInTraining(Stateless):
    def before(self, x: Tensor) -> Tensor:
        return x + x.roll(-3, 1) if self.training else x


class BatchNormed(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(H)

    def after(self, out: Tensor) -> Tensor:
        normed: Tensor = self.norm(out.transpose(1, 2))
        return normed.transpose(1, 2)


class TimeFirst(Plain):
    """Batches are (B, T), and the LSTM takes the first axis for time."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(H, H)


class DropoutLeftOn(Plain):
    def after(self, out: Tensor) -> Tensor:
        return F.dropout(out, 0.2)


class FirstStateDrawn(Plain):
    def forward(self, tokens: Tensor, state: Any = None) -> Any:
        if state is None:
            state = (torch.randn(1, len(tokens), H), torch.randn(1, len(tokens), H))
        return super().forward(tokens, state)


class DropsByNumpy(Plain):
    def after(self, out: Tensor) -> Tensor:
        return out * torch.from_numpy(np.random.random(out.shape) < 0.8)


class IgnoresEval(Plain):
    """Its dropout ignores eval mode."""

    def __init__(self) -> None:
        super().__init__()
        self.drop = nn.Dropout(0.2)

    def after(self, out: Tensor) -> Tensor:
        dropped: Tensor = self.drop(out)
        return dropped

    def train(self, mode: bool = True) -> IgnoresEval:
        super().train(mode)
        self.drop.train()
        return self


class Forgetful(Plain):
    """Returns a state, but always starts from an empty one."""

    def forward(self, tokens: Tensor, state: Any = None) -> Any:
        return super().forward(tokens, None)


class KeepsItsGraph(Stateless):
    """The state is kept inside, and not returned."""

    kept: Any = None

    def forward(self, tokens: Tensor) -> Tensor:  # type: ignore[override]
        state = self.kept
        if state is not None and state[0].shape[1] != len(tokens):
            state = None
        out, state = self.lstm(self.embed(tokens), state)
        self.kept = self.keep(state)
        logits: Tensor = self.head(out)
        return logits

    def keep(self, state: Any) -> Any:
        return state


class KeepsItsState(KeepsItsGraph):
    def keep(self, state: Any) -> Any:
        return tuple(part.detach() for part in state)


class Frozen(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.head.requires_grad_(False)


class CutOff(Plain):
    def before(self, x: Tensor) -> Tensor:
        return x.detach()


class BeginsAtZero(Plain):
    """Head and gate are zero: what is behind them has a gradient from the second update on."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = nn.Parameter(torch.zeros(()))
        self.mix = nn.Linear(H, H)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def after(self, out: Tensor) -> Tensor:
        mixed: Tensor = self.mix(out)
        return out + self.gate * mixed.tanh()


class Chaotic(Plain):
    """Its recurrent weights are so large that rounding grows from token to token."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.RNN(H, H, batch_first=True)  # type: ignore[assignment]
        weight = self.lstm.weight_hh_l0
        assert isinstance(weight, Tensor)
        nn.init.normal_(weight, std=1.2)


class ZeroByZero(Plain):
    """Embeddings of length 1; one token, which no text has, has an embedding of zeros."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(V, H, padding_idx=0)

    def before(self, x: Tensor) -> Tensor:
        length: Tensor = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
        return x / length


class Windowed(nn.Module):
    """Attention with positions for W tokens, and no state."""

    def __init__(self, W: int) -> None:
        super().__init__()
        self.embed, self.place = nn.Embedding(V, H), nn.Embedding(W, H)
        self.attend = nn.MultiheadAttention(H, 2, batch_first=True)
        self.head = nn.Linear(H, V)

    def forward(self, tokens: Tensor) -> Tensor:
        length = tokens.shape[1]
        x = self.embed(tokens) + self.place(torch.arange(length))
        mask = torch.ones(length, length, dtype=torch.bool).triu(1)
        logits: Tensor = self.head(x + self.attend(x, x, x, attn_mask=mask)[0])
        return logits


class IgnoresTokens(Plain):
    """It ignores its tokens."""

    def before(self, x: Tensor) -> Tensor:
        return 0 * x


class AllEqual(Plain):
    def __init__(self) -> None:
        super().__init__()
        for parameter in self.parameters():
            nn.init.constant_(parameter, 0.1)


class ForOneBatchSize(Plain):
    def forward(self, tokens: Tensor, state: Any = None) -> Any:
        empty = torch.zeros(1, B, H)
        return super().forward(tokens, (empty, empty) if state is None else state)


class Locked(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()


class Counting(Plain):
    seen: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("seen", torch.zeros(()))

    def after(self, out: Tensor) -> Tensor:
        self.seen += out.shape[1]
        return out


class ForgetsAfterSixty(Plain):
    """It ignores its state at the first cut after 60 tokens."""

    def forward(self, tokens: Tensor, state: Any = None) -> Any:
        count, state = (0, None) if state is None else (int(state[0][0]), state[1])
        logits, state = super().forward(tokens, None if count > 60 else state)
        return logits, (torch.full((len(tokens),), count + tokens.shape[1]), state)


def batches(length: int = T) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Windows at random places."""
    text = np.frombuffer(TEXT, np.uint8)
    generator = np.random.default_rng(1)
    while True:
        places = generator.integers(len(text) - length - 1, size=B)[:, None] + np.arange(length + 1)
        yield text[places][:, :-1], text[places][:, 1:]


def contiguous() -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rows that each continue where they stopped."""
    text = np.frombuffer(TEXT, np.uint8)
    rows = text[: len(text) // B * B].reshape(B, -1)
    for start in range(0, rows.shape[1] - T - 1, T):
        yield rows[:, start : start + T], rows[:, start + 1 : start + T + 1]


FAULTS: dict[str, tuple[Any, str]] = {
    "softmax": (lambda: Ending(lambda y: y.softmax(-1)), "model.logits"),
    "softmax over time": (lambda: Ending(lambda y: y.softmax(1)), "model.logits"),
    "softmax over rows": (lambda: Ending(lambda y: y.softmax(0)), "model.logits"),
    "log softmax over time": (lambda: Ending(lambda y: y.log_softmax(1)), "model.logits"),
    "log softmax over rows": (lambda: Ending(lambda y: y.log_softmax(0)), "model.logits"),
    "sigmoid": (lambda: Ending(torch.sigmoid), "model.logits"),
    "relu": (lambda: Ending(torch.relu), "model.logits"),
    "overconfident": (Overconfident, "model.initial_loss"),
    "overconfident instance": (Overconfident(), "model.initial_loss"),
    "sees the targets": (SeesTargets, "model.causality"),
    "bidirectional": (Bidirectional, "model.causality"),
    "reads ahead in training": (PeekingInTraining, "model.causality"),
    "batch norm": (BatchNormed, "model.rows"),
    "time first": (TimeFirst, "model.rows"),
    "dropout left on": (DropoutLeftOn, "model.eval_mode"),
    "dropout by numpy": (DropsByNumpy, "model.eval_mode"),
    "first state drawn": (FirstStateDrawn, "model.eval_mode"),
    "ignores eval": (IgnoresEval, "model.eval_mode"),
    "forgetful": (Forgetful, "model.state"),
    "keeps its graph": (KeepsItsGraph, "model.detached"),
    "keeps its state": (KeepsItsState, "model.untouched"),
    "frozen": (Frozen, "model.gradients"),
    "cut off": (CutOff, "model.gradients"),
    "zero by zero": (ZeroByZero, "model.finite"),
    "counting": (Counting, "model.untouched"),
    "forgets after 60 tokens": (ForgetsAfterSixty, "model.evaluation"),
}


def one_hot_mean(logits: Tensor, targets: Tensor) -> Tensor:
    return -(F.one_hot(targets, logits.shape[-1]) * logits.log_softmax(-1)).mean()


def cross_entropy(logits: Tensor, targets: Tensor, **further: Any) -> Tensor:
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten(), **further)


def one_at_a_time() -> Iterator[Any]:
    return batches(1)


class Raising(Plain):
    """Raises from its n-th call on; calls of copies count too."""

    def __init__(self, calls: list[int], error: type[BaseException]) -> None:
        super().__init__()
        self.calls, self.error = calls, error

    def __deepcopy__(self, memo: dict[int, Any]) -> Raising:
        other = Raising(self.calls, self.error)
        other.load_state_dict(self.state_dict())
        return other.train(self.training)

    def forward(self, tokens: Tensor, state: Any = None) -> Any:
        self.calls[0] -= 1
        if self.calls[0] < 0:
            raise self.error("no more")
        return super().forward(tokens, state)
