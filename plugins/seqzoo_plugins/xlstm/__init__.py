"""xLSTM: LSTMs with exponential gates, one with a matrix memory and one with a scalar memory."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from seqzoo import ArchitectureSpec, Benchmark, hookimpl
from seqzoo_plugins.residual.single_tokens import token_by_token
from seqzoo_plugins.xlstm.options import XLSTMOptions

if TYPE_CHECKING:
    from seqzoo import ArchitectureContext
    from seqzoo_plugins.xlstm.model import XLSTM


def build(options: XLSTMOptions, context: ArchitectureContext) -> XLSTM:
    """An initialised model on the CPU."""
    from seqzoo_plugins.xlstm.model import XLSTM

    return XLSTM(options, vocab_size=context.vocab_size)


@hookimpl
def register_architectures() -> Iterable[ArchitectureSpec]:
    return [
        ArchitectureSpec(
            name="xlstm",
            summary="xLSTM: blocks of mLSTM, a matrix memory, and of sLSTM, a scalar memory",
            options=XLSTMOptions,
            build=build,
            step_by_step=token_by_token(build),
            benchmarks=(Benchmark(options={"slstm_every": 0}, bptt_length=256, training=4.0),),
            source="Beck et al. 2024, arXiv:2405.04517",
        )
    ]
