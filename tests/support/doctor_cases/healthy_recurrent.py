"""Sound recurrent models, in the shapes that people have."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import rnn as packing

from doctor_cases.case import Arguments, Case
from doctor_cases.makers import carried, changed, windowed
from doctor_cases.models import Recurrent, Stateless
from doctor_cases.setting import Setting

__all__ = ["CASES"]


class _Deep(nn.Module):
    """GRUs with dropout, norms, orthogonal weights and a learnt start; the state is a dict."""

    def __init__(self, V: int, H: int) -> None:
        super().__init__()
        self.embed, self.head, self.drop = nn.Embedding(V, H), nn.Linear(H, V), nn.Dropout(0.2)
        self.layers = nn.ModuleList(nn.GRU(H, H, batch_first=True) for _ in range(3))
        self.norms = nn.ModuleList(nn.LayerNorm(H) for _ in range(3))
        self.start = nn.Parameter(torch.zeros(3, H))
        for name, parameter in self.layers.named_parameters():
            if "weight_hh" in name:
                nn.init.orthogonal_(parameter)

    def forward(self, tokens: Tensor, state: Any = None) -> Any:
        x, new = self.drop(self.embed(tokens)), {}
        for place, (layer, norm) in enumerate(zip(self.layers, self.norms, strict=True)):
            first = self.start[place].expand(1, len(tokens), -1).contiguous()
            y, new[f"layer {place}"] = layer(
                norm(x), first if state is None else state[f"layer {place}"]
            )
            x = x + self.drop(y)
        return self.head(x), new


class _Capped(Recurrent):
    """A tanh with a bound that is far above usual logits."""

    def end(self, logits: Tensor) -> Tensor:
        return 30 * (logits / 30).tanh()


class _LearntStart(Recurrent):
    """The first hidden and cell state are parameters."""

    def __init__(self, V: int, H: int) -> None:
        super().__init__(V, H)
        self.start = nn.Parameter(torch.zeros(2, 1, 1, H))

    def forward(self, tokens: Tensor, state: Any = None) -> Any:
        if state is None:
            hidden, cell = self.start.expand(-1, -1, len(tokens), -1).contiguous()
            state = (hidden, cell)
        return super().forward(tokens, state)


class _TimeFirst(nn.Module):
    """Tokens (T, B) in, logits (T, B, V) out."""

    def __init__(self, V: int, H: int) -> None:
        super().__init__()
        self.embed, self.rnn, self.head = nn.Embedding(V, H), nn.LSTM(H, H), nn.Linear(H, V)

    def forward(self, tokens: Tensor, state: Any = None) -> Any:
        out, state = self.rnn(self.embed(tokens), state)
        return self.head(out), state

    @staticmethod
    def read(model: nn.Module, tokens: Tensor, state: Any) -> Any:
        """Transposed, there and back."""
        logits, state = model(tokens.t(), state)
        return logits.transpose(0, 1), state


class _Dictionaries(Recurrent):
    """As models of transformers answer."""

    def forward(self, input_ids: Tensor, state: Any = None, labels: Any = None) -> Any:
        logits, state = super().forward(input_ids, state)
        return {"logits": logits, "state": state}

    @staticmethod
    def read(model: nn.Module, tokens: Tensor, state: Any) -> Any:
        """The entries of the answer."""
        answer = model(tokens, state)
        return answer["logits"], answer["state"]


class _FlatLogits(Recurrent):
    """Logits (B T, V), as many tutorials have them for the loss."""

    def forward(self, tokens: Tensor, state: Any = None) -> Any:
        logits, state = super().forward(tokens, state)
        return logits.flatten(0, 1), state

    @staticmethod
    def read(model: nn.Module, tokens: Tensor, state: Any) -> Any:
        """Unflattened."""
        logits, state = model(tokens, state)
        return logits.view(*tokens.shape, -1), state


class _HiddenAndCell(Recurrent):
    """forward(x, hidden, cell) -> logits, hidden, cell."""

    def forward(self, tokens: Tensor, hidden: Any = None, cell: Any = None) -> Any:
        logits, (hidden, cell) = super().forward(tokens, None if hidden is None else (hidden, cell))
        return logits, hidden, cell

    @staticmethod
    def read(model: nn.Module, tokens: Tensor, state: Any) -> Any:
        """The state in two arguments."""
        logits, *state = model(tokens, *(state or ()))
        return logits, tuple(state)


class _Packed(Stateless):
    """Rows are packed for the recurrence and padded again."""

    def forward(self, tokens: Tensor) -> Tensor:  # type: ignore[override]
        B, T = tokens.shape
        packed = packing.pack_padded_sequence(
            self.embed(tokens), torch.full((B,), T), batch_first=True, enforce_sorted=False
        )
        out, _ = packing.pad_packed_sequence(self.rnn(packed)[0], batch_first=True, total_length=T)
        return self.head(out)


class _OneHot(Recurrent):
    """nn.LSTM on one-hot vectors."""

    def __init__(self, V: int, H: int) -> None:
        super().__init__(V, H)
        self.V, self.rnn = V, nn.LSTM(V, H, batch_first=True)
        del self.embed

    def forward(self, tokens: Tensor, state: Any = None) -> Any:
        out, state = self.rnn(nn.functional.one_hot(tokens, self.V).float(), state)
        return self.head(out), state


class _Cells(nn.Module):
    """A loop over time with nn.LSTMCell; the state is a list."""

    def __init__(self, V: int, H: int) -> None:
        super().__init__()
        self.embed, self.cell, self.head = nn.Embedding(V, H), nn.LSTMCell(H, H), nn.Linear(H, V)

    def forward(self, tokens: Tensor, state: Any = None) -> Any:
        outputs = []
        for x in self.embed(tokens).unbind(1):
            state = list(self.cell(x, None if state is None else tuple(state)))
            outputs.append(self.head(state[0]))
        return torch.stack(outputs, 1), state


def _with_forward(kind: Any) -> Any:
    return carried(kind, forward=kind.read)


def _embedding(make: Any) -> Any:
    """A model with another embedding of (V, H)."""

    def build(V: int, H: int) -> nn.Module:
        model = Recurrent(V, H)
        model.embed = make(V, H)
        return model

    return build


def _tied(model: Any) -> None:
    """One matrix of small weights for embedding and head."""
    nn.init.uniform_(model.embed.weight, -0.1, 0.1)
    model.head.weight = model.embed.weight


def _two_symbols(setting: Setting) -> Arguments:
    """Vowels and others."""
    ids = torch.isin(torch.from_numpy(setting.bytes), torch.tensor(list(b"aeiou"))).long().numpy()
    return setting.stateful(lambda: Recurrent(2, setting.H), ids)


def _chars(setting: Setting) -> Arguments:
    return setting.stateful(lambda: Recurrent(setting.num_chars, setting.H), setting.chars)


CASES = (
    Case(
        name="LSTM on lanes, state carried",
        source="pytorch/examples, word_language_model",
        make=carried(Recurrent),
    ),
    Case(
        name="GRU on lanes, state carried",
        source="torch.nn.GRU",
        make=carried(lambda V, H: Recurrent(V, H, cell=nn.GRU)),
    ),
    Case(
        name="two layers of tanh RNN on lanes",
        source="torch.nn.RNN",
        make=carried(lambda V, H: Recurrent(V, H, cell=nn.RNN, layers=2)),
    ),
    Case(
        name="LSTM of two layers with dropout",
        source="salesforce/awd-lstm-lm",
        make=carried(lambda V, H: Recurrent(V, H, layers=2, dropout=0.3)),
    ),
    Case(
        name="LSTM with projection",
        source="torch.nn.LSTM, proj_size",
        make=carried(
            changed(
                lambda m: setattr(m, "head", nn.Linear(8, 256)),
                lambda V, H: Recurrent(V, H, proj_size=8),
            )
        ),
    ),
    Case(
        name="deep GRU, dropout, norms, a state in a dictionary",
        source="arXiv:1607.06450, layer normalisation",
        make=carried(_Deep),
    ),
    Case(
        name="logits bounded by 30",
        source="arXiv:2408.00118, section 2, on soft-capping",
        make=carried(lambda V, H: _Capped(V, H)),
    ),
    Case(
        name="a learnt first state",
        source="github salesforce/awd-lstm-lm#112",
        make=carried(_LearntStart),
    ),
    Case(
        name="a loop over nn.LSTMCell",
        source="torch.nn.LSTMCell",
        make=carried(_Cells),
    ),
    Case(
        name="stateless LSTM on random windows",
        source="spro/char-rnn.pytorch",
        make=windowed(lambda V, H, T: Stateless(V, H)),
    ),
    Case(
        name="packed sequences inside the model",
        source="torch.nn.utils.rnn.pack_padded_sequence",
        make=windowed(lambda V, H, T: _Packed(V, H)),
    ),
    Case(
        name="one-hot inputs",
        source="udacity/deep-learning-v2-pytorch, character-level RNN",
        make=carried(_OneHot),
    ),
    Case(
        name="time-first, with a forward",
        source="pytorch/examples, word_language_model",
        make=_with_forward(_TimeFirst),
    ),
    Case(
        name="answers in a dictionary, with a forward",
        source="huggingface/transformers, model outputs",
        make=_with_forward(_Dictionaries),
    ),
    Case(
        name="answers in a dictionary",
        source="huggingface/transformers, model outputs",
        make=carried(_Dictionaries),
    ),
    Case(
        name="flat logits, with a forward",
        source="github karpathy/ng-video-lecture#10",
        make=_with_forward(_FlatLogits),
    ),
    Case(
        name="hidden and cell as two arguments, with a forward",
        source="github rasbt/machine-learning-book#148",
        make=_with_forward(_HiddenAndCell),
    ),
    Case(
        name="embedding with max_norm",
        source="torch.nn.Embedding, max_norm",
        make=carried(_embedding(lambda V, H: nn.Embedding(V, H, max_norm=1.0))),
    ),
    Case(
        name="pretrained embedding that is frozen",
        source="torch.nn.Embedding.from_pretrained",
        make=carried(_embedding(lambda V, H: nn.Embedding.from_pretrained(torch.randn(V, H)))),
    ),
    Case(
        name="embedding with sparse gradients",
        source="torch.nn.Embedding, sparse",
        make=carried(
            _embedding(lambda V, H: nn.Embedding(V, H, sparse=True)),
            optimizer=lambda parameters: torch.optim.SGD(parameters, lr=1.0),
        ),
    ),
    Case(
        name="lazy head",
        source="torch.nn.LazyLinear",
        make=carried(changed(lambda m: setattr(m, "head", nn.LazyLinear(256)))),
    ),
    Case(
        name="weight tying",
        source="arXiv:1608.05859, pytorch/examples word_language_model --tied",
        make=carried(changed(_tied)),
    ),
    Case(
        name="a head that begins at zero",
        source="arXiv:2203.03466, readout initialised to zero",
        make=carried(
            changed(lambda m: (nn.init.zeros_(m.head.weight), nn.init.zeros_(m.head.bias)))
        ),
    ),
    Case(
        name="weight normalisation",
        source="torch.nn.utils.parametrizations.weight_norm",
        make=carried(
            changed(lambda m: setattr(m, "head", nn.utils.parametrizations.weight_norm(m.head)))
        ),
    ),
    Case(
        name="a vocabulary of characters",
        source="karpathy/char-rnn",
        make=_chars,
    ),
    Case(
        name="a vocabulary of two symbols",
        source="torch.nn.Embedding",
        make=_two_symbols,
    ),
)
