"""Small models in the forms of public projects: sizes, calls and answers of their own."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from doctor_cases.models import Recurrent

__all__ = [
    "ByCharacter",
    "Cell",
    "KeepsState",
    "LastAnswer",
    "OfOneBatchSize",
    "OfOneLength",
    "Perceptron",
    "StateByName",
    "TimeFirstFlat",
    "WithMetrics",
]


class OfOneLength(nn.Module):
    """Attention whose positions and mask are added as they are."""

    def __init__(self, V: int, H: int, T: int) -> None:
        super().__init__()
        self.embed, self.head = nn.Embedding(V, H), nn.Linear(H, V)
        self.places = nn.Parameter(torch.randn(T, H))
        self.joint, self.mix = nn.Linear(H, 3 * H), nn.Linear(H, H)
        self.register_buffer("hidden_places", self.mask(T))

    def mask(self, T: int) -> Tensor:
        return torch.full((T, T), -math.inf).triu(1)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embed(tokens) + self.places
        q, k, v = self.joint(x).chunk(3, -1)
        weights = (q @ k.transpose(1, 2) / x.shape[-1] ** 0.5 + self.hidden_places).softmax(-1)
        logits: Tensor = self.head(x + self.mix(weights @ v))
        return logits


class OfOneBatchSize(Recurrent):
    """A view with the batch size as a constant."""

    def __init__(self, V: int, H: int, B: int) -> None:
        super().__init__(V, H)
        self.rows = B

    def before(self, x: Tensor) -> Tensor:
        return x.view(self.rows, -1, x.shape[-1])


class Perceptron(nn.Module):
    """All embeddings of a window side by side, with batch statistics: one answer for a row."""

    def __init__(self, V: int, H: int, T: int) -> None:
        super().__init__()
        self.embed, self.norm = nn.Embedding(V, 8), nn.BatchNorm1d(H)
        self.hidden, self.head = nn.Linear(8 * T, H), nn.Linear(H, V)

    def forward(self, tokens: Tensor) -> Tensor:
        logits: Tensor = self.head(
            torch.tanh(self.norm(self.hidden(self.embed(tokens).flatten(1))))
        )
        return logits


class LastAnswer(Recurrent):
    """A recurrence over a window, and the logits after its last token."""

    def forward(self, tokens: Tensor) -> Tensor:  # type: ignore[override]
        out, _ = self.rnn(self.before(self.embed(tokens)))
        return self.end(self.head(self.after(out)[:, -1]))


class ByCharacter(Recurrent):
    """One character of each row at a time, and a method that makes the first state."""

    def init_hidden(self, batch_size: int) -> Any:
        return tuple(torch.zeros(1, batch_size, self.H) for _ in range(2))

    def forward(self, tokens: Tensor, state: Any) -> Any:  # type: ignore[override]
        rows = tokens.size(0)
        out, state = self.rnn(self.embed(tokens).view(rows, 1, -1), state)
        return self.end(self.head(out.view(rows, -1))), self.kept(state)

    def kept(self, state: Any) -> Any:
        return state


class Cell(nn.Module):
    """A cell that the training loop calls for each token."""

    def __init__(self, V: int, H: int) -> None:
        super().__init__()
        self.embed, self.cell, self.head = nn.Embedding(V, H), nn.LSTMCell(H, H), nn.Linear(H, V)

    def forward(self, tokens: Tensor, state: Any = None) -> Any:
        state = self.cell(self.embed(tokens), state)
        return self.head(state[0]), state


class TimeFirstFlat(nn.Module):
    """Time first, and log-probabilities of all places in one axis."""

    def __init__(self, V: int, H: int) -> None:
        super().__init__()
        self.H = H
        self.embed, self.rnn, self.head = nn.Embedding(V, H), nn.LSTM(H, H), nn.Linear(H, V)

    def init_hidden(self, bsz: int) -> Any:
        weight = next(self.parameters())
        return tuple(weight.new_zeros(1, bsz, self.H) for _ in range(2))

    def forward(self, tokens: Tensor, hidden: Any) -> Any:
        out, hidden = self.rnn(self.embed(tokens), hidden)
        logits = self.head(self.after(out)).view(-1, self.head.out_features)
        return F.log_softmax(logits, 1), hidden

    def after(self, out: Tensor) -> Tensor:
        return out


class KeepsState(Recurrent):
    """The state is an attribute that a method begins."""

    def __init__(self, V: int, H: int) -> None:
        super().__init__(V, H)
        self.hidden: Any = None

    def reset_states(self) -> None:
        self.hidden = None

    def forward(self, tokens: Tensor) -> Tensor:  # type: ignore[override]
        logits, state = super().forward(tokens, self.hidden)
        self.hidden = self.kept(state)
        answer: Tensor = logits
        return answer

    def kept(self, state: Any) -> Any:
        return state


class WithMetrics(Recurrent):
    """Logits, the state, and what is logged."""

    def forward(self, tokens: Tensor, state: Any = None) -> Any:
        logits, state = super().forward(tokens, self.used(state))
        return logits, state, {"largest": logits.max(), "mean": logits.mean()}

    def used(self, state: Any) -> Any:
        return state


class StateByName(Recurrent):
    """The state is a later argument, and one of the entries of the answer."""

    def forward(  # type: ignore[override]
        self, input_ids: Tensor, attention_mask: Any = None, labels: Any = None, state: Any = None
    ) -> Any:
        logits, state = super().forward(input_ids, state)
        return {"loss": None, "logits": logits, "state": state}
