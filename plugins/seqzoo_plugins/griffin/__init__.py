"""Griffin: gated linear recurrences and local attention."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from seqzoo import ArchitectureSpec, Benchmark, hookimpl
from seqzoo_plugins.griffin.options import GriffinOptions

if TYPE_CHECKING:
    from seqzoo import ArchitectureContext
    from seqzoo_plugins.griffin.model import Griffin


def build(options: GriffinOptions, context: ArchitectureContext) -> Griffin:
    """An initialised model on the CPU."""
    from seqzoo_plugins.griffin.model import Griffin

    return Griffin(options, vocab_size=context.vocab_size)


def step_by_step(options: GriffinOptions, context: ArchitectureContext) -> Griffin:
    """The same network, one token after the other."""
    model = build(options, context)
    model.token_by_token = True
    return model


@hookimpl
def register_architectures() -> Iterable[ArchitectureSpec]:
    return [
        ArchitectureSpec(
            name="griffin",
            summary="gated linear recurrences (RG-LRU) and local attention",
            options=GriffinOptions,
            build=build,
            step_by_step=step_by_step,
            benchmarks=(
                Benchmark(
                    options={"hidden_size": 256, "num_layers": 1}, bptt_length=256, training=3.0
                ),
            ),
            source="De et al. 2024, arXiv:2402.19427, section 2",
        )
    ]
