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
    sets: Mapping[str, Curves], on: str, labels: Sequence[str], density: float, against: str
) -> str:
    """Say how the label that leads on the other data set does on this one: chosen there, not here.

    Against another label and random pruning, by the worst class of each run.
    """
    (other,) = sets.keys() - {on}
    best = leader(sets[other], labels, density)
    level = 100 * MEASURES["worst"].of(at(sets[on][best], density)).mean()
    text = f"{name(best)}, which leads on {other}, has it at {level:.1f} %"
    for second in dict.fromkeys((against, "random")):
        if second != best:
            found = compare(sets[on], best, second)[density]["worst"]
            text += f"; it {moves(found)} against {name(second)}"
    return text


def steps(curves: Curves, first: str, second: str, densities: Sequence[float]) -> str:
    """Say whether the gain of one label over another grows at every step of densities."""
    found = compare(curves, first, second, ["worst"])
    gains = [found[density]["worst"].value for density in densities]
    listed = ", ".join(f"{gain:+.1f}".replace("-", "−") for gain in gains)
    grows = "grows at every step" if (np.diff(gains) > 0).all() else "does not grow at every step"
    return f"{grows} ({listed} points)"
