"""Griffin: gated linear recurrences and local attention."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from seqzoo import ArchitectureSpec, Benchmark, hookimpl
from seqzoo_plugins.griffin.options import GriffinOptions
from seqzoo_plugins.residual.single_tokens import token_by_token

if TYPE_CHECKING:
    from seqzoo import ArchitectureContext
    from seqzoo_plugins.griffin.model import Griffin


def build(options: GriffinOptions, context: ArchitectureContext) -> Griffin:
    """An initialised model on the CPU."""
    from seqzoo_plugins.griffin.model import Griffin

    return Griffin(options, vocab_size=context.vocab_size)


@hookimpl
def register_architectures() -> Iterable[ArchitectureSpec]:
    return [
        ArchitectureSpec(
            name="griffin",
            summary="gated linear recurrences (RG-LRU) and local attention",
            options=GriffinOptions,
            build=build,
            step_by_step=token_by_token(build),
            benchmarks=(
                Benchmark(
                    options={"hidden_size": 256, "num_layers": 1}, bptt_length=256, training=3.0
                ),
            ),
            source="De et al. 2024, arXiv:2402.19427, section 2",
        )
    ]
