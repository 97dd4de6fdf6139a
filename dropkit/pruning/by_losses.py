"""Rules that select anew after every epoch, by each sample's loss when it was last trained on.

The number of samples stays what the density grants, so that every rule takes the same steps.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from dropkit._common.checks import Floats, Ints
from dropkit._common.ranking import top_in_class
from dropkit.pruning.rules import Draw, gumbel
from dropkit.quotas import class_counts, weighted_densities

ANNEALING = 0.875  # share of the training after which InfoBatch draws from all alike


class Moment(NamedTuple):
    """What is known of n samples after an epoch.

    `losses` (n,) are those of guessing, `guess`, where a sample was not trained on; `before` has
    the samples of the last epoch, all before the first; `done` is the share of epochs that passed.
    """

    losses: Floats
    labels: Ints
    before: Ints
    guess: float
    done: float


class Selected(NamedTuple):
    """Sorted indices (m,) of the samples of the next epoch, and the weights of their losses."""

    chosen: Ints
    weights: Floats


def infobatch(moment: Moment, total: int, draw: Draw) -> Selected:
    """Return InfoBatch's next samples (Qin et al., 2024), at a given number of them.

    Samples of a loss below the mean are left out at random and the rest of them weigh more, so that
    the mean gradient stays that of all; the others stay, as far as the number reaches: those below
    the mean keep at least half of their proportion. The last eighth draws from all alike.

    Parameters
    ----------
    moment : Moment
        Losses of the training samples.
    total : int
        How many to select.
    draw : callable
        Draws uniform random numbers.
    """
    losses = moment.losses
    learned = ((losses < losses.mean()) & (moment.done < ANNEALING)).astype(np.int64)
    sizes = np.bincount(learned, minlength=2)
    few = max(total - int(sizes[0]), -int(-total * sizes[1] // (2 * losses.size)))
    counts = np.array([total - few, few])
    chosen = top_in_class(draw(losses.size), learned, counts)
    return Selected(chosen, (sizes / np.maximum(counts, 1))[learned[chosen]])


def rcap(moment: Moment, total: int, draw: Draw) -> Selected:
    """Return RCAP's next samples (Hassan et al., 2025): class counts, and draws by loss in a class.

    A class's share is as the square root of its size times its mass: the sum of the softmax of its
    losses, at most those of guessing, over the samples of the last epoch.

    Parameters
    ----------
    moment, total, draw : Moment, int, callable
        As in `infobatch`.
    """
    labels = moment.labels
    sizes = np.bincount(labels)
    exponents = np.exp(np.clip(moment.losses, 0, moment.guess))
    masses = exponents / np.bincount(labels, exponents)[labels]
    mass = np.bincount(labels[moment.before], masses[moment.before], minlength=sizes.size)
    weights = np.sqrt(mass / np.maximum(sizes, 1))  # of densities: counts are those times sizes
    densities = weighted_densities(sizes.astype(float), weights, total / labels.size)
    counts = class_counts(sizes, densities, total=total)
    keys = gumbel(draw(labels.size)) + np.log(masses)
    return Selected(top_in_class(keys, labels, counts), np.ones(total))


BY_LOSSES: dict[str, Callable[[Moment, int, Draw], Selected]] = {
    "infobatch": infobatch,
    "rcap": rcap,
}


def first(name: str, labels: Ints, total: int, draw: Draw) -> Ints:
    """Return what a rule selects before any loss is known."""
    n = labels.size
    return BY_LOSSES[name](Moment(np.ones(n), labels, np.arange(n), 1.0, 0.0), total, draw).chosen
