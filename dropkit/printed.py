"""Algorithm 1 of the paper as it is printed, to be compared with ``quotas.drop_densities``."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from dropkit.quotas import Floats, as_floats

ENDS, DIVIDES, NEVER = "ends", "divides by zero", "does not end"


class Printed(NamedTuple):
    """Class densities (K,) when the loop was left, how it was left, and after how many rounds."""

    densities: Floats
    outcome: str
    rounds: int


def algorithm_1(
    class_sizes: ArrayLike,
    recalls: ArrayLike,
    density: float,
    *,
    skipping: bool = False,
    rounds: int = 1000,
) -> Printed:
    """Run Algorithm 1 in floating point for at most `rounds` rounds of its outer loop.

    Parameters
    ----------
    class_sizes, recalls : (K,), as in ``quotas.drop_densities``
    density : in [0, 1]
    skipping : bool
        Whether a full class is taken from the very list that the round walks along, as the authors'
        released code does: the class after it then gets nothing in that round.

    Returns
    -------
    Printed; its outcome is "ends", "divides by zero" (no weight is left to share out by), or
    "does not end" within the rounds.
    """
    sizes, weights = as_floats(class_sizes, "class_sizes"), 1 - as_floats(recalls, "recalls")
    densities = np.zeros(sizes.size)
    unsaturated = list(range(sizes.size))
    excess = float(density * sizes.sum())
    for done in range(rounds):
        if not excess > 0:
            return Printed(densities, ENDS, done)
        weight = sum(sizes[k] * weights[k] for k in unsaturated)
        if weight == 0:
            return Printed(densities, DIVIDES, done)
        rate = excess / weight  # 1 / Z, which the paper fixes before the inner loop
        for k in unsaturated if skipping else tuple(unsaturated):
            step = weights[k] * rate
            densities[k] += step
            excess -= sizes[k] * step
            if densities[k] > 1:
                unsaturated.remove(k)
                excess += sizes[k] * (densities[k] - 1)
                densities[k] = 1
    return Printed(densities, NEVER, rounds)
