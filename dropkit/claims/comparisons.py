"""The comparisons that claims are decided by: each function returns a ``verdicts.Test``."""

import math
from collections.abc import Sequence
from typing import Literal

from dropkit.claims.tradeoff import height
from dropkit.claims.verdicts import FAILS, HOLDS, UNDECIDED, Effect, Test
from dropkit.figures.curves import name
from dropkit.metrics import Difference
from dropkit.study.curves import MEASURES, Cells, Place, contrast, density_of, shared_densities

WORST = ("worst", "pooled")
TELLING = {FAILS: 0, UNDECIDED: 1, HOLDS: 2}


def better(
    first: str | Sequence[str],
    second: str | Sequence[str],
    by: Sequence[str] = WORST,
    *,
    within: tuple[float, float] = (0.0, 1.0),
    over: Literal["mean", "each", "some"] = "mean",
    margin: float = 0.0,
) -> Test:
    """Test that protocols `first` are on the better side of protocols `second`.

    Parameters
    ----------
    by : keys of ``evidence.MEASURES``
    within : densities that count, both ends included
    over : "mean" over the densities with seeds enough, or a comparison at "each"; "some" is
        for the rule "any": each with an interval widened for the number of comparisons by the same
        measure (Bonferroni)
    margin : in the measure's unit: how far `first` may stay behind
    """

    def test(cells: Cells) -> list[Effect | None]:
        wanted = [(one, other, m) for one in listed(first) for other in listed(second) for m in by]
        places = {
            (one, other): [
                d
                for d in shared_densities(cells, one, other, each=over != "mean")
                if within[0] <= d <= within[1]
            ]
            for one, other, _ in wanted
        }
        tried = sum(map(len, places.values())) if over == "some" else 1
        level = 1 - 0.05 / max(tried, 1)
        effects: list[Effect | None] = []
        for one, other, measure in wanted:
            densities = places[one, other]
            if one.startswith("full") and other.startswith("full"):
                densities = [1.0]
            parts = [densities] if over == "mean" else [[d] for d in densities]
            for part in parts or [[]]:
                effects.append(_compared(cells, one, other, measure, part, margin, level))
        return effects

    return test


def _compared(
    cells: Cells,
    first: str,
    second: str,
    measure: str,
    densities: Sequence[float],
    margin: float,
    level: float,
) -> Effect | None:
    plus = [(first, density_of(first, d)) for d in densities]
    minus = [(second, density_of(second, d)) for d in densities]
    if MEASURES[measure].better < 0:
        plus, minus = minus, plus
    text = f"{spelled(plus[0][0])} − {spelled(minus[0][0])}, " if densities else ""
    text += f"{MEASURES[measure].name}, {span(densities)}"
    return _effect(cells, plus, minus, measure, text, level=level, above=0.0 - margin)


def beaten(methods: Sequence[str], measure: str) -> Test:
    """For the rule "any": each method is behind another one at some density (Bonferroni).

    Of a method's comparisons with all others at all densities the most telling one is given; none
    where a method was not run, for then the others need not be behind any.
    """

    def test(cells: Cells) -> list[Effect | None]:
        if not set(methods) <= set(cells):
            return [None for _ in methods]
        effects: list[Effect | None] = []
        for method in methods:
            rivals = [
                (rival, density)
                for rival in methods
                if rival != method
                for density in shared_densities(cells, rival, method, each=True)
            ]
            level = 1 - 0.05 / max(len(rivals), 1)
            found = [
                _compared(cells, rival, method, measure, [density], 0.0, level)
                for rival, density in rivals
            ]
            telling = max(found, key=lambda e: (TELLING[e.word], e.found.low), default=None)
            effects.append(telling and telling._replace(part=method))
        return effects

    return test


def each(*tests: Test) -> Test:
    """The comparisons of several tests in one."""
    return lambda cells: [effect for test in tests for effect in test(cells)]


