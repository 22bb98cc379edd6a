"""The recurrence of the sLSTM over time, forward and backward.

    F = exp(log sigmoid(f) + m - m'),  I = exp(i - m'),  m' = max(log sigmoid(f) + m, i)
    c' = F c + I tanh(z)        n' = F n + I        h' = sigmoid(o) c' / n'

Backward, with d. the loss's derivative by each, from the last step to the first. h does not depend
on m, which scales c and n, so m is a constant:

    dc' += dh' sigmoid(o) / n'            dn' -= dh' h' / n'
    d_i  = (dc' tanh(z) + dn') I          d_f  = (dc' c + dn' n) F (1 - sigmoid(f))
    d_z  = dc' I (1 - tanh(z)^2)          d_o  = dh' h' (1 - sigmoid(o))
    dc   = dc' F                          dn   = dn' F
    dh   = [d_i, d_f, d_z, d_o] R'

Autograd of the equation takes several times as long.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

__all__ = ["slstm"]


def slstm(
    gates: Tensor,
    recurrent: Tensor,
    hidden: Tensor,
    cell: Tensor,
    normaliser: Tensor,
    maximum: Tensor,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Hiddens (T, heads, B, N), and cell, normaliser and maximum after the last step.

    gates: (T, heads, B, 4 N), the sums of i, f, z, o without the recurrent product.
    recurrent: (heads, N, 4 N). The memories: (heads, B, N).
    """
    dtype = torch.promote_types(recurrent.dtype, torch.float32)
    tensors = [each.to(dtype) for each in (gates, recurrent, hidden, cell, normaliser, maximum)]
    with torch.autocast(gates.device.type, enabled=False):
        if len(gates) > 1:
            after: tuple[Tensor, Tensor, Tensor, Tensor] = _Loop.apply(*tensors)  # type: ignore[no-untyped-call]
            return after
        gates, recurrent, hidden, *memories = tensors
        hidden, *last = _step(torch.baddbmm(gates[0], hidden, recurrent), *memories)
        return hidden.unsqueeze(0), last[0], last[1], last[2]


def _step(
    sums: Tensor, cell: Tensor, normaliser: Tensor, maximum: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The equation of this module; hidden, cell, normaliser, maximum after it."""
    i, f, z, o = sums.chunk(4, dim=-1)
    log_forget = F.logsigmoid(f) + maximum
    maximum = torch.maximum(log_forget, i).detach()
    keep, take = (log_forget - maximum).exp(), (i - maximum).exp()
    cell = torch.addcmul(keep * cell, take, torch.tanh(z))
    normaliser = torch.addcmul(take, keep, normaliser)
    return torch.sigmoid(o) * (cell / normaliser), cell, normaliser, maximum


class _Loop(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, gates: Tensor, recurrent: Tensor, hidden: Tensor, *memories: Tensor
    ) -> tuple[Tensor, ...]:
        after = [(hidden, *memories)]
        sums = []
        for x in gates.unbind(0):
            sums.append(torch.baddbmm(x, after[-1][0], recurrent))
            after.append(_step(sums[-1], *after[-1][1:]))
        hiddens, cells, normalisers, maxima = (
            torch.stack(each) for each in zip(*after, strict=True)
        )
        ctx.save_for_backward(recurrent, torch.stack(sums), hiddens, cells, normalisers, maxima)
        ctx.mark_non_differentiable(last := maxima[-1].clone())
        return hiddens[1:].clone(), cells[-1].clone(), normalisers[-1].clone(), last

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, d_hiddens: Tensor, d_cell: Tensor, d_normaliser: Tensor, _: Tensor
    ) -> tuple[Tensor | None, ...]:
        recurrent, sums, hiddens, cells, normalisers, maxima = ctx.saved_tensors
        # First the local derivatives of all steps at once; then the loop over time.
        i, f, z, o = sums.chunk(4, dim=-1)
        take = (i - maxima[1:]).exp()
        keep = (F.logsigmoid(f) + (maxima[:-1] - maxima[1:])).exp()
        z = torch.tanh(z)
        of_forget = keep * torch.sigmoid(-f)
        out = torch.sigmoid(o)
        by_cell = torch.stack([take * z, of_forget * cells[:-1], take * (1 - z * z)], dim=-2)
        by_normaliser = torch.stack([take, of_forget * normalisers[:-1]], dim=-2)
        by_output = hiddens[1:] * (1 - out)
        cell_by_hidden = out / normalisers[1:]
        normaliser_by_hidden = -hiddens[1:] / normalisers[1:]
        d_sums = torch.empty_like(sums)
        earlier = (torch.zeros_like(d_cell), *d_hiddens.unbind(0))
        dh, dc, dn, back = d_hiddens[-1], d_cell.clone(), d_normaliser.clone(), recurrent.mT
        by_gate = d_sums.unflatten(-1, (4, -1))
        for t in reversed(range(len(sums))):
            dc.addcmul_(dh, cell_by_hidden[t])
            dn.addcmul_(dh, normaliser_by_hidden[t])
            torch.mul(by_cell[t], dc.unsqueeze(-2), out=by_gate[t, :, :, :3])
            by_gate[t, :, :, :2].addcmul_(by_normaliser[t], dn.unsqueeze(-2))
            torch.mul(dh, by_output[t], out=by_gate[t, :, :, 3])
            dh = torch.baddbmm(earlier[t], d_sums[t], back)
            dc.mul_(keep[t])
            dn.mul_(keep[t])
        before = hiddens[:-1].transpose(0, 1).flatten(1, 2)  # (heads, T B, N)
        d_recurrent = before.mT @ d_sums.transpose(0, 1).flatten(1, 2)
        return d_sums, d_recurrent, dh, dc, dn, None
