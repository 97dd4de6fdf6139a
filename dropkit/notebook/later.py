"""Sentences of the chapter on later rules of selection: who leads, and who is to be advised."""

from collections.abc import Mapping, Sequence

import numpy as np

from dropkit.figures.names import name
from dropkit.figures.tables import POINTS, Table, number, with_interval
from dropkit.metrics import Difference
from dropkit.notebook.answers import moves
from dropkit.notebook.guarded import Unsupported, higher, stated
from dropkit.pruning import SMOOTHED
from dropkit.study.curves import Cells, Curves, at, shared_seeds
from dropkit.study.measures import compare, contrast, difference

SCORES = "coreset", "dynunc"  # which the paper has without DRoP's quotas
SUMMARY = "random+dynamicdrop", "mixture+drop", "mixture+dynamicdrop"  # the method, and its parts


def alike(cells: Cells, densities: Sequence[float]) -> Curves:
    """Return recalls (S, K) at the densities and of all data, of the seeds that all labels have."""
    wanted = {*densities, 1.0}
    places = [(label, d) for label, by_density in cells.items() for d in wanted & {*by_density}]
    seeds = shared_seeds(cells, places)
    found: dict[str, dict[float, np.ndarray]] = {}
    for label, d in sorted(places):
        recalls = [cells[label][d][seed]["recalls"] for seed in seeds]
        found.setdefault(label, {})[d] = np.array(recalls)
    return found


def labelled(curves: Curves, protocol: str) -> str:
    """Return the label under which curves have a protocol, smoothed or not."""
    return protocol if protocol in curves else protocol + SMOOTHED


def advice(cells: Cells, density: float) -> str:
    """Return what the chapter advises, if the records of a set support it at a density."""

    def gain(plus: Sequence[str], minus: Sequence[str], measure: str = "worst") -> Difference:
        sides = ([(label, density) for label in labels] for labels in (plus, minus))
        found = contrast(cells, *sides, measure)
        if found is None:
            raise Unsupported(f"there are no records of {', '.join([*plus, *minus])}")
        return found[0]

    rules = ["ccs", "moderate", "beta"]
    strata, drop = ([f"{rule}+drop{SMOOTHED}"] for rule in ("ccs:el2n", "random"))
    return stated(
        "choose the quotas first, strata of a short query model's scores inside them next, and "
        "InfoBatch where the average is all that counts and all data stay in reach.",
        quotas_raise_the_worst_class=higher(gain([f"{r}+drop{SMOOTHED}" for r in rules], rules)),
        strata_inside_them_raise_it=higher(gain(strata, drop)),
        InfoBatch_raises_the_average=higher(gain(["infobatch"], drop, "average")),
        it_does_not_raise_the_worst_class=not higher(gain(["infobatch"], drop)),
    )


def advised(
    sets: Mapping[str, Curves], labels: Sequence[str], against: str, density: float
) -> dict[str, tuple[str, Difference]]:
    """Return for each set the label that leads on the others, and its gain over another here."""
    best = {on: leader(sets, on, labels, density) for on in sets}
    return {on: (best[on], _gain(sets[on], best[on], density, against)) for on in sets}


def leader(sets: Mapping[str, Curves], on: str, labels: Sequence[str], density: float) -> str:
    """Return the label that on all other sets gains most worst class over random pruning."""
    others = [curves for name, curves in sets.items() if name != on]
    return max(labels, key=lambda label: np.mean([_gain(c, label, density)[0] for c in others]))


def _gain(curves: Curves, label: str, density: float, against: str = "random") -> Difference:
    return compare(curves, label, against, ["worst"])[density]["worst"]


def choices(
    sets: Mapping[str, Curves], kinds: Mapping[str, Sequence[str]], density: float
) -> Table:
    """Return of each kind of rule the one that leads elsewhere, and what it gains on each set.

    Over random pruning, in points of the worst class of each run; kinds without rules are left out.
    """
    rows = []
    for kind, labels in kinds.items():
        if not labels:
            continue
        row = [kind]
        for on, curves in sets.items():
            best = leader(sets, on, labels, density)
            row.append(f"{short(best)}: {with_interval(_gain(curves, best, density), POINTS)}")
        rows.append(row)
    return Table(rows, ["what it costs", *sets])


def short(label: str) -> str:
    """Return a label's name without the note that its quotas are smoothed."""
    return name(label.removesuffix(SMOOTHED))


def moved(
    curves: Curves, first: str, second: str, densities: Sequence[float], measure: str = "worst"
) -> str:
    """Say how a measure of one label moves against another's, averaged over densities."""
    found = [at(curves.get(each, {}), d) for each in (first, second) for d in densities]
    if any(each is None for each in found):
        return moves(None)
    sides = found[: len(densities)], found[len(densities) :]
    return moves(difference(*sides, measure))


def steps(curves: Curves, first: str, second: str, densities: Sequence[float]) -> str:
    """Say whether the gain of one label over another grows at every step of densities."""
    found = compare(curves, first, second, ["worst"])
    gains = [found[density]["worst"].value for density in densities]
    listed = ", ".join(number(gain, "+.1f") for gain in gains)
    grows = "grows at every step" if (np.diff(gains) > 0).all() else "does not grow at every step"
    return f"{grows} ({listed} points)"
