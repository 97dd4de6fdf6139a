"""What the chapter on open questions computes from records."""

from collections.abc import Iterable, Sequence

import numpy as np

from dropkit.figures.tables import number
from dropkit.metrics import Difference
from dropkit.store.records import Record
from dropkit.study.curves import Curves
from dropkit.study.measures import compare

RANDOM = "random"


def by_validation(records: Iterable[Record]) -> dict[str, dict[float, np.ndarray]]:
    """Return recalls (S, K) of random pruning, and of DRoP by its validation samples a class.

    Of one data set and density; labels name the pseudo-count, 0 the rule as printed.

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
    return {
        name: {
            count: np.array([rows[seed] for seed in sorted(rows)])
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
    start = f"with {least:g} already" if value <= least else f"from {number(value, '.0f')} on"
    ends = (number(min(max(end, least), most), ".0f") for end in (low, high))
    return f"{start} [{', '.join(ends)}]"
