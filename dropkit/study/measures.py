"""What is measured of a run, under which name, and paired differences of it with their intervals.

Shapes: S seeds, K classes or groups.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from dropkit import metrics
from dropkit.metrics import Difference, over_seeds, student
from dropkit.store.records import Record
from dropkit.study.curves import ByDensity, Cells, Curves, Place, at, density_of, shared_seeds

Reading = Callable[[Sequence[Record], Cells], np.ndarray]
Of = Callable[[np.ndarray], np.ndarray]


def _recalls(records: Sequence[Record], _: Cells) -> np.ndarray:
    return np.array([record["recalls"] for record in records])


def _shares(records: Sequence[Record], _: Cells) -> np.ndarray:
    """Class densities after pruning, (S, K)."""
    return np.array([np.divide(r["kept"], np.maximum(r["class_sizes"], 1)) for r in records])


def _beside_accuracy(records: Sequence[Record], cells: Cells) -> np.ndarray:
    """Class densities and mean full-data accuracy of the same classes, (S, 2, K)."""
    full = _recalls(list(cells["full"][1.0].values()), cells).mean(axis=0)
    shares = _shares(records, cells)
    return np.stack([shares, np.broadcast_to(full, shares.shape)], axis=1)


def _by_size(records: Sequence[Record], _: Cells) -> np.ndarray:
    """Samples kept of the classes or groups, (S, K), the smallest of the whole set first."""
    return np.array([np.array(r["kept"])[np.argsort(r["class_sizes"])] for r in records])


def _validated(records: Sequence[Record], _: Cells) -> np.ndarray:
    """Mean validation recalls of the query models that quotas went by, (S, K)."""
    return np.array([record["query"]["recalls"] for record in records])


def _larger_half(kept: np.ndarray) -> np.ndarray:
    return kept[:, kept.shape[1] // 2 :].sum(axis=1) / kept.sum(axis=1)


def _correlation(pairs: np.ndarray) -> np.ndarray:
    """As in Figure 13, seed by seed: (S, 2, K) to (S,); 0 where all classes keep the same share."""
    return np.array([np.corrcoef(*pair)[0, 1] if np.ptp(pair[0]) > 1e-12 else 0 for pair in pairs])


class Measure(NamedTuple):
    """A number of each run, (S,).

    It is `of` what `read` takes from the runs' records, times `scale`; only the pooled worst class
    has no number of a single run. `name` stands in tables, `axis` in figures. `better` is 1 where
    higher is the good side of the paper's statements, else -1.
    """

    name: str
    of: Of | None
    axis: str = ""
    better: int = 1
    read: Reading = _recalls
    scale: float = 100.0


def _bias(field: str) -> Of:
    return lambda recalls: getattr(metrics.bias(recalls), field)


_UNEVEN = Measure("std of class densities", lambda shares: shares.std(axis=1), read=_shares)
_STARVES = Measure(
    "correlation, class density and accuracy", _correlation, read=_beside_accuracy, scale=1.0
)
MEASURES = {
    "average": Measure("average", _bias("average"), "average accuracy (%)"),
    "worst": Measure("worst class, per seed", _bias("worst"), "worst-class accuracy (%)"),
    "pooled": Measure("worst class, pooled", None, "pooled worst class (%)"),
    "tenth": Measure("lowest tenth of classes", metrics.lowest_tenth, "lowest tenth (%)"),
    "gap": Measure("gap of recalls", _bias("gap"), "max − min recall (%)", better=-1),
    "std": Measure("std of recalls", _bias("std"), "std of recalls (%)", better=-1),
    "uneven": _UNEVEN,
    "even": _UNEVEN._replace(better=-1),
    "bias": Measure("share of the larger half of the groups", _larger_half, "", -1, _by_size),
    "lost": Measure("classes lost", lambda kept: (kept == 0).sum(1), "", -1, _by_size, 1.0),
    "flawless": Measure(
        "classes without a validation error", lambda r: (r == 1).sum(1), "", -1, _validated, 1.0
    ),
    "starves": _STARVES,
    "spares": _STARVES._replace(better=-1),
}
COMPARED = ("average", "worst", "pooled")  # what the book's tables of differences have


def difference(
    plus: Sequence[np.ndarray], minus: Sequence[np.ndarray], measure: str, *, level: float = 0.95
) -> Difference:
    """Return the mean of a measure over `plus` less its mean over `minus`, paired by seed.

    In the measure's unit, with Student's t interval over seeds; of the pooled worst class with that
    of ``metrics.over_seeds``. The interval of a single seed is (NaN, NaN).

    Parameters
    ----------
    plus, minus : sequences of ndarray, shape (S, K) each
        Recalls, or what else the measure reads, with the same seeds in the same order; as many of
        one as of the other, or no `minus` at all.
    measure : str
        A key of ``MEASURES``.
    level : float
        Coverage of the interval.
    """
    if measure == "pooled":
        found = over_seeds(
            lambda weights: _less(plus, minus, lambda rows: (weights @ rows).min(axis=-1)),
            len(plus[0]),
            level=level,
        )
    else:
        found = student(_less(plus, minus, MEASURES[measure].of), level)
    return Difference(*(MEASURES[measure].scale * np.array(found)))


def _less(plus: Sequence[np.ndarray], minus: Sequence[np.ndarray], of: Of) -> np.ndarray:
    """The mean of a number of each of `plus` less that of `minus`, where there are any."""
    first = np.mean([of(rows) for rows in plus], axis=0)
    return first - np.mean([of(rows) for rows in minus], axis=0) if minus else first


def levels(by_density: ByDensity, measure: str) -> dict[float, Difference]:
    """Return a measure's mean over seeds with its interval, by density in rising order.

    Parameters
    ----------
    by_density : mapping of float to ndarray, shape (S, K)
        Recalls by density, or by what else was varied.
    measure : str
        A key of ``MEASURES`` that reads recalls.
    """
    return {d: difference([by_density[d]], [], measure) for d in sorted(by_density)}


def contrast(
    cells: Cells,
    plus: Sequence[Place],
    minus: Sequence[Place],
    measure: str,
    *,
    level: float = 0.95,
) -> tuple[Difference, int] | None:
    """Return the `difference` between places of a setting, and how many seeds it rests on.

    These are the seeds that all places share; None where records are lacking.

    Parameters
    ----------
    cells : Cells
        Records by label, density and seed: a value of ``study.arrange``.
    plus, minus : sequences of (str, float)
        Labels and densities.
    measure : str
        A key of ``MEASURES``.
    level : float
        Coverage of the interval.
    """
    seeds = shared_seeds(cells, [*plus, *minus])
    read = MEASURES[measure].read
    if not seeds or (read is _beside_accuracy and "full" not in cells):
        return None
    first, second = (
        [read([cells[label][density][seed] for seed in seeds], cells) for label, density in places]
        for places in (plus, minus)
    )
    return difference(first, second, measure, level=level), len(seeds)


def gain(
    cells: Cells,
    first: str,
    second: str = "",
    measure: str = "worst",
    *,
    densities: Sequence[float],
) -> Difference | None:
    """Return the `contrast` of two labels as a mean over densities, paired by seed.

    Parameters
    ----------
    cells : Cells
        Of one setting.
    first, second : str
        Labels; the full data stand at every density. Without a second it is the level of the first.
    measure : str
        A key of ``MEASURES``.
    densities : sequence of float
        Whose mean is compared.

    Returns
    -------
    Difference or None
        None where records are lacking.
    """
    places = [
        [(label, density_of(label, d)) for d in densities] if label else []
        for label in (first, second)
    ]
    found = contrast(cells, *places, measure)
    return found[0] if found else None


def compare(
    curves: Curves, first: str, second: str, measures: Sequence[str] = COMPARED
) -> dict[float, dict[str, Difference]]:
    """Return the differences first − second by density and measure.

    Paired by seed, in accuracy points; what was trained at density 1 alone, such as the full data,
    is compared at every density.

    Parameters
    ----------
    curves : Curves
        Recalls by label and density, from ``study.by_protocol``.
    first, second : str
        Labels.
    measures : sequence of str
        Keys of ``MEASURES`` that read recalls.
    """
    one, other = curves[first], curves[second]
    pairs = {density: (at(one, density), at(other, density)) for density in sorted({*one, *other})}
    return {
        d: between(one, other, measures)
        for d, (one, other) in pairs.items()
        if one is not None and other is not None
    }


def between(
    one: np.ndarray, other: np.ndarray, measures: Sequence[str] = COMPARED
) -> dict[str, Difference]:
    """Return the differences of recalls from others by measure.

    Parameters
    ----------
    one, other : ndarray, shape (S, K)
        With the same seeds in the same order.
    measures : sequence of str
        Keys of ``MEASURES`` that read recalls.
    """
    return {measure: difference([one], [other], measure) for measure in measures}
