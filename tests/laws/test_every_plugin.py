"""The laws of seqzoo.testing, for every installed plugin and for the core's own stream."""

from __future__ import annotations

import pytest

from seqzoo import StreamSpec
from seqzoo.data.lanes import Lanes
from seqzoo.testing import BoundLaw, parametrize_laws

LANES = StreamSpec(
    name="lanes",
    summary="contiguous lanes, which are read without a stream of a plugin",
    open=lambda options, context: Lanes(context.tokens, batch_size=context.batch_size),
)


@parametrize_laws()
def test_law(law: BoundLaw) -> None:
    law.check()


@parametrize_laws(LANES)
def test_law_of_lanes(law: BoundLaw) -> None:
    law.check()


@pytest.mark.slow
@parametrize_laws(thorough=True)
def test_law_thoroughly(law: BoundLaw) -> None:
    law.check()
