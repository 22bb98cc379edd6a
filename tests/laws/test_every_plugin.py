"""The laws of seqzoo.testing, for every installed plugin and for the core's own stream."""

from __future__ import annotations

import pytest

from seqzoo import StreamSpec
from seqzoo.data.lanes import Lanes
from seqzoo.testing import BoundLaw, parametrize_laws
from seqzoo.testing.kinds import KINDS

LANES = StreamSpec(
    name="lanes",
    summary="contiguous lanes, which are read without a stream of a plugin",
    open=lambda options, context: Lanes(context.tokens, batch_size=context.batch_size),
)


# The checks of the doctor have tests of their own, and some of them train: they are tried below.
QUICK = [kind for kind in KINDS if kind != "check"]


@parametrize_laws(kinds=QUICK)
def test_law(law: BoundLaw) -> None:
    law.check()


@parametrize_laws(LANES)
def test_law_of_lanes(law: BoundLaw) -> None:
    law.check()


@pytest.mark.slow
@parametrize_laws(thorough=True)
def test_law_thoroughly(law: BoundLaw) -> None:
    law.check()
