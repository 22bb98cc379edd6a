"""The laws of plugins as a kit for their authors' tests (docs/testing.md).

    from seqzoo.testing import parametrize_laws

    @parametrize_laws("seqzoo_mine")
    def test_law(law):
        law.check()

What is listed in `__all__` is public. Nothing here prints.
"""

from __future__ import annotations

from seqzoo.testing.api import check, laws, parametrize_laws
from seqzoo.testing.law import Finding, Law, LawBroken
from seqzoo.testing.trying import BoundLaw, Tried

__all__ = [
    "BoundLaw",
    "Finding",
    "Law",
    "LawBroken",
    "Tried",
    "check",
    "laws",
    "parametrize_laws",
]
