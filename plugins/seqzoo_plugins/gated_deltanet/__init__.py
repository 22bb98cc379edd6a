"""Gated DeltaNet: a matrix state that forgets, and that replaces what it had stored at a key."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from seqzoo import ArchitectureSpec, Benchmark, hookimpl
from seqzoo_plugins.gated_deltanet.options import GatedDeltaNetOptions
from seqzoo_plugins.residual.single_tokens import token_by_token

if TYPE_CHECKING:
    from seqzoo import ArchitectureContext
    from seqzoo_plugins.gated_deltanet.model import GatedDeltaNet


def build(options: GatedDeltaNetOptions, context: ArchitectureContext) -> GatedDeltaNet:
    """An initialised model on the CPU."""
    from seqzoo_plugins.gated_deltanet.model import GatedDeltaNet

    return GatedDeltaNet(options, vocab_size=context.vocab_size)


@hookimpl
def register_architectures() -> Iterable[ArchitectureSpec]:
    return [
        ArchitectureSpec(
            name="gated_deltanet",
            summary="Gated DeltaNet: a matrix state with decay and the delta rule",
            options=GatedDeltaNetOptions,
            build=build,
            step_by_step=token_by_token(build),
            benchmarks=(
                Benchmark(
                    options={"hidden_size": 64, "num_layers": 2}, bptt_length=256, training=3.5
                ),
            ),
            source="Yang et al. 2024, arXiv:2412.06464, section 3",
        )
    ]
