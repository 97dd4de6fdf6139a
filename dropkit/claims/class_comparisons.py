"""Comparisons of single classes that decide claims: lost, kept whole, or favoured."""

from dataclasses import dataclass

import numpy as np

from dropkit.claims.comparisons import Effects, Range, inside, less, span
from dropkit.claims.verdicts import Effect, share
from dropkit.figures.names import name
from dropkit.metrics import student
from dropkit.study.curves import Cells, from_largest, shared_densities, shared_seeds


@dataclass(frozen=True)
class LosesAClass:
    """In most seeds some class keeps no sample, with Clopper and Pearson's interval."""

    protocol: str
    density: float

    def effects(self, cells: Cells) -> Effects:
        rows = cells.get(self.protocol, {}).get(self.density, {}).values()
        lost = [min(record["kept"]) == 0 for record in rows]
        text = f"{name(self.protocol)}: seeds that lose a class (%), d = {self.density:g}"
        return [_most(lost, text)]


@dataclass(frozen=True)
class KeepsTheHardest:
    """In most seeds the class of least accuracy on the full data keeps all its samples.

    The class is that of the mean recalls over seeds; `within` are the densities that count.
    """

    protocol: str
    within: Range

    def effects(self, cells: Cells) -> Effects:
        order = _from_hardest(cells)
        if order is None:
            return [None]
        hardest, by_density = order[0], cells.get(self.protocol, {})
        effects = []
        for density in inside(sorted(by_density), self.within):
            rows = by_density[density].values()
            whole = [record["kept"][hardest] == record["class_sizes"][hardest] for record in rows]
            text = f"{name(self.protocol)}: seeds in which class {hardest} stays whole (%)"
            effects.append(_most(whole, f"{text}, d = {density:g}"))
        return effects or [None]


@dataclass(frozen=True)
class FavoursTheLarge:
    """The larger half of the classes has better recalls than the smaller half."""

    protocol: str

    def effects(self, cells: Cells) -> Effects:
        found = from_largest(cells, [self.protocol], 1.0)
        if not found:
            return [None]
        recalls = 100 * found[self.protocol]
        half = recalls.shape[1] // 2
        gaps = recalls[:, :half].mean(axis=1) - recalls[:, -half:].mean(axis=1)
        text = f"{name(self.protocol)}: recall, the larger half − the smaller half"
        return [Effect(text, student(gaps), len(gaps), unit="points")]


@dataclass(frozen=True)
class SacrificesTheHard:
    """Protocol `first` is above `second` in the easier half of the classes, below in the harder.

    Classes are ordered by their mean recalls on the full data; `within` are the densities whose
    mean is taken.
    """

    first: str
    second: str
    within: Range

    def effects(self, cells: Cells) -> Effects:
        both = self.first, self.second
        order = _from_hardest(cells)
        densities = inside(shared_densities(cells, *both), self.within)
        seeds = shared_seeds(cells, [(label, d) for label in both for d in densities])
        if order is None or not seeds:
            return [None, None]
        recalls = [
            np.array([[cells[label][d][seed]["recalls"] for d in densities] for seed in seeds])
            for label in both
        ]
        gains = 100 * (recalls[0] - recalls[1]).mean(axis=1)[:, order]
        half = gains.shape[1] // 2
        effects = []
        halves = {"easier": (both, gains[:, -half:]), "harder": (both[::-1], -gains[:, :half])}
        for which, (pair, values) in halves.items():
            text = f"{less(*pair)}, recall in the {which} half of the classes, {span(densities)}"
            effects.append(Effect(text, student(values.mean(axis=1)), len(seeds), unit="points"))
        return effects


def _from_hardest(cells: Cells) -> np.ndarray | None:
    """Classes by their mean recalls on the full data, (K,)."""
    full = [record["recalls"] for record in cells.get("full", {}).get(1.0, {}).values()]
    return np.mean(full, axis=0).argsort(kind="stable") if full else None


def _most(found: list[bool], text: str) -> Effect | None:
    return share(sum(found), len(found), text, 50) if found else None
