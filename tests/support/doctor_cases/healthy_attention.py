"""Sound models without recurrence."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from doctor_cases.case import Case
from doctor_cases.makers import changed, parts, windowed
from doctor_cases.models import Attention, Causal, Unplaced, future_mask, sinusoids, turned

__all__ = ["CASES"]


class _Relative(Unplaced):
    """A learnt bias for each distance and head."""

    def __init__(self, V: int, H: int, T: int) -> None:
        super().__init__(V, H, T)
        self.bias = nn.Parameter(0.5 * torch.randn(self.heads, T))

    def weigh(self, scores: Tensor) -> Tensor:
        places = torch.arange(scores.shape[-1])
        distances = (places[:, None] - places).clamp_min(0)
        return super().weigh(scores + self.bias[:, distances])


def _linear_bias(model: Any, scores: Tensor) -> Tensor:
    """ALiBi: a penalty that grows with distance."""
    T = scores.shape[-1]
    slopes = 2.0 ** -torch.arange(1, model.heads + 1)
    distances = torch.arange(T)[:, None] - torch.arange(T)
    biased = scores - slopes[:, None, None] * distances
    return biased.masked_fill(future_mask(T), -math.inf).softmax(-1)


def _masked_and_normalised_again(model: Any, scores: Tensor) -> Tensor:
    weights = scores.softmax(-1).tril()
    return weights / weights.sum(-1, keepdim=True)


class _FrozenSinusoids(Attention):
    """A table of sinusoids in an nn.Embedding that is not trained."""

    def __init__(self, V: int, H: int, T: int) -> None:
        super().__init__(V, H, T)
        self.positions = nn.Embedding.from_pretrained(sinusoids(T, H))


class _Encoder(nn.Module):
    """torch's own encoder with a causal mask and positions."""

    def __init__(self, V: int, H: int, T: int) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(H, 4, 2 * H, 0.1, batch_first=True, norm_first=True)
        self.embed, self.positions = nn.Embedding(V, H), nn.Embedding(T, H)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(H, V)

    def forward(self, tokens: Tensor) -> Tensor:
        T = tokens.shape[1]
        x = self.embed(tokens) + self.positions(torch.arange(T))
        mask = nn.Transformer.generate_square_subsequent_mask(T)
        return self.head(self.encoder(x, mask=mask, is_causal=True))


class _MultiheadAttention(Attention):
    """torch's own attention with a boolean mask."""

    def __init__(self, V: int, H: int, T: int) -> None:
        super().__init__(V, H, T)
        del self.joint, self.mix
        self.attention = nn.MultiheadAttention(H, 4, batch_first=True)

    def attend(self, x: Tensor) -> Tensor:
        hidden = future_mask(x.shape[1])
        return self.attention(x, x, x, attn_mask=hidden, need_weights=False)[0]


class _Experts(Attention):
    """A mixture of four experts, of which each token uses the best two."""

    def __init__(self, V: int, H: int, T: int) -> None:
        super().__init__(V, H, T)
        self.feed = _Mixture(H)  # type: ignore[assignment]


class _Mixture(nn.Module):
    def __init__(self, H: int) -> None:
        super().__init__()
        self.gate = nn.Linear(H, 4)
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(H, H), nn.GELU(), nn.Linear(H, H)) for _ in range(4)
        )

    def forward(self, x: Tensor) -> Tensor:
        scores, chosen = self.gate(x).topk(2, -1)
        weights = torch.zeros(*x.shape[:-1], 4).scatter(-1, chosen, scores.softmax(-1))
        outputs = torch.stack([expert(x) for expert in self.experts], -1)
        return (outputs * weights[..., None, :]).sum(-1)


class _Cached(Attention):
    """The state is the keys and values of all tokens before; positions continue."""

    def forward(self, tokens: Tensor, state: Any = None) -> Any:
        start = 0 if state is None else state[0].shape[2]
        places = (start + torch.arange(tokens.shape[1])) % self.positions.num_embeddings
        x = self.embed(tokens) + self.positions(places)
        q, k, v = (self.split(part) for part in self.joint(self.norms[0](x)).chunk(3, -1))
        if state is not None:
            k, v = torch.cat([state[0], k], 2), torch.cat([state[1], v], 2)
        hidden = torch.ones(q.shape[2], k.shape[2], dtype=torch.bool).triu(1 + start)
        scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
        x = x + self.mix(self.join(scores.masked_fill(hidden, -math.inf).softmax(-1) @ v))
        return self.head(self.norms[2](x + self.feed(self.norms[1](x)))), (k, v)


