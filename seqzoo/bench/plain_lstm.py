"""torch's LSTM with as many parameters as another model, to compare any architecture with."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

__all__ = ["PlainLSTM", "lstm_of_size", "number_of_parameters"]


class PlainLSTM(nn.Module):
    """Embedding, one layer and head of one width."""

    def __init__(self, hidden_size: int, *, vocab_size: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(vocab_size, hidden_size)
        self.layer = nn.LSTM(hidden_size, hidden_size, batch_first=True)
        self.head = nn.Linear(hidden_size, vocab_size)

    def forward(self, tokens: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """Logits (B, T, V) and the state, in torch's order."""
        outputs, state = self.layer(self.embed(tokens), state)
        return self.head(outputs), state


def lstm_of_size(parameters: int, *, vocab_size: int) -> PlainLSTM:
    """The narrowest with that many parameters or more."""
    # H (2 V + 8 H + 8) + V parameters.
    hidden_size = 1
    while hidden_size * (2 * vocab_size + 8 * hidden_size + 8) + vocab_size < parameters:
        hidden_size += 1
    return PlainLSTM(hidden_size, vocab_size=vocab_size)


def number_of_parameters(model: nn.Module) -> int:
    """All of them; tied ones count once."""
    return sum(each.numel() for each in model.parameters())
