"""minLSTM: an LSTM whose gates do not read the state, trained with a parallel scan."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from seqzoo import ArchitectureSpec, Benchmark, hookimpl
from seqzoo_plugins.residual.options import MinimalOptions
from seqzoo_plugins.residual.single_tokens import token_by_token

if TYPE_CHECKING:
    from seqzoo import ArchitectureContext
    from seqzoo_plugins.residual.minimal import MinimalStack


def build(options: MinimalOptions, context: ArchitectureContext) -> MinimalStack:
    """An initialised model on the CPU."""
    from seqzoo_plugins.minlstm.model import MinLSTMLayer
    from seqzoo_plugins.residual.minimal import MinimalStack

    return MinimalStack(MinLSTMLayer, options, vocab_size=context.vocab_size)


@hookimpl
def register_architectures() -> Iterable[ArchitectureSpec]:
    return [
        ArchitectureSpec(
            name="minlstm",
            summary="minLSTM: gates without the state, trained in parallel",
            options=MinimalOptions,
            build=build,
            step_by_step=token_by_token(build),
            benchmarks=(
                Benchmark(
                    options={"hidden_size": 256, "num_layers": 1}, bptt_length=256, training=3.0
                ),
            ),
            source="Feng et al. 2024, arXiv:2410.01201, section 3.2",
        )
    ]
