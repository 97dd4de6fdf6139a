"""What the chapter on open questions computes from records."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from scipy.stats import rankdata

from dropkit.datasets.data import Data
from dropkit.figures.tables import number
from dropkit.metrics import Difference, over_seeds
from dropkit.store.records import Record
from dropkit.study.curves import Curves
from dropkit.study.measures import compare

RANDOM = "random"


def by_validation(records: Iterable[Record]) -> dict[str, dict[float, np.ndarray]]:
    """Return recalls (S, K) of random pruning, and of DRoP by its validation samples a class.

    Of one data set and density, and of the seeds that all have; labels name the pseudo-count, 0 the
    rule as printed.

    Parameters
    ----------
    records : iterable of Record
        Trials of Random and Random+DRoP.
    """
    found: dict[str, dict[float, dict[int, list[float]]]] = {}
    for record in records:
        trial = record["trial"]
        count, name = 1.0, RANDOM  # stands at every number
        if trial["protocol"] != RANDOM:
            count = round(float(np.mean(record["query"]["val_sizes"])))
            name = f"pseudo-count {trial['smoothing']:g}" if trial["smoothing"] else "as printed"
        found.setdefault(name, {}).setdefault(count, {})[trial["seed"]] = record["recalls"]
    shared = set.intersection(*(set(rows) for of in found.values() for rows in of.values()))
    return {
        name: {
            count: np.array([rows[seed] for seed in sorted(shared)])
            for count, rows in sorted(counts.items())
        }
        for name, counts in sorted(found.items())
    }


def enough(curves: Curves, label: str, measure: str) -> Difference:
    """Return from how many validation samples a class on a label gains on random pruning.

    Where the mean gain crosses 0 for the last time, interpolated in the logarithm of the number;
    its ends are where those of the gain's interval, paired by seed, do. The least number measured
    stands for gains throughout, infinity for a loss with the most.

    Parameters
    ----------
    curves : Curves
        From `by_validation`.
    label : str
        One of them.
    measure : str
        A key of ``study.MEASURES``.
    """
    found = compare(curves, label, RANDOM, [measure])
    value, low, high = np.array([each[measure] for each in found.values()]).T
    return Difference(*(crossing(list(found), gains) for gains in (value, high, low)))


def crossing(counts: Sequence[float], gains: Sequence[float]) -> float:
    """Return where gains (N,) at rising counts (N,) cross 0 for the last time, upwards."""
    logs, gains = np.log(counts), np.asarray(gains)
    if gains[-1] <= 0:
        return np.inf
    if (gains > 0).all():
        return float(counts[0])
    left = np.flatnonzero(gains <= 0)[-1]
    here, there = gains[left : left + 2]
    return float(np.exp(logs[left] + np.diff(logs)[left] * here / (here - there)))


def told(found: Difference, counts: Iterable[float]) -> str:
    """Say from how many samples a class on there is a gain, in words that the numbers choose."""
    least, most = min(counts), max(counts)
    value, low, high = found
    if value > most:
        return f"not even with {most:g}"
    start = (
        f"from {least:g}, the least, on" if value <= least else f"from {number(value, '.0f')} on"
    )
    ends = (number(min(max(end, least), most), ".0f") for end in (low, high))
    return f"{start} [{', '.join(ends)}]"


def safest(gains: Mapping[str, Mapping[str, Difference]], others: Iterable[str]) -> str:
    """Return the rule whose least gain over some cases is highest.

    Parameters
    ----------
    gains : mapping of str to mapping of str to Difference
        By case and rule; rules that lack a case anywhere are left out.
    others : iterable of str
        Cases to choose on.
    """
    rules = [
        rule for rule in next(iter(gains.values())) if all(rule in of for of in gains.values())
    ]
    cases = list(others)
    return max(rules, key=lambda rule: min(gains[case][rule].value for case in cases))


def break_even(plus: np.ndarray, minus: np.ndarray, hard: np.ndarray) -> Difference:
    """Return how much of a test its hard classes must be for two averages to be equal.

    In [0, 1] with an interval over seeds, classes alike within the hard and within the others; of
    rules that gain on the hard classes.

    Parameters
    ----------
    plus, minus : (S, K) array
        Recalls with the same seeds.
    hard : (K,) array of bool
        Which classes.
    """
    moved = plus - minus
    ends = np.stack([moved[:, hard].mean(axis=1), moved[:, ~hard].mean(axis=1)])

    def share(weights: np.ndarray) -> np.ndarray:
        gain, loss = weights @ ends[0], weights @ ends[1]
        return np.clip(
            np.where(gain > loss, -loss / np.where(gain > loss, gain - loss, 1), 1), 0, 1
        )

    return over_seeds(share, len(moved))


def spreads(data: Data) -> tuple[np.ndarray, np.ndarray]:
    """Return each class's deviation about its mean, and the distance to the nearest other mean.

    (K,) each, of the training samples' vectors; the deviation is the root of the mean squared
    distance.

    Parameters
    ----------
    data : Data
        Of a frozen network, with samples (N, d).
    """
    x, y = data.x[data.train], data.y[data.train]
    means = np.stack([x[y == k].mean(axis=0) for k in range(data.num_classes)])
    own = [((x[y == k] - mean) ** 2).sum(axis=1).mean() ** 0.5 for k, mean in enumerate(means)]
    apart = np.linalg.norm(means[:, None] - means, axis=2) + np.diag(np.full(len(means), np.inf))
    return np.array(own), apart.min(axis=1)


def rank_correlation(x: np.ndarray, y: np.ndarray) -> Difference:
    """Return Spearman's correlation of two numbers of each class, with a bootstrap over classes."""
    ranks = np.stack([rankdata(x), rankdata(y)])

    def correlation(weights: np.ndarray) -> np.ndarray:
        first, second = weights @ ranks[0], weights @ ranks[1]
        products = [weights @ (ranks[i] * ranks[j]) for i, j in ((0, 1), (0, 0), (1, 1))]
        joint, one, two = products[0] - first * second, products[1] - first**2, products[2]
        return joint / np.sqrt(one * (two - second**2))

    return over_seeds(correlation, len(x))
