"""What stored results say about a statement: differences with their intervals, and verdicts.

``CLAIMS`` has every statement that the claims page checks; ``Claim.check`` gives its verdict.
"""

import math

import numpy as np

from dropkit import metrics
from dropkit.claims.paper import algorithm, beyond, bias, drop, pruned_mixture, summaries, theory
from dropkit.claims.verdicts import Claim
from dropkit.figures.curves import Curves
from dropkit.figures.tables import number, with_interval
from dropkit.metrics import Difference
from dropkit.study import curves as evidence

SECTIONS: dict[str, list[Claim]] = {
    "What pruning by score does": bias.BIAS,
    "Two Gaussians, and the algorithm": [
        *theory.THEORY,
        *pruned_mixture.MIXTURE,
        *algorithm.ALGORITHM,
    ],
    "What DRoP does": drop.DROP,
    "Against a weighted loss": beyond.COST,
    "Long tails": beyond.TAIL,
    "Groups": beyond.GROUPS,
    "What the paper leaves open": beyond.OURS,
    "What summaries of the paper say": summaries.NOTES,
}
CLAIMS = [claim for section in SECTIONS.values() for claim in section]


def verdict(difference: Difference) -> str:
    """Read a difference by its interval: "higher", "lower", or "not separated" if 0 lies inside."""
    if difference.low > 0:
        return "higher"
    return "lower" if difference.high < 0 else "not separated"


def compare(curves: Curves, first: str, second: str) -> dict[float, dict[str, Difference]]:
    """Differences first − second at each density, paired by seed, in accuracy points.

    Where `second` is "full" or "full+cdbw" every density is compared with the full data.

    Returns
    -------
    density -> {"average", "worst", "pooled"} -> Difference: of the average accuracy and of the
    per-seed worst class with 95 % t intervals, and of the pooled worst class with the 95 % interval
    of ``metrics.over_seeds``.
    """
    compared = {}
    for density, recalls in curves[first].items():
        other = curves[second].get(1.0 if second.startswith("full") else density)
        if other is None:
            continue
        differences = {
            "average": metrics.paired_difference(recalls, other, lambda r: r.mean(axis=1)),
            "worst": metrics.paired_difference(recalls, other),
            "pooled": evidence.pooled([(recalls, other)]),
        }
        compared[density] = {
            name: Difference(*(100 * np.array(difference)))
            for name, difference in differences.items()
        }
    return compared


def comparison_rows(curves: Curves, first: str, second: str) -> list[list]:
    """Rows for ``notebook.table`` under ``COMPARISON``: one density each, from ``compare``."""
    return [
        [density, *map(points, found.values())]
        for density, found in compare(curves, first, second).items()
    ]


COMPARISON = ["density", "average", "worst class, per seed", "worst class, pooled"]

POINTS = "+z.1f"  # their format

_MARKS = {"higher": "▲", "lower": "▼", "not separated": "·"}


def points(difference: Difference) -> str:
    """A difference and its interval in accuracy points, such as "+3.1 [−1.0, +7.2]"."""
    return with_interval(difference, POINTS)


def signed(value: float) -> str:
    """A number of points with its sign, which is never that of a rounded zero."""
    return number(value, POINTS)


def marks(curves: Curves, first: str, second: str, estimate: str) -> str:
    """Verdicts on `first` above `second`, a mark a density: ▲ higher, ▼ lower, · not separated.

    A single seed has no interval to read: –.
    """
    found = [row[estimate] for row in compare(curves, first, second).values()]
    # No-break spaces: a row of marks is read against the row of densities.
    return "\N{NO-BREAK SPACE}".join(
        "–" if math.isnan(difference.low) else _MARKS[verdict(difference)] for difference in found
    )
