"""The gates of torch's recurrent layers, recomputed from their weights; torch returns none.

B batch, T time, H hidden. LSTM: i, f, g, o. GRU: r, z, n, where h' = (1 - z) n + z h. RNN: h.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from seqzoo.doctor.checks._shared import run_over
from seqzoo.doctor.evidence.network import Network

__all__ = ["Activations", "activations"]

Activations = dict[str, Tensor]
"""For each gate its values (N, H), the layer in its name, e.g. "layers.0 forget"."""

_CELLS = {nn.LSTMCell: "LSTM", nn.GRUCell: "GRU", nn.RNNCell: "RNN_TANH"}


def activations(network: Network, inputs: Tensor) -> Activations:
    """Of every nn.LSTM, nn.GRU and nn.RNN, their cells, and every nn.Sigmoid, over `inputs`.

    Layers that read backwards, project, or are ReLU are left out.
    """
    found: dict[str, list[Tensor]] = {}
    names = {module: name for name, module in network.module.named_modules()}

    def keep(gates: dict[str, Tensor], prefix: str) -> None:
        for gate, values in gates.items():
            found.setdefault(f"{prefix} {gate}", []).append(values.flatten(0, -2).cpu())

    def read_layers(module: nn.RNNBase, arguments: tuple[Any, ...], _: Any) -> None:
        x = arguments[0]
        if not isinstance(x, Tensor) or x.ndim != 3:  # packed, or a row without a batch
            return
        x = x if module.batch_first else x.transpose(0, 1)
        state = arguments[1] if len(arguments) > 1 else None
        for layer, weights in enumerate(module.all_weights):
            first = None if state is None else _layer_state(state, layer)
            x, gates = _run_layer(module.mode, x, first, weights)
            keep(gates, f"{names[module]}.{layer}")

    def read_cell(module: nn.RNNCellBase, arguments: tuple[Any, ...], _: Any) -> None:
        weights = [module.weight_ih, module.weight_hh, module.bias_ih, module.bias_hh]
        x, state = arguments[0], arguments[1] if len(arguments) > 1 else None
        if x.ndim == 2:
            keep(_step(_CELLS[type(module)], x, state, weights)[1], names[module])

    def read_sigmoid(module: nn.Sigmoid, _: tuple[Any, ...], output: Tensor) -> None:
        keep({"sigmoid": output}, names[module])

    hooks: dict[nn.Module, Any] = {}
    for module in names:
        if isinstance(module, nn.RNNBase):
            if not module.bidirectional and not module.proj_size and module.mode != "RNN_RELU":
                hooks[module] = read_layers
        elif type(module) in _CELLS and getattr(module, "nonlinearity", "tanh") == "tanh":
            hooks[module] = read_cell
        elif isinstance(module, nn.Sigmoid):
            hooks[module] = read_sigmoid
    run_over(network, inputs, hooks)
    return {name: torch.cat(parts).double() for name, parts in found.items()}


def _layer_state(state: Any, layer: int) -> Any:
    """(L, B, H) states, a pair of them for an LSTM."""
    return tuple(leaf[layer] for leaf in state) if isinstance(state, tuple) else state[layer]


def _run_layer(
    mode: str, x: Tensor, state: Any, weights: Sequence[Tensor]
) -> tuple[Tensor, dict[str, Tensor]]:
    """Outputs (B, T, H) and each gate (B, T, H)."""
    outputs, gates = [], []
    for time in range(x.shape[1]):
        state, now = _step(mode, x[:, time], state, weights)
        outputs.append(state[0] if isinstance(state, tuple) else state)
        gates.append(now)
    return torch.stack(outputs, 1), {
        gate: torch.stack([now[gate] for now in gates], 1) for gate in gates[0]
    }


def _step(
    mode: str, x: Tensor, state: Any, weights: Sequence[Tensor]
) -> tuple[Any, dict[str, Tensor]]:
    """The next state and the gates (B, H) of one step."""
    w_x, w_h, *biases = weights
    b_x, b_h = biases if biases and biases[0] is not None else (w_x.new_zeros(len(w_x)),) * 2
    empty = x.new_zeros(len(x), w_h.shape[1])
    if mode == "LSTM":
        h, c = (empty, empty) if state is None else state
        i, f, g, o = (x @ w_x.T + b_x + h @ w_h.T + b_h).chunk(4, -1)
        i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
        c = f * c + i * g
        return (o * c.tanh(), c), {"input": i, "forget": f, "output": o}
    h = empty if state is None else state
    if mode == "GRU":
        r_x, z_x, n_x = (x @ w_x.T + b_x).chunk(3, -1)
        r_h, z_h, n_h = (h @ w_h.T + b_h).chunk(3, -1)
        r, z = (r_x + r_h).sigmoid(), (z_x + z_h).sigmoid()
        return (1 - z) * (n_x + r * n_h).tanh() + z * h, {"reset": r, "keep": z}
    h = (x @ w_x.T + b_x + h @ w_h.T + b_h).tanh()
    return h, {"tanh": h}
