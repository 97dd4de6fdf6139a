"""Cards of a paper's statements, each judged on real data and on the digits by the records."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple

from dropkit.figures.tables import direction
from dropkit.metrics import Difference
from dropkit.notebook.landing import DROP, HALF, LOW, less, with_points
from dropkit.study.curves import Cells

Found = Mapping[str, Cells]  # by the names of the sets


class Card(NamedTuple):
    """One statement of the paper: in plain words, in its own numbers, and what it compares.

    `plus` less `minus` of a measure at the densities is wanted above `least`.
    """

    statement: str
    paper: str
    page: str
    plus: str
    minus: str
    measure: str = "worst"
    densities: Sequence[float] = LOW
    least: float = 0.0
    tail: bool = False


CARDS = [
    Card("Pruning by a score gives up the worst class", "“fails miserably” (Dynamic Uncertainty, "
         "Section 2)", "01-bias-study", "random", "dynunc"),
    Card("DRoP spares the worst class that random pruning loses", "at every density (Section 4, "
         "Figure 5)", "03-drop", DROP, "random"),
    Card("Half of the data with DRoP beat all of them", "45.4 against 35.8 %: +9.6 (VGG-19, "
         "CIFAR-100, Section 4)", "03-drop", DROP, "full", densities=[HALF]),
    Card("... for less than 6 points of average", "less than 6 (Section 4)", "03-drop", DROP,
         "full", "average", [HALF], -6.0),
    Card("Half of the data with DRoP beat a weighted loss on all", "almost twice CDB-W's gain of "
         "5.7 (Section 4)", "04-cdbw", DROP, "full+cdbw", densities=[HALF]),
    Card("DRoP mends long tails", "almost always less bias than the whole set (I = 20, Figure 8)",
         "05-imbalance", DROP, "full", tail=True),
]  # fmt: skip


def verdict(found: Sequence[Difference | None], least: float = 0.0) -> str:
    """Return in a word whether differences lie above a bound: of all, of some, or below it.

    Parameters
    ----------
    found : sequence of Difference or None
        None where there are no records.
    least : float
        The bound.
    """
    ways = [
        direction(Difference(*(end - least for end in each))) for each in found if each is not None
    ]
    if not ways:
        return "not run"
    if set(ways) == {"higher"}:
        return "holds"
    if "higher" in ways:
        return "partly"
    return "contradicted" if "lower" in ways else "undecided"


def cards(real: Found, tails: Found, digits: Cells, digit_tails: Cells) -> str:
    """Return the cards as HTML: statement, paper, real data and digits, each with a verdict.

    Parameters
    ----------
    real, tails : mapping of str to Cells
        Real sets by name, balanced and with long tails.
    digits, digit_tails : Cells
        The same at the smallest scale.
    """
    shown = []
    for card in CARDS:
        sides = (tails, {"digits": digit_tails}) if card.tail else (real, {"digits": digits})
        lines = [f"<dt>Paper</dt><dd>{escape(card.paper)}</dd>"]
        for title, sets in zip(("Real data", "Digits"), sides, strict=True):
            found = {name: _found(card, cells) for name, cells in sets.items()}
            word = verdict(list(found.values()), card.least)
            chip = f'<span class="dk-chip dk-{word.replace(" ", "-")}">{word}</span>'
            values = "; ".join(
                (f"{name} " * (title != "Digits")) + with_points(each)
                for name, each in found.items() if each is not None
            )  # fmt: skip
            lines.append(f"<dt>{title} {chip}</dt><dd>{values or 'no records'}</dd>")
        link = f'<a href="{card.page}.html">{escape(card.statement)}</a>'
        shown.append(f"<li><strong>{link}</strong><dl>{''.join(lines)}</dl></li>")
    return f'<ul class="dk-cards">{"".join(shown)}</ul>'


def _found(card: Card, cells: Cells) -> Difference | None:
    return less(cells, card.plus, card.minus, card.measure, card.densities)
