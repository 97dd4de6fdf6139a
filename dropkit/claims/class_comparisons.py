"""Comparisons of single classes that claims are decided by: lost, kept whole, or favoured."""

import numpy as np

from dropkit.claims.comparisons import span, spelled
from dropkit.claims.verdicts import Effect, Test, share
from dropkit.metrics import student
from dropkit.study.curves import Cells, from_largest, shared_densities, shared_seeds


def loses_a_class(protocol: str, density: float) -> Test:
    """Test that in most seeds some class keeps no sample, with Clopper and Pearson's interval."""

    def test(cells: Cells) -> list[Effect | None]:
        rows = cells.get(protocol, {}).get(density, {}).values()
        lost = [min(record["kept"]) == 0 for record in rows]
        return [_most(lost, f"{spelled(protocol)}: seeds that lose a class (%), d = {density:g}")]

    return test


def keeps_the_hardest(protocol: str, within: tuple[float, float]) -> Test:
    """Test that in most seeds the class of least accuracy on the full data keeps all its samples.

    The class is that of the mean recalls over seeds; `within` are the densities that count.
    """

    def test(cells: Cells) -> list[Effect | None]:
        order = _from_hardest(cells)
        if order is None:
            return [None]
        hardest = order[0]
        text = f"{spelled(protocol)}: seeds in which class {hardest} stays whole (%), d ="
        return [
            _most([r["kept"][hardest] == r["class_sizes"][hardest] for r in rows.values()],
                  f"{text} {density:g}")
            for density, rows in sorted(cells.get(protocol, {}).items())
            if within[0] <= density <= within[1]
        ] or [None]  # fmt: skip

    return test


def favours_the_large(protocol: str) -> Test:
    """Test that the larger half of the classes has better recalls than the smaller half."""

    def test(cells: Cells) -> list[Effect | None]:
        found = from_largest(cells, [protocol], 1.0)
        if not found:
            return [None]
        recalls = 100 * found[protocol]
        half = recalls.shape[1] // 2
        gaps = recalls[:, :half].mean(axis=1) - recalls[:, -half:].mean(axis=1)
        text = f"{spelled(protocol)}: recall, the larger half − the smaller half"
        return [Effect(text, student(gaps), len(gaps))]

    return test


def sacrifices_the_hard(first: str, second: str, within: tuple[float, float]) -> Test:
    """Test that `first` is above `second` in the easier half of the classes, below in the harder.

    Classes are ordered by their mean recalls on the full data; `within` are the densities whose
    mean is taken.
    """

    def test(cells: Cells) -> list[Effect | None]:
        order = _from_hardest(cells)
        shared = shared_densities(cells, first, second)
        densities = [d for d in shared if within[0] <= d <= within[1]]
        seeds = shared_seeds(cells, [(label, d) for label in (first, second) for d in densities])
        if order is None or not seeds:
            return [None, None]
        recalls = [
            np.array([[cells[label][d][seed]["recalls"] for d in densities] for seed in seeds])
            for label in (first, second)
        ]
        gains = 100 * (recalls[0] - recalls[1]).mean(axis=1)[:, order]
        half = gains.shape[1] // 2
        comparisons = [
            (first, second, "easier", gains[:, -half:]),
            (second, first, "harder", -gains[:, :half]),
        ]
        return [
            Effect(
                f"{spelled(above)} − {spelled(below)}, recall in the {which} half of the classes, "
                + span(densities),
                student(values.mean(axis=1)),
                len(seeds),
            )
            for above, below, which, values in comparisons
        ]

    return test


def _from_hardest(cells: Cells) -> np.ndarray | None:
    """Classes by their mean recalls on the full data, (K,)."""
    full = [record["recalls"] for record in cells.get("full", {}).get(1.0, {}).values()]
    return np.mean(full, axis=0).argsort(kind="stable") if full else None


def _most(found: list[bool], text: str) -> Effect | None:
    return share(sum(found), len(found), text, 50) if found else None
