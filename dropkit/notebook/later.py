"""Sentences of the chapter on later rules of selection: who leads, and who is to be advised."""

from collections.abc import Mapping, Sequence

import numpy as np

from dropkit.figures.names import name
from dropkit.notebook.answers import moves
from dropkit.pruning import SMOOTHED
from dropkit.study.curves import Curves, at
from dropkit.study.measures import MEASURES, compare


def labelled(curves: Curves, protocol: str) -> str:
    """Return the label under which curves have a protocol, smoothed or not."""
    return protocol if protocol in curves else protocol + SMOOTHED


def leader(curves: Curves, labels: Sequence[str], density: float) -> str:
    """Return the label with the highest mean of the worst class of each run."""
    of = MEASURES["worst"].of
    found = {label: at(curves[label], density) for label in labels}
    return max(found, key=lambda label: of(found[label]).mean())


def told(
    sets: Mapping[str, Curves],
    on: str,
    labels: Sequence[str],
    density: float,
    against: Sequence[str],
) -> str:
    """Say how the label that leads on the other data set does on this one: chosen there, not here.

    Against other labels, by the worst class of each run.
    """
    (other,) = sets.keys() - {on}
    best = leader(sets[other], labels, density)
    level = 100 * MEASURES["worst"].of(at(sets[on][best], density)).mean()
    moved = [
        f"{moves(compare(sets[on], best, second)[density]['worst'])} against {_short(second)}"
        for second in against
        if second != best
    ]
    text = f"{_short(best)} leads on {other}; on {on} its worst is at {level:.1f} %"
    return text + " and " * bool(moved) + ", and ".join(moved)


def _short(label: str) -> str:
    """A label's name without the note that its quotas are smoothed."""
    return name(label.removesuffix(SMOOTHED))


def steps(curves: Curves, first: str, second: str, densities: Sequence[float]) -> str:
    """Say whether the gain of one label over another grows at every step of densities."""
    found = compare(curves, first, second, ["worst"])
    gains = [found[density]["worst"].value for density in densities]
    listed = ", ".join(f"{gain:+.1f}".replace("-", "−") for gain in gains)
    grows = "grows at every step" if (np.diff(gains) > 0).all() else "does not grow at every step"
    return f"{grows} ({listed} points)"
