"""A transformer with a sliding window, stateful through its rolling key/value cache."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from seqzoo import ArchitectureSpec, hookimpl
from seqzoo_plugins.transformer.options import TransformerOptions

if TYPE_CHECKING:
    from seqzoo import ArchitectureContext
    from seqzoo_plugins.transformer.model import Transformer


def build(options: TransformerOptions, context: ArchitectureContext) -> Transformer:
    """An initialised model on the CPU."""
    from seqzoo_plugins.transformer.model import Transformer

    return Transformer(options, vocab_size=context.vocab_size)


@hookimpl
def register_architectures() -> Iterable[ArchitectureSpec]:
    return [
        ArchitectureSpec(
            name="transformer",
            summary="pre-norm transformer, rotary positions, sliding window, key/value cache",
            options=TransformerOptions,
            build=build,
            standalone=Path(__file__).with_name("standalone.py"),
            source="Vaswani et al. 2017, arXiv:1706.03762; rotary: Su et al. 2021, "
            "arXiv:2104.09864; window: Beltagy et al. 2020, arXiv:2004.05150",
        )
    ]
