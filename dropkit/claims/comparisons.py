"""The comparisons that decide claims: each says what is compared, and gives its effects.

An effect is None where the records lack what it needs.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal

from dropkit.claims.tradeoff import height
from dropkit.claims.verdicts import READINGS, TELLING, Effect
from dropkit.figures.names import name
from dropkit.metrics import Difference
from dropkit.study.curves import Cells, Place, density_of, shared_densities
from dropkit.study.measures import MEASURES, contrast

WORST = ("worst", "pooled")
FEW = 10  # classes, up to which the lowest tenth of them is the worst

Labels = str | tuple[str, ...]
Range = tuple[float, float]  # densities, both ends included
EVERYWHERE: Range = (0.0, 1.0)
Effects = Iterable[Effect | None]


@dataclass(frozen=True)
class Better:
    """Protocols `first` are on the better side of protocols `second`, each of each.

    `over` the mean of the densities with seeds enough, or at each of them; "some" is for the rule
    "any": intervals are widened for the number of comparisons by the same measure (Bonferroni).
    `margin` is how far `first` may stay behind, in the measure's unit.
    """

    first: Labels
    second: Labels
    by: Labels = WORST
    within: Range = EVERYWHERE
    over: Literal["mean", "each", "some"] = "mean"
    margin: float = 0.0

    def effects(self, cells: Cells) -> Effects:
        each = self.over != "mean"
        shared = {
            pair: inside(shared_densities(cells, *pair, each=each), self.within)
            for pair in product(listed(self.first), listed(self.second))
        }
        tried = sum(map(len, shared.values())) if self.over == "some" else 1
        level = 1 - 0.05 / max(tried, 1)
        for (pair, densities), measure in product(shared.items(), readings(self.by, cells)):
            if all(label.startswith("full") for label in pair):
                densities = [1.0]
            for part in [[d] for d in densities] or [[]] if each else [densities]:
                yield _better(cells, *pair, measure, part, level, self.margin)


def _better(
    cells: Cells,
    first: str,
    second: str,
    measure: str,
    densities: Sequence[float],
    level: float,
    margin: float = 0.0,
) -> Effect | None:
    if MEASURES[measure].better < 0:
        first, second = second, first
    plus, minus = ([(label, density_of(label, d)) for d in densities] for label in (first, second))
    text = f"{less(first, second)}, " if densities else ""
    text += f"{MEASURES[measure].name}, {span(densities)}"
    return _effect(cells, plus, minus, measure, text, level=level, above=0.0 - margin)


@dataclass(frozen=True)
class Beaten:
    """For the rule "any": each method is behind another one at some density (Bonferroni).

    Of a method's comparisons with all others at all densities the most telling one is given; none
    where a method was not run, for then the others need not be behind any.
    """

    methods: tuple[str, ...]
    measure: str

    def effects(self, cells: Cells) -> Effects:
        there = set(self.methods) <= set(cells)
        for method in self.methods:
            rivals = [
                (rival, density)
                for rival in self.methods
                if there and rival != method
                for density in shared_densities(cells, rival, method, each=True)
            ]
            level = 1 - 0.05 / max(len(rivals), 1)
            found = [
                _better(cells, rival, method, self.measure, [density], level)
                for rival, density in rivals
            ]
            telling = max(found, key=lambda e: (TELLING[e.word], e.found.low), default=None)
            yield telling and telling._replace(part=method)


@dataclass(frozen=True)
class Moves:
    """The worst class of protocols is better at some densities than at another, seed by seed."""

    protocols: Labels
    better_at: tuple[float, ...]
    than_at: float

    def effects(self, cells: Cells) -> Effects:
        measures = readings(WORST, cells)
        for label, density, measure in product(listed(self.protocols), self.better_at, measures):
            text = f"{name(label)} at d = {density:g} − at {self.than_at:g}, "
            text += MEASURES[measure].name
            yield _effect(cells, [(label, density)], [(label, self.than_at)], measure, text)


@dataclass(frozen=True)
class CostsMore:
    """The worst class of `first` − `second` is more at density `low` than at `high`."""

    first: str
    second: str
    low: float
    high: float

    def effects(self, cells: Cells) -> Effects:
        plus = [(self.first, self.low), (self.second, self.high)]
        minus = [(self.second, self.low), (self.first, self.high)]
        for measure in readings(WORST, cells):
            text = f"{less(self.first, self.second)}, {MEASURES[measure].name}, "
            text += f"d = {self.low:g} − d = {self.high:g}"
            half = _effect(cells, plus, minus, measure, text)  # a contrast is a mean over places
            yield half and half._replace(found=Difference(*(2 * x for x in half.found)))


@dataclass(frozen=True)
class LevelOf:
    """A measure's mean over densities is on its better side of 0."""

    protocols: Labels
    measure: str
    within: Range = EVERYWHERE

    def effects(self, cells: Cells) -> Effects:
        ends = {} if MEASURES[self.measure].better > 0 else {"above": -math.inf, "below": 0.0}
        for label in listed(self.protocols):
            densities = inside(shared_densities(cells, label, label), self.within)
            text = f"{name(label)}: {MEASURES[self.measure].name}, {span(densities)}"
            places = [(label, d) for d in densities]
            yield _effect(cells, places, [], self.measure, text, **ends)