class _BeginsClosed(Attention):
    """What attention adds is multiplied by a parameter that begins with 0."""

    def __init__(self, V: int, H: int, T: int) -> None:
        super().__init__(V, H, T)
        self.opening = nn.Parameter(torch.zeros(()))

    def attend(self, x: Tensor) -> Tensor:
        return self.opening * super().attend(x)


def _small(model: Any) -> None:
    """Weights as GPT-2 has them, the head tied to the embedding."""
    for each in model.modules():
        if isinstance(each, nn.Linear | nn.Embedding):
            nn.init.normal_(each.weight, std=0.02)
    model.head.weight = model.embed.weight


class _Dropping(Attention):
    """Dropout after the positions, on the weights of attention and before the head."""

    def __init__(self, V: int, H: int, T: int) -> None:
        super().__init__(V, H, T)
        self.drop = nn.Dropout(0.2)

    def placed(self, x: Tensor) -> Tensor:
        return self.drop(super().placed(x))

    def weigh(self, scores: Tensor) -> Tensor:
        return self.drop(super().weigh(scores))


CASES = (
    Case(
        name="learnt positions on random windows",
        source="karpathy/nanoGPT",
        make=windowed(Attention),
    ),
    Case(
        name="a stateless transformer on lanes",
        source="pytorch/examples, word_language_model --model Transformer",
        make=lambda s: s.stateful(lambda: Attention(256, s.H, s.T)),
    ),
    Case(
        name="rotary positions",
        source="arXiv:2104.09864",
        make=windowed(parts(Unplaced, turn=lambda model, x: turned(x, -2))),
    ),
    Case(
        name="added sinusoids",
        source="arXiv:1706.03762, section 3.5",
        make=windowed(parts(Unplaced, placed=lambda model, x: x + sinusoids(x.shape[1], model.H))),
    ),
    Case(
        name="frozen sinusoids in an embedding",
        source="torch.nn.Embedding.from_pretrained",
        make=windowed(_FrozenSinusoids),
    ),
    Case(
        name="linear biases by distance",
        source="arXiv:2108.12409",
        make=windowed(parts(Unplaced, weigh=_linear_bias)),
    ),
    Case(
        name="learnt biases by distance",
        source="arXiv:1910.10683, section 2.1",
        make=windowed(_Relative),
    ),
    Case(
        name="weights masked after softmax and normalised again",
        source="github rasbt/LLMs-from-scratch#279",
        make=windowed(parts(weigh=_masked_and_normalised_again)),
    ),
    Case(
        name="nn.TransformerEncoder, causal",
        source="github pytorch/pytorch#86274",
        make=windowed(_Encoder),
    ),
    Case(
        name="nn.MultiheadAttention with a mask",
        source="torch.nn.MultiheadAttention",
        make=windowed(_MultiheadAttention),
    ),
    Case(
        name="dropout in attention",
        source="karpathy/minGPT",
        make=windowed(_Dropping),
    ),
    Case(
        name="a block that begins closed",
        source="arXiv:2003.04887, ReZero",
        make=windowed(_BeginsClosed),
    ),
    Case(
        name="GPT-2's weights and tied head",
        source="github karpathy/build-nanogpt#18",
        make=windowed(changed(_small, Attention)),
    ),
    Case(
        name="mixture of experts",
        source="arXiv:2101.03961",
        make=windowed(_Experts),
    ),
    Case(
        name="keys and values as the state",
        source="huggingface/transformers, past_key_values",
        make=windowed(lambda V, H, T: _Cached(V, H, 4096)),
    ),
    Case(
        name="causal convolution",
        source="arXiv:1609.03499, github locuslab/TCN#8",
        make=windowed(lambda V, H, T: Causal(V, H)),
    ),
)