def moves(
    protocols: str | Sequence[str],
    better_at: tuple[float, ...],
    than_at: float,
    by: Sequence[str] = WORST,
) -> Test:
    """Test that protocols do better at some densities than at another one, seed by seed."""

    def test(cells: Cells) -> list[Effect | None]:
        effects = []
        for protocol in listed(protocols):
            for density in better_at:
                for measure in by:
                    text = f"{spelled(protocol)} at d = {density:g} − at {than_at:g}, "
                    text += MEASURES[measure].name
                    places = [(protocol, density)], [(protocol, than_at)]
                    effects.append(_effect(cells, *places, measure, text))
        return effects

    return test


def costs_more(first: str, second: str, low: float, high: float, by: Sequence[str] = WORST) -> Test:
    """Test that `first` − `second` is larger at density `low` than at `high`, seed by seed."""

    def test(cells: Cells) -> list[Effect | None]:
        plus, minus = [(first, low), (second, high)], [(second, low), (first, high)]
        effects = []
        for measure in by:
            text = f"{spelled(first)} − {spelled(second)}, {MEASURES[measure].name}, "
            text += f"d = {low:g} − d = {high:g}"
            half = _effect(cells, plus, minus, measure, text)  # a contrast is a mean over places
            effects.append(half and half._replace(found=Difference(*(2 * x for x in half.found))))
        return effects

    return test


def level_of(
    protocols: str | Sequence[str], measure: str, *, within: tuple[float, float] = (0.0, 1.0)
) -> Test:
    """Test that a measure's mean over densities is on its better side of 0."""

    def test(cells: Cells) -> list[Effect | None]:
        effects = []
        for protocol in listed(protocols):
            densities = [
                d
                for d in shared_densities(cells, protocol, protocol)
                if within[0] <= d <= within[1]
            ]
            places = [(protocol, d) for d in densities]
            text = f"{spelled(protocol)}: {MEASURES[measure].name}, {span(densities)}"
            ends = {"below": 0.0, "above": -math.inf} if MEASURES[measure].better < 0 else {}
            effects.append(_effect(cells, places, [], measure, text, **ends))
        return effects

    return test


def close(
    first: str,
    second: str,
    by: Sequence[str],
    *,
    value: float = 0.0,
    margin: float,
    at: Sequence[float] = (),
) -> Test:
    """Test that `first` − `second` lies within `margin` of `value` at each density, or at 1."""

    def test(cells: Cells) -> list[Effect | None]:
        densities = at or shared_densities(cells, first, second, each=True) or [1.0]
        effects = []
        for density in densities:
            for measure in by:
                plus, minus = ([(p, density_of(p, density))] for p in (first, second))
                text = f"{spelled(first)} − {spelled(second)}, {MEASURES[measure].name}, "
                text += f"d = {density:g}"
                ends = {"above": value - margin, "below": value + margin}
                effects.append(_effect(cells, plus, minus, measure, text, **ends))
        return effects

    return test


def trades_better(first: str | Sequence[str], second: str | Sequence[str]) -> Test:
    """Test that at equal average accuracy `first` have the better worst class than `second`."""

    def test(cells: Cells) -> list[Effect | None]:
        effects = []
        for one in listed(first):
            for other in listed(second):
                densities = shared_densities(cells, one, other)
                for measure in WORST:
                    text = f"{spelled(one)} − {spelled(other)} at equal average, "
                    text += f"{MEASURES[measure].name}, lines over {_range(densities)} and all data"
                    found = height(cells, one, other, densities, measure)
                    effects.append(found and Effect(text, *found))
        return effects

    return test


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
    return found and Effect(text, *found, above, below, measure)


def listed(protocols: str | Sequence[str]) -> list[str]:
    return [protocols] if isinstance(protocols, str) else list(protocols)


def spelled(label: str) -> str:
    """A label for readers: the protocol as the paper writes it, and what follows it."""
    protocol, comma, rest = label.partition(",")
    return name(protocol) + comma + rest


def span(densities: Sequence[float]) -> str:
    """Densities in words: "d = 0.5", or "mean over d = 0.1 to 0.9"."""
    if not densities:
        return "no shared density"
    return "mean over " * (len(densities) > 1) + _range(densities)


def _range(densities: Sequence[float]) -> str:
    low, high = min(densities, default=1), max(densities, default=1)
    return f"d = {low:g}" + f" to {high:g}" * (low < high)
