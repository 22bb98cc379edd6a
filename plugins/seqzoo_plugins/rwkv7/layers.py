"""The equations of RWKV-7, Peng et al. 2025, arXiv:2503.14456."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from seqzoo.ops import Removal, matrix_scan
from seqzoo_plugins.rwkv7.options import RWKV7Options

__all__ = ["ChannelMix", "LowRank", "TimeMemory", "TimeMix", "shifted"]

_NORM_EPSILON = 64e-5  # of the norm of each head, in the public code
# The public code has zeros here. Then the other matrix gets no gradient in the first update.
_SMALL_STD = 0.01
_LEAST_LOG_DECAY = -math.exp(-0.5)  # so that no decay is below 0.545


class TimeMemory(NamedTuple):
    """matrix: (B, heads, K, E) after the last token. last: (B, D), the last input."""

    matrix: Float[Tensor, "B heads K E"]
    last: Float[Tensor, "B D"]


class LowRank(nn.Module):
    """bias + f(x A) B, with few hidden units. A starts small: it is near the bias at first."""

    def __init__(
        self,
        hidden_size: int,
        rank: int,
        activation: Callable[[Tensor], Tensor] | None = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.inputs = nn.Linear(hidden_size, rank, bias=False)
        self.outputs = nn.Linear(rank, hidden_size, bias=bias)
        self.activation = activation
        nn.init.normal_(self.inputs.weight, std=_SMALL_STD)
        gain = 0.1 * max(1.0, rank / hidden_size) ** 0.5
        nn.init.orthogonal_(self.outputs.weight, gain)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.inputs(x)
        outputs: Tensor = self.outputs(self.activation(hidden) if self.activation else hidden)
        return outputs


def shifted(x: Float[Tensor, "B T D"], last: Float[Tensor, "B D"]) -> Float[Tensor, "B T D"]:
    """The input before each token."""
    before = last.unsqueeze(1).to(x.dtype)
    return before if x.shape[1] == 1 else torch.cat([before, x[:, :-1]], dim=1)


class TimeMix(nn.Module):
    """The generalised delta rule. For each head, with a state S of keys by values,

        S[t] = diag(w) S[t-1] - (a * kk) (kk' S[t-1]) + k v'           o[t] = S[t]' r[t]

    r, k, v are linear, and w, a and the gate g small networks of x between this token and the one
    before. v is between this layer's and the first layer's. kk is the normed direction of the key
    that is removed. What is returned is

        Linear((groupnorm(o) + (sum of r * k * bonus) v) * g)
    """

    def __init__(self, options: RWKV7Options, *, layer: int) -> None:
        super().__init__()
        D, self.num_heads = options.hidden_size, options.num_heads
        self.mixes = nn.Parameter(torch.empty(6, D))  # of r, k, v, decay, rate, gate
        self.receptance = nn.Linear(D, D, bias=False)
        self.key = nn.Linear(D, D, bias=False)
        self.value = nn.Linear(D, D, bias=False)
        self.output = nn.Linear(D, D, bias=False)
        self.decay = LowRank(D, options.rank(options.decay_rank, 2.5), torch.tanh)
        self.rate = LowRank(D, options.rank(options.rate_rank, 2.5))
        self.gate = LowRank(D, options.rank(options.gate_rank, 5.0), torch.sigmoid, bias=False)
        # The first layer's own value is the first value.
        value_rank = options.rank(options.value_rank, 1.7)
        self.first_share = LowRank(D, value_rank) if layer else None
        self.removed = nn.Parameter(torch.empty(D))
        self.rate_on_key = nn.Parameter(torch.empty(D))
        self.bonus = nn.Parameter(torch.empty(self.num_heads, D // self.num_heads))
        self.norm = nn.GroupNorm(self.num_heads, D, eps=_NORM_EPSILON)

    def initial_state(self, batch_size: int) -> TimeMemory:
        H, D = self.num_heads, self.mixes.shape[1]
        return TimeMemory(
            self.mixes.new_zeros(batch_size, H, D // H, D // H),
            self.mixes.new_zeros(batch_size, D),
        )

    def forward(
        self, x: Float[Tensor, "B T D"], state: TimeMemory, first_value: Tensor | None
    ) -> tuple[Float[Tensor, "B T D"], TimeMemory, Float[Tensor, "B T D"]]:
        """What is added to the stream, the state, and the first layer's value."""
        B, T, D = x.shape
        H = self.num_heads
        r, k, v, w, a, g = torch.addcmul(
            x, shifted(x, state.last) - x, self.mixes.view(6, 1, 1, D)
        ).unbind(0)
        r, k, v = self.receptance(r), self.key(k), self._value(v, first_value)
        rate = torch.sigmoid(self.rate(a))
        removed = F.normalize((k * self.removed).view(B, T, H, -1), dim=-1, eps=1e-12)
        k = k * torch.addcmul(1 - self.rate_on_key, rate, self.rate_on_key)
        log_decay = _LEAST_LOG_DECAY * torch.sigmoid(self.decay(w))
        r, k, values, log_decay, rate = (
            each.view(B, T, H, -1) for each in (r, k, v, log_decay, rate)
        )
        read, matrix = matrix_scan(
            r.transpose(1, 2),
            k.transpose(1, 2),
            values.transpose(1, 2),
            log_decay.transpose(1, 2),
            state.matrix,
            Removal(-removed.transpose(1, 2), (removed * rate).transpose(1, 2)),
        )
        outputs = F.layer_norm(read.transpose(1, 2), (D // H,), eps=_NORM_EPSILON).flatten(2)
        outputs = torch.addcmul(self.norm.bias, outputs, self.norm.weight)
        now = (r * k * self.bonus).sum(-1, keepdim=True) * values
        outputs = (outputs + now.flatten(2)) * self.gate(g)
        after = TimeMemory(matrix.to(state.matrix.dtype), x[:, -1].to(state.last.dtype))
        return self.output(outputs), after, v if first_value is None else first_value

    def _value(self, x: Tensor, first: Tensor | None) -> Tensor:
        value: Tensor = self.value(x)
        if first is None or self.first_share is None:
            return value
        return torch.lerp(value, first, torch.sigmoid(self.first_share(x)))


class ChannelMix(nn.Module):
    """W2 relu(W1 x)^2, with x between this token and the one before. State: (B, D), the last
    input.
    """

    def __init__(self, hidden_size: int, mlp_size: int) -> None:
        super().__init__()
        self.mix = nn.Parameter(torch.empty(hidden_size))
        self.key = nn.Linear(hidden_size, mlp_size, bias=False)
        self.value = nn.Linear(mlp_size, hidden_size, bias=False)

    def initial_state(self, batch_size: int) -> Tensor:
        return self.mix.new_zeros(batch_size, len(self.mix))

    def forward(
        self, x: Float[Tensor, "B T D"], last: Float[Tensor, "B D"]
    ) -> tuple[Float[Tensor, "B T D"], Float[Tensor, "B D"]]:
        mixed = torch.addcmul(x, shifted(x, last) - x, self.mix)
        return self.value(torch.relu(self.key(mixed)).square()), x[:, -1].to(last.dtype)
