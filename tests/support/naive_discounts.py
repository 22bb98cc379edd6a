"""Chen and Goodman's discounts, equation 26, from a plain list of counts."""

from __future__ import annotations


def naive_discounts(counts: list[int]) -> list[float]:
    """Discounts of counts 0, 1, 2 and 3 or more."""
    n1, n2, n3, n4 = (counts.count(k) for k in (1, 2, 3, 4))
    if n1 == 0:
        return [0, 0.5, 0.5, 0.5]
    y = n1 / (n1 + 2 * n2)
    d1 = 1 - 2 * y * n2 / n1
    d2 = 2 - 3 * y * n3 / n2 if n2 else 0
    d2 = d2 if d2 > 0 else d1
    d3 = 3 - 4 * y * n4 / n3 if n3 else 0
    return [0, d1, d2, d3 if d3 > 0 else d2]
