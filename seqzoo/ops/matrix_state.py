"""The linear recurrence of a matrix state: decay, removal, and the outer product of key and value.

For each head, with a state S of keys by values (K x E), q, k, a, b of K and v of E elements:

    S[t] = diag(d[t]) S[t-1] + b[t] (a[t]' S[t-1]) + k[t] v[t]'        o[t] = S[t]' q[t]

Mamba-2 and mLSTM have one decay for each head and no removal. The delta rule removes what is read
at the key: a = -(decay * strength) k, b = k. RWKV-7 has a decay for each key element, and removal.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from seqzoo.ops.decay import HeadDecay, KeyDecay
from seqzoo.ops.precision import at_least_float32, without_autocast
from seqzoo.ops.shapes import expect_shapes

__all__ = ["Removal", "matrix_scan", "matrix_scan_by_step"]

_CHUNK = 32
"""Tokens at a time: more is more arithmetic, fewer is more calls."""


class Removal(NamedTuple):
    """What is added to the state is also b (a' S): read at a, written at b. (B, heads, T, K).

    write: None for the keys, which takes about half of the arithmetic. The delta rule has this
    form: a = -(decay * strength) k, b = k.
    """

    read: Tensor
    write: Tensor | None = None

    def map(self, function: Callable[[Tensor], Tensor]) -> Removal:
        """The function of both."""
        return Removal(function(self.read), None if self.write is None else function(self.write))


def matrix_scan(
    queries: Tensor,
    keys: Tensor,
    values: Tensor,
    log_decay: Tensor,
    state: Tensor | None = None,
    removal: Removal | None = None,
    *,
    chunk: int = _CHUNK,
) -> tuple[Tensor, Tensor]:
    """Outputs (B, heads, T, E), and the state (B, heads, K, E) after the last token.

    queries, keys: (B, heads, T, K), or (B, 1, T, K) if all heads share them.
    values: (B, heads, T, E).
    log_decay: (B, heads, T), one for each head, or (B, heads, T, K), one for each key element; 0 or
    less. One for each key element must not sum up to less than -80 over half a chunk, because its
    exponential is a divisor.
    state: before the first token; None for zeros.
    chunk: tokens at a time. It changes the time and the rounding, not the result.

    Half precision is computed, and returned, in float32. Raises ValueError for a wrong shape.
    Source: the chunked forms of Yang et al. 2024, arXiv:2406.06484, section 3, for removal, and of
    Dao and Gu 2024, arXiv:2405.21060, section 6, for the decay.
    """
    if chunk < 1:
        raise ValueError(f"matrix_scan: chunk is {chunk}, expected 1 or more.")
    _expect_shapes(queries, keys, values, log_decay, state, removal)
    queries, keys, values, log_decay = map(at_least_float32, (queries, keys, values, log_decay))
    if removal is not None:
        removal = removal.map(at_least_float32)
    if state is None:
        state = _empty(keys, values)
    T = values.shape[2]
    if T == 0:
        return values, state
    with without_autocast(queries):
        if T == 1:
            return _one_token(queries, keys, values, log_decay, state, removal)
        chunk = min(chunk, T)
        # Tokens with keys of zero and no decay fill up the last chunk: they change no state.
        queries, keys, values, log_decay = (
            _in_chunks(each, chunk) for each in (queries, keys, values, log_decay)
        )
        decay = KeyDecay(log_decay) if log_decay.ndim == 5 else HeadDecay(log_decay)
        if removal is None:
            outputs, state = _kept(queries, keys, values, decay, state)
        else:
            removal = removal.map(lambda each: _in_chunks(each, chunk))
            form = _replaced if removal.write is None else _removed
            outputs, state = form(queries, keys, values, decay, state, removal)
        return outputs.flatten(2, 3)[:, :, :T], state


def matrix_scan_by_step(
    queries: Tensor,
    keys: Tensor,
    values: Tensor,
    log_decay: Tensor,
    state: Tensor | None = None,
    removal: Removal | None = None,
) -> tuple[Tensor, Tensor]:
    """The same, token by token, as the equation says; slow, `matrix_scan` is compared with it.

    See `matrix_scan` for the shapes.
    """
    _expect_shapes(queries, keys, values, log_decay, state, removal)
    if state is None:
        state = _empty(keys, values)
    if values.shape[2] == 0:
        return values, state
    outputs = []
    for time in range(values.shape[2]):
        now = itemgetter((slice(None), slice(None), slice(time, time + 1)))
        query, key, value, log = map(now, (queries, keys, values, log_decay))
        output, state = _one_token(query, key, value, log, state, removal and removal.map(now))
        outputs.append(output)
    return torch.cat(outputs, dim=2), state


def _expect_shapes(
    queries: Tensor,
    keys: Tensor,
    values: Tensor,
    log_decay: Tensor,
    state: Tensor | None,
    removal: Removal | None,
) -> None:
    def heads(x: Tensor) -> str:
        return "B 1 T K" if x.shape[1:2] == (1,) else "B H T K"

    read, write = removal or (None, None)
    expect_shapes(
        "matrix_scan",
        values=(values, "B H T E"),
        keys=(keys, heads(keys)),
        queries=(queries, heads(queries)),
        log_decay=(log_decay, "B H T K" if log_decay.ndim == 4 else "B H T"),
        state=(state, "B H K E"),
        removal_read=(read, "B H T K"),
        removal_write=(write, "B H T K"),
    )


def _one_token(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    log_decay: Tensor,
    state: Tensor,
    removal: Removal | None,
) -> tuple[Tensor, Tensor]:
    """The equation of this module, with T = 1."""
    decay = log_decay.exp()
    after = state * (decay.transpose(2, 3) if decay.ndim == 4 else decay.unsqueeze(3))
    if removal is not None:
        read = removal.read @ state
        if removal.write is None:
            value = value + read
        else:
            after = after + removal.write.transpose(2, 3) * read
    after = after + key.transpose(2, 3) * value
    return query @ after, after


def _kept(
    queries: Tensor, keys: Tensor, values: Tensor, decay: HeadDecay | KeyDecay, state: Tensor
) -> tuple[Tensor, Tensor]:
    """(B, heads, chunks, C, E) outputs, and the state: without removal.

    With S before the chunk, o[i] = q[i]' d[i] S + sum over j <= i of (q[i]' d[i, j] k[j]) v[j].
    """
    written = decay.to_end(keys).mT @ values
    starts = []
    for kept, new in zip(decay.of_chunk.unbind(2), written.unbind(2), strict=True):
        starts.append(state)
        state = torch.addcmul(new, kept, state)
    outputs = decay.pairs(queries, keys) @ values
    return outputs + decay.from_start(queries) @ torch.stack(starts, dim=2), state


def _replaced(
    queries: Tensor,
    keys: Tensor,
    values: Tensor,
    decay: HeadDecay | KeyDecay,
    state: Tensor,
    removal: Removal,
) -> tuple[Tensor, Tensor]:
    """(B, heads, chunks, C, E) outputs, and the state: with removal that is written at the keys.

    w[i] = v[i] + a[i]' S[i-1] is all that is written at token i. It is a sum over earlier tokens j:

        w[i] = v[i] + a[i]' d[i-1] S + sum over j < i of (a[i]' d[i-1, j] k[j]) w[j]

    These are C equations with a triangular matrix. They are solved for the factor of S and for the
    constant at once, so that only two products wait for the chunk before.
    """
    (read, _), C = removal, keys.shape[-2]
    solved = torch.linalg.solve_triangular(
        torch.eye(C, dtype=keys.dtype, device=keys.device) - decay.pairs_before(read, keys),
        torch.cat([decay.from_start_before(read), values], dim=-1),
        upper=False,
        unitriangular=True,
    )
    factors, constants = solved.split([read.shape[-1], values.shape[-1]], dim=-1)
    starts, writes = [], []
    for kept, factor, constant, to_end in zip(
        *(each.unbind(2) for each in (decay.of_chunk, factors, constants, decay.to_end(keys).mT)),
        strict=True,
    ):
        starts.append(state)
        writes.append(constant + factor @ state)
        state = torch.addcmul(to_end @ writes[-1], kept, state)
    outputs = decay.pairs(queries, keys) @ torch.stack(writes, dim=2)
    return outputs + decay.from_start(queries) @ torch.stack(starts, dim=2), state


def _removed(
    queries: Tensor,
    keys: Tensor,
    values: Tensor,
    decay: HeadDecay | KeyDecay,
    state: Tensor,
    removal: Removal,
) -> tuple[Tensor, Tensor]:
    """The same with removal that is written elsewhere.

    u[i] = a[i]' S[i-1] is what the removal reads at token i:

        u[i] = a[i]' d[i-1] S + sum over j < i of (a[i]' d[i-1, j] b[j]) u[j]
                              + sum over j < i of (a[i]' d[i-1, j] k[j]) v[j]
    """
    read, write = removal
    assert write is not None
    C, K = keys.shape[-2:]
    own = torch.eye(C, dtype=keys.dtype, device=keys.device)
    solved = torch.linalg.solve_triangular(
        own - decay.pairs_before(read, write),
        torch.cat([decay.from_start_before(read), decay.pairs_before(read, keys) @ values], dim=-1),
        upper=False,
        unitriangular=True,
    )
    factors, constants = solved.split([K, values.shape[-1]], dim=-1)
    new = decay.to_end(keys).mT @ values
    write_to_end = decay.to_end(write).mT
    starts, reads = [], []
    for kept, factor, constant, removed, added in zip(
        *(each.unbind(2) for each in (decay.of_chunk, factors, constants, write_to_end, new)),
        strict=True,
    ):
        starts.append(state)
        reads.append(constant + factor @ state)
        state = torch.addcmul(added, kept, state) + removed @ reads[-1]
    outputs = decay.pairs(queries, keys) @ values
    outputs = outputs + decay.pairs(queries, write) @ torch.stack(reads, dim=2)
    return outputs + decay.from_start(queries) @ torch.stack(starts, dim=2), state


def _empty(keys: Tensor, values: Tensor) -> Tensor:
    return values.new_zeros(*values.shape[:2], keys.shape[-1], values.shape[-1])


def _in_chunks(x: Tensor, chunk: int) -> Tensor:
    """(B, heads, T, ...) to (B, heads, chunks, C, ...), filled up with zeros."""
    missing = -x.shape[2] % chunk
    if missing:
        x = F.pad(x, (0, 0) * (x.ndim - 3) + (0, missing))
    chunks: Tensor = x.unflatten(2, (-1, chunk))
    return chunks
