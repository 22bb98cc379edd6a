"""A mixture of any architectures: the weighted mean of their probabilities."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from seqzoo import ArchitectureSpec, Choice, Combination, hookimpl
from seqzoo_plugins.mixture.options import MixtureOptions

if TYPE_CHECKING:
    from torch import Tensor

    from seqzoo import ArchitectureContext
    from seqzoo_plugins.mixture.model import Mixture


def build(options: MixtureOptions, context: ArchitectureContext) -> Mixture:
    """An initialised model on the CPU, with equal weights."""
    from seqzoo_plugins.mixture.model import Mixture

    return Mixture(context.build(member) for member in options.members)


def options_of(members: tuple[Choice, ...]) -> MixtureOptions:
    """The options of a mixture of these architectures."""
    return MixtureOptions(members=members)


def weights_of(
    members: Sequence[Mapping[str, Tensor]], shares: Sequence[float]
) -> Mapping[str, Tensor]:
    """The weights of a mixture of trained members."""
    from seqzoo_plugins.mixture.model import combined_weights

    return combined_weights(members, shares)


@hookimpl
def register_architectures() -> Iterable[ArchitectureSpec]:
    yield ArchitectureSpec(
        name="mixture",
        summary="the weighted mean of the probabilities of several architectures",
        options=MixtureOptions,
        build=build,
        combination=Combination(options=options_of, weights=weights_of),
        source="linear interpolation, Jelinek and Mercer 1980",
    )