@dataclass(frozen=True)
class Close:
    """Protocol `first` − `second` lies within `margin` of `value`, at each density or at some."""

    first: str
    second: str
    by: Labels = WORST
    value: float = 0.0
    margin: float = 5.0
    at: tuple[float, ...] = ()

    def effects(self, cells: Cells) -> Effects:
        both = self.first, self.second
        densities = self.at or shared_densities(cells, *both, each=True) or [1.0]
        ends = {"above": self.value - self.margin, "below": self.value + self.margin}
        for density, measure in product(densities, readings(self.by, cells)):
            plus, minus = ([(label, density_of(label, density))] for label in both)
            text = f"{less(*both)}, {MEASURES[measure].name}, d = {density:g}"
            yield _effect(cells, plus, minus, measure, text, **ends)


@dataclass(frozen=True)
class TradesBetter:
    """At equal average accuracy protocols `first` have the better worst class than `second`."""

    first: Labels
    second: Labels

    def effects(self, cells: Cells) -> Effects:
        for one, other in product(listed(self.first), listed(self.second)):
            densities = shared_densities(cells, one, other)
            for measure in readings(WORST, cells):
                text = f"{less(one, other)} at equal average, {MEASURES[measure].name}, "
                text += f"lines over {_range(densities)} and all data"
                found = height(cells, one, other, densities, measure)
                yield found and _told(measure, text, found)


def _effect(
    cells: Cells,
    plus: Sequence[Place],
    minus: Sequence[Place],
    measure: str,
    text: str,
    *,
    level: float = 0.95,
    above: float = 0.0,
    below: float = math.inf,
) -> Effect | None:
    found = contrast(cells, plus, minus, measure, level=level)
    return found and _told(measure, text, found, above, below)


def _told(
    measure: str,
    text: str,
    found: tuple[Difference, int],
    above: float = 0.0,
    below: float = math.inf,
) -> Effect:
    reading = measure if measure in READINGS else ""
    unit = "points" if MEASURES[measure].scale == 100 else ""
    return Effect(text, *found, above, below, measure, reading, unit)


def readings(by: Labels, cells: Cells) -> tuple[str, ...]:
    """The measures, and where both readings of the worst class are among them, the third.

    The minimum of many classes is mostly chance, and the mean of their lowest tenth is less so.
    """
    names = listed(by)
    records = (r for found in cells.values() for rows in found.values() for r in rows.values())
    many = len(next(records, {}).get("recalls", ())) > FEW
    return (*names, "tenth") if many and set(WORST) <= set(names) else names


def listed(labels: Labels) -> tuple[str, ...]:
    return (labels,) if isinstance(labels, str) else labels


def inside(densities: Sequence[float], within: Range) -> list[float]:
    """The densities within a range."""
    return [d for d in densities if within[0] <= d <= within[1]]


def less(first: str, second: str) -> str:
    """What is subtracted from what, for readers."""
    return f"{name(first)} − {name(second)}"


def span(densities: Sequence[float]) -> str:
    """Densities in words: "d = 0.5", or "mean over d = 0.1 to 0.9"."""
    if not densities:
        return "no shared density"
    return "mean over " * (len(densities) > 1) + _range(densities)


def _range(densities: Sequence[float]) -> str:
    low, high = min(densities, default=1), max(densities, default=1)
    return f"d = {low:g}" + f" to {high:g}" * (low < high)
