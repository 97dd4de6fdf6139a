"""Sentences that say what records show, in words that the numbers choose."""

import math
from collections.abc import Mapping, Sequence

from dropkit.figures.names import name
from dropkit.figures.tables import direction, number
from dropkit.metrics import Difference, bias
from dropkit.notebook.shown import glue
from dropkit.study.curves import Curves, density_of
from dropkit.study.measures import compare

_MOVES = {"higher": "rises", "lower": "falls", "not separated": "does not move measurably"}
_ONE_SEED = "moves in the one seed there is"
_PLACES = {"lower": "below", "higher": "above", "not separated": "not measurably apart"}


def standing(
    curves: Curves, labels: Sequence[str], other: str, density: float, measure: str = "worst"
) -> str:
    """Say which labels stand below another, which above, and which are not measurably apart.

    Parameters
    ----------
    curves : Curves
        Recalls by label and density.
    labels : sequence of str
        Those without records at the density are left out.
    other : str
        What they are compared with, paired by seed.
    density : float
        At which.
    measure : str
        A key of ``study.COMPARED``.

    Returns
    -------
    str
        Such as "EL2N and GraNd below; CoreSet not measurably apart"; "" if nothing was measured.
    """
    found = {
        label: compare(curves, label, other).get(density)
        for label in labels
        if {label, other} <= curves.keys()
    }
    return placed({label: each and each[measure] for label, each in found.items()})


def placed(found: Mapping[str, Difference | None]) -> str:
    """Say of labels and their differences from another which are below, above, or not apart."""
    places: dict[str, list[str]] = {word: [] for word in _PLACES}
    for label, difference in found.items():
        if difference:
            shown, _, variant = name(label).partition(", ")
            shown += f" ({variant})" * bool(variant)
            places[direction(difference)].append(shown)
    return "; ".join(f"{listed(each)} {_PLACES[word]}" for word, each in places.items() if each)


def across(found: Mapping[str, Difference | None]) -> str:
    """Say on which data sets a number rises, falls, or does neither measurably, and by how much.

    Parameters
    ----------
    found : mapping of str to Difference or None
        By the data sets' titles, in points; None where records are lacking.

    Returns
    -------
    str
        Such as "rises on A (+6.6) and does not move measurably on B (+1.8)"; the sets with the
        largest differences first.
    """
    places: dict[str, list[str]] = {verb: [] for verb in (*_MOVES.values(), _ONE_SEED)}
    known = {title: each for title, each in found.items() if each}
    for title in sorted(known, key=lambda title: -abs(known[title].value)):
        value, low, _ = known[title]
        verb = _ONE_SEED if math.isnan(low) else _MOVES[direction(known[title])]
        places[verb].append(f"{title} ({number(value, '+z.1f')})")
    said = [f"{verb} on {listed(titles)}" for verb, titles in places.items() if titles]
    return listed(said) if said else "was not measured"


def listed(names: Sequence[str]) -> str:
    """Return names as a sentence lists them."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def percent(curves: Curves, label: str, density: float, measure: str = "worst") -> float:
    """Return the mean over seeds of a measure, in percent; NaN where there are no records of it.

    Parameters
    ----------
    curves : Curves
        Recalls by label and density.
    label : str
        Of a protocol; one that trains on everything has no density but 1.
    density : float
        At which.
    measure : str
        A field of ``metrics.Bias``.
    """
    found = curves.get(label, {}).get(density_of(label, density))
    return math.nan if found is None else 100 * float(getattr(bias(found), measure).mean())


def percents(
    form: str, curves: Curves, labels: Sequence[str], density: float, measure: str = "worst"
) -> None:
    """Glue the `percent` of each label, under the form with the label's short name.

    Parameters
    ----------
    form : str
        Such as "groups-{}-worst"; "random+drop" is "drop" there, and "el2n+drop" "el2n-drop".
    curves : Curves
        Recalls by label and density.
    labels : sequence of str
        Of protocols.
    density : float
        At which.
    measure : str
        A field of ``metrics.Bias``.
    """
    for label in labels:
        short = label.removeprefix("random+").removeprefix("full+").replace("+", "-")
        glue(form.format(short), percent(curves, label, density, measure), ".1f")


def moves(found: Difference | None, unit: str = "points") -> str:
    """Say how a number moves, so that the sentence is true of whatever was found.

    Parameters
    ----------
    found : Difference or None
        In `unit`, as of ``study.contrast``; None where records are lacking.
    unit : str
        What the difference is counted in.

    Returns
    -------
    str
        Rises or falls where the interval leaves zero out, else "does not move measurably"; with the
        estimate and the interval.

    Examples
    --------
    >>> moves(Difference(5.52, 0.04, 11.0))
    'rises by 5.5 points [0.0, 11.0]'
    >>> moves(Difference(-3.6, -11.7, 4.5))
    'does not move measurably (−3.6 points [−11.7, +4.5])'
    """
    if found is None:
        return "was not measured"
    if math.isnan(found.low):
        return f"moves by {number(found.value, '+z.1f')} {unit} in the one seed there is"
    verb = _MOVES[direction(found)]
    if direction(found) != "not separated":
        ends = sorted([abs(found.low), abs(found.high)])
        value, low, high = (number(each, ".1f") for each in (abs(found.value), *ends))
        return f"{verb} by {value} {unit} [{low}, {high}]"
    value, low, high = (number(each, "+z.1f") for each in found)
    return f"{verb} ({value} {unit} [{low}, {high}])"
