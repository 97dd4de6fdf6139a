"""Numbers as a reader sees them."""

import math
from decimal import Decimal


def number(value: float | Decimal, form: str) -> str:
    """A number in a format such as ".1f", with a true minus sign; a dash for NaN.

    Examples
    --------
    >>> number(-1.25, "+.2f"), number(-0.001, "z.2f"), number(float("nan"), ".2f")
    ('−1.25', '0.00', '–')
    """
    return "–" if math.isnan(value) else f"{value:{form}}".replace("-", "−")


def with_interval(found: tuple[float, float, float], form: str) -> str:
    """A number and its interval; alone where the interval is NaN, as of a single seed.

    A line may end before the interval and not within it.

    Examples
    --------
    >>> with_interval((3.14, -1, 7.25), "+.1f").replace("\N{NO-BREAK SPACE}", " ")
    '+3.1 [−1.0, +7.2]'
    """
    value, low, high = (number(each, form) for each in found)
    return value if math.isnan(found[1]) else f"{value} [{low},\N{NO-BREAK SPACE}{high}]"
