"""Sentences that say what records show, in words that the numbers choose."""

import math

from dropkit.figures.tables import direction, number
from dropkit.metrics import Difference

_VERBS = {"higher": "rises by", "lower": "falls by"}


def moves(found: Difference | None, unit: str = "points") -> str:
    """Say how a number moves, so that the sentence is true of whatever was found.

    Parameters
    ----------
    found : Difference or None
        In `unit`, as of ``study.contrast``; None where records are lacking.
    unit : str
        What the difference is counted in.

    Returns
    -------
    str
        Rises or falls where the interval leaves zero out, else "does not move measurably"; with the
        estimate and the interval.

    Examples
    --------
    >>> moves(Difference(5.52, 0.04, 11.0))
    'rises by 5.5 points [0.0, 11.0]'
    >>> moves(Difference(-3.6, -11.7, 4.5))
    'does not move measurably (−3.6 points [−11.7, +4.5])'
    """
    if found is None:
        return "was not measured"
    if math.isnan(found.low):
        return f"moves by {number(found.value, '+z.1f')} {unit} in the one seed there is"
    if verb := _VERBS.get(direction(found)):
        ends = sorted([abs(found.low), abs(found.high)])
        value, low, high = (number(each, ".1f") for each in (abs(found.value), *ends))
        return f"{verb} {value} {unit} [{low}, {high}]"
    value, low, high = (number(each, "+z.1f") for each in found)
    return f"does not move measurably ({value} {unit} [{low}, {high}])"
