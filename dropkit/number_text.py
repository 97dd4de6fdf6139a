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
