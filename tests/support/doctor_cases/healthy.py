"""Models, losses and batches that are sound: whatever is said of them is a false alarm."""

from __future__ import annotations

from torch import nn

from doctor_cases.case import Case
from doctor_cases.makers import carried, windowed
from doctor_cases.models import Attention, Causal, Recurrent, Stateless

__all__ = ["CASES"]

CASES = (
    Case(
        name="LSTM on lanes, state carried",
        source="pytorch/examples word_language_model",
        make=carried(Recurrent),
    ),
    Case(
        name="GRU on lanes, state carried",
        source="torch.nn.GRU documentation",
        make=carried(lambda V, H: Recurrent(V, H, cell=nn.GRU)),
    ),
    Case(
        name="learnt positions on random windows",
        source="karpathy/nanoGPT",
        make=windowed(Attention),
    ),
    Case(
        name="causal convolution on random windows",
        source="arXiv:1609.03499, WaveNet",
        make=windowed(lambda V, H, T: Causal(V, H)),
    ),
    Case(
        name="stateless LSTM on random windows",
        source="spro/char-rnn.pytorch",
        make=windowed(lambda V, H, T: Stateless(V, H)),
    ),
)
