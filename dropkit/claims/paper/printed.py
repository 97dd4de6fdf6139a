"""Algorithm 1 as it is printed and as it was released, beside ``quotas.drop_densities``.

What the authors' released code does is stated here after its commit 11e02c0 of 27 January 2025, in
which the loop is in quoters/drop.py and the drawing of samples in utils.py.
"""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from dropkit._common.checks import Floats, Ints, as_floats
from dropkit.datasets.long_tail import tail_sizes
from dropkit.figures.tables import Table
from dropkit.quotas import drop_densities

ENDS, DIVIDES, NEVER = "ends", "divides by zero", "does not end"
ROUNDS = 1000


class Printed(NamedTuple):
    """Class densities (K,) when the loop was left, how it was left, and after how many rounds."""

    densities: Floats
    outcome: str
    rounds: int


def algorithm_1(class_sizes: ArrayLike, recalls: ArrayLike, density: float) -> Printed:
    """Run Algorithm 1 in floating point for at most ``ROUNDS`` rounds of its outer loop.

    It ends, divides by zero as no weight is left to share out by, or does not end in the rounds.
    """
    sizes, weights = as_floats(class_sizes, "class_sizes"), 1 - as_floats(recalls, "recalls")
    densities = np.zeros(sizes.size)
    unsaturated = list(range(sizes.size))
    excess = float(density * sizes.sum())
    for done in range(ROUNDS):
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
    return Printed(densities, NEVER, ROUNDS)


def released_counts(class_sizes: ArrayLike, recalls: ArrayLike, total: int) -> Ints:
    """Return how many samples of each class (K,) the authors' released code keeps by its quotas.

    Counts, not densities, are in proportion to 1 − r_k. Every share is rounded down, and the
    counts once more on their way through fractions of `total`; samples drawn at random from all
    classes make up for what is then short. From the second round on a class that is full is taken
    from the list that the round walks along, and the class after it is passed over. Raises
    ValueError where the code stops: all classes that are left to share out have recall 1.
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
            raise ValueError("recalls are 1 in all classes that have room: one must be below 1")
        shares[classes] = np.floor(amount * weights[classes] / weight)
    return shares


def readings_apart(instances: int, rng: np.random.Generator) -> Table:
    """Return how far quotas read as densities and as counts differ, ten classes in a long tail."""
    rows = []
    for factor in (1, 2, 5, 20):
        sizes = tail_sizes(500, 10, factor)
        gaps, moved = [], []
        for _ in range(instances):
            recalls = rng.uniform(0.3, 0.98, 10)
            text, code = (
                drop_densities(sizes, recalls, 0.3, rule=rule) for rule in ("densities", "counts")
            )
            gaps.append(np.abs(text - code).max())
            moved.append(np.abs(sizes * (text - code)).sum() / 2 / (0.3 * sizes.sum()))
        gap = f"{np.median(gaps):.2f}", f"{max(gaps):.2f}"
        rows.append([f"{factor:g}", *gap, f"{np.mean(moved):.0%}"])
    headers = ["imbalance factor I", "largest difference of a class density, median", "at most"]
    return Table(rows, [*headers, "of the kept samples, in another class"])


def outcomes(instances: int, rng: np.random.Generator) -> Table:
    """Return how often Algorithm 1 as printed ends, on random class sizes and recalls."""
    rows = []
    for title, draw in {
        "any recall": lambda k: rng.uniform(0, 1, k),
        "recalls from 45 samples": lambda k: rng.integers(0, 46, k) / 45,
    }.items():
        found = Counter()
        for _ in range(instances):
            k = int(rng.integers(2, 21))
            sizes, density = rng.integers(1, 501, k), float(rng.uniform(0.05, 0.95))
            found[algorithm_1(sizes, draw(k), density).outcome] += 1
        rows.append([title, *(f"{found[o] / instances:.1%}" for o in (ENDS, NEVER, DIVIDES))])
    headers = ["instances", "ends", f"does not end in {ROUNDS} rounds", "divides by zero"]
    return Table(rows, headers, "Algorithm 1 as printed")


def released_apart(draws: int, rng: np.random.Generator) -> Table:
    """Return how far `released_counts` is off the closed form, on 100 balanced classes of 500."""
    rows, sizes = [], np.full(100, 500)
    for density in (0.1, 0.3, 0.5, 0.7, 0.9):
        total = round(density * sizes.sum())
        off = []
        for _ in range(draws):
            recalls = np.clip(rng.normal(0.7, 0.12, 100), 0.3, 0.98)
            code = released_counts(sizes, recalls, total)
            gaps = np.abs(code - sizes * drop_densities(sizes, recalls, density))
            off.append([gaps.mean(), gaps.max(), total - code.sum()])
        rows.append([density, *(f"{mean:.1f}" for mean in np.mean(off, axis=0))])
    headers = ["density", "samples a class is off, mean", "largest", "samples short in all"]
    return Table(rows, headers)
