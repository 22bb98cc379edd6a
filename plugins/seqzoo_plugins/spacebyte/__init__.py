"""SpaceByte: attention to every byte, and larger blocks where words end."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from seqzoo import ArchitectureSpec, hookimpl
from seqzoo_plugins.residual.single_tokens import token_by_token
from seqzoo_plugins.spacebyte.options import SpaceByteOptions

if TYPE_CHECKING:
    from seqzoo import ArchitectureContext
    from seqzoo_plugins.spacebyte.model import SpaceByte


def build(options: SpaceByteOptions, context: ArchitectureContext) -> SpaceByte:
    """An initialised model on the CPU."""
    from seqzoo_plugins.spacebyte.model import SpaceByte

    return SpaceByte(options, vocab_size=context.vocab_size, tokenizer=context.tokenizer)


@hookimpl
def register_architectures() -> Iterable[ArchitectureSpec]:
    return [
        ArchitectureSpec(
            name="spacebyte",
            summary="attention to every byte, and larger blocks where words end",
            options=SpaceByteOptions,
            build=build,
            step_by_step=token_by_token(build),
            source="Slagle 2024, arXiv:2404.14408, section 3",
        )
    ]
