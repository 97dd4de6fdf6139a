"""Algorithm 1 as it is printed and as it was released, beside ``quotas.drop_densities``.

What the authors' released code does is stated here after its commit 11e02c0 of 27 January 2025, in
which the loop is in quoters/drop.py and the drawing of samples in utils.py.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from dropkit._common.checks import Floats, Ints, as_floats

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
    rounds: int = 1000,
) -> Printed:
    """Run Algorithm 1 in floating point for at most `rounds` rounds of its outer loop.

    Parameters
    ----------
    class_sizes, recalls : (K,), as in ``quotas.drop_densities``
    density : in [0, 1]

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
        for k in tuple(unsaturated):
            step = weights[k] * rate
            densities[k] += step
            excess -= sizes[k] * step
            if densities[k] > 1:
                unsaturated.remove(k)
                excess += sizes[k] * (densities[k] - 1)
                densities[k] = 1
    return Printed(densities, NEVER, rounds)


def released_counts(class_sizes: ArrayLike, recalls: ArrayLike, total: int) -> Ints:
    """Return how many samples of each class (K,) the authors' released code keeps by its quotas.

    Counts, not densities, are in proportion to 1 − r_k. Every share is rounded down, and the
    counts once more on their way through fractions of `total`; samples drawn at random from all
    classes make up for what is then short. From the second round on a class that is full is taken
    from the list that the round walks along, and the class after it is passed over.

    Raises
    ------
    ValueError
        If all recalls are 1, or the classes that are left to share out have recall 1: there the
        released code stops.
    """
    sizes, weights = as_floats(class_sizes, "class_sizes"), 1 - as_floats(recalls, "recalls")
    counts = _shared(total, weights, np.arange(sizes.size))
    rest = int(np.maximum(counts - sizes, 0).sum())
    room = [k for k in range(sizes.size) if counts[k] <= sizes[k]]
    counts = np.minimum(counts, sizes).astype(np.int64)
    overflown = True
    while rest > 0 and overflown:
        share = _shared(rest, weights, room)
        overflown = False
        for k in room:  # which shrinks on the way
            counts[k] += share[k]
            rest -= share[k]
            if counts[k] > sizes[k]:
                overflown = True
                rest += int(counts[k] - sizes[k])
                counts[k] = sizes[k]
                room.remove(k)
    return np.floor(counts / total * total).astype(np.int64)


def _shared(amount: int, weights: Floats, classes: Sequence[int]) -> Ints:
    """The amount shared out among some classes by weight, rounded down; 0 for the others."""
    shares = np.zeros(weights.size, np.int64)
    if len(classes):
        weight = weights[classes].sum()
        if weight == 0:
            raise ValueError("all classes that are left to share out have recall 1")
        shares[classes] = np.floor(amount * weights[classes] / weight)
    return shares
