"""WaveNet: dilated causal convolutions with gates."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from seqzoo import ArchitectureSpec, Benchmark, hookimpl
from seqzoo_plugins.residual.single_tokens import token_by_token
from seqzoo_plugins.wavenet.options import WaveNetOptions

if TYPE_CHECKING:
    from seqzoo import ArchitectureContext
    from seqzoo_plugins.wavenet.model import WaveNet


def build(options: WaveNetOptions, context: ArchitectureContext) -> WaveNet:
    """An initialised model on the CPU."""
    from seqzoo_plugins.wavenet.model import WaveNet

    return WaveNet(options, vocab_size=context.vocab_size)


@hookimpl
def register_architectures() -> Iterable[ArchitectureSpec]:
    return [
        ArchitectureSpec(
            name="wavenet",
            summary="WaveNet: dilated causal convolutions with gates",
            options=WaveNetOptions,
            build=build,
            step_by_step=token_by_token(build),
            benchmarks=(Benchmark(bptt_length=256, training=3.0),),
            source="van den Oord et al. 2016, arXiv:1609.03499, section 2",
        )
    ]
