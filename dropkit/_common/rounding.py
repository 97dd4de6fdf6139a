"""Whole samples out of fractions."""

import math

from dropkit._common.errors import UserError

# 0.145 * 100 is 14.499999999999998: no count may hang on the last bits of a product.
_NOISE = 1e-8


def half_up(value: float) -> int:
    """Return the nearest integer, halves up."""
    return math.floor(value + 0.5 + _NOISE)


def budget(n: int, density: float) -> int:
    """Return how many of n samples a density keeps: d·n to the nearest integer, halves up."""
    return half_up(n * density)


def positive_budget(n: int, density: float) -> int:
    """Return `budget`; raise UserError if a density above 0 keeps no sample."""
    kept = budget(n, density)
    if kept == 0 < density:
        raise UserError(
            f"density is {density}: of {n} samples that keeps none, so it must be at least 1/{n}"
        )
    return kept
