"""Mamba-2: a selective state space with one decay for each head."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from seqzoo import ArchitectureSpec, Benchmark, hookimpl
from seqzoo_plugins.mamba2.options import Mamba2Options
from seqzoo_plugins.residual.single_tokens import token_by_token

if TYPE_CHECKING:
    from seqzoo import ArchitectureContext
    from seqzoo_plugins.mamba2.model import Mamba2


def build(options: Mamba2Options, context: ArchitectureContext) -> Mamba2:
    """An initialised model on the CPU."""
    from seqzoo_plugins.mamba2.model import Mamba2

    return Mamba2(options, vocab_size=context.vocab_size)


@hookimpl
def register_architectures() -> Iterable[ArchitectureSpec]:
    return [
        ArchitectureSpec(
            name="mamba2",
            summary="Mamba-2: a selective state space, one decay for each head",
            options=Mamba2Options,
            build=build,
            step_by_step=token_by_token(build),
            benchmarks=(
                Benchmark(
                    options={"hidden_size": 64, "num_layers": 2}, bptt_length=256, training=5.0
                ),
            ),
            source="Dao and Gu 2024, arXiv:2405.21060, section 7",
        )
    ]
