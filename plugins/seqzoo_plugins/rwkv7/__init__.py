"""RWKV-7: a delta rule with a decay and a learning rate for each channel."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from seqzoo import ArchitectureSpec, Benchmark, hookimpl
from seqzoo_plugins.residual.single_tokens import token_by_token
from seqzoo_plugins.rwkv7.options import RWKV7Options

if TYPE_CHECKING:
    from seqzoo import ArchitectureContext
    from seqzoo_plugins.rwkv7.model import RWKV7


def build(options: RWKV7Options, context: ArchitectureContext) -> RWKV7:
    """An initialised model on the CPU."""
    from seqzoo_plugins.rwkv7.model import RWKV7

    return RWKV7(options, vocab_size=context.vocab_size)


@hookimpl
def register_architectures() -> Iterable[ArchitectureSpec]:
    return [
        ArchitectureSpec(
            name="rwkv7",
            summary="RWKV-7: a matrix state, a delta rule with decay for each channel",
            options=RWKV7Options,
            build=build,
            step_by_step=token_by_token(build),
            benchmarks=(Benchmark(bptt_length=256, training=2.0),),
            source="Peng et al. 2025, arXiv:2503.14456",
        )
    ]
