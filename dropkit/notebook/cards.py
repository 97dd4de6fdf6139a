"""Cards of a paper's statements, each judged on real data and on the digits by the records."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple

from dropkit.figures.names import name
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
    Card(
        "Dynamic Uncertainty fails the worst class",
        "“fails miserably” (Figure 1)",
        "01-bias-study",
        "random",
        "dynunc",
    ),
    Card("DRoP beats random pruning", "at every density (Figure 5)", "03-drop", DROP, "random"),
    Card(
        "Half the data with DRoP beats all",
        "+9.6 (VGG-19, CIFAR-100)",
        "03-drop",
        DROP,
        "full",
        densities=[HALF],
    ),
    Card(
        "... for less than 6 points of average",
        "less than 6",
        "03-drop",
        DROP,
        "full",
        "average",
        [HALF],
        -6.0,
    ),
    Card(
        "Half the data with DRoP beats a weighted loss",
        "+9.6 against +5.7",
        "04-cdbw",
        DROP,
        "full+cdbw",
        densities=[HALF],
    ),
    Card(
        "DRoP mends long tails",
        "less bias than the whole set (Figure 8)",
        "05-imbalance",
        DROP,
        "full",
        tail=True,
    ),
]


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
        title = f'<a href="{card.page}.html">{escape(card.statement)}</a>'
        lines = [
            f"<dt>Paper</dt><dd>{escape(card.paper)}</dd>",
            _line("Real data", card, tails if card.tail else real),
            _line("Digits", card, {"": digit_tails if card.tail else digits}),
        ]
        what = f'<p class="dk-what">{_compared(card)}</p>'
        shown.append(f"<li><strong>{title}</strong>{what}<dl>{''.join(lines)}</dl></li>")
    return f'<ul class="dk-cards">{"".join(shown)}</ul>'


def _compared(card: Card) -> str:
    measure = "" if card.measure == "worst" else f", {card.measure}"
    return f"{name(card.plus)} − {name(card.minus)}{measure}"


def _line(title: str, card: Card, sets: Found) -> str:
    """A term with the verdict on these sets, and their differences."""
    found = {
        each: less(cells, card.plus, card.minus, card.measure, densities=card.densities)
        for each, cells in sets.items()
    }
    word = verdict(list(found.values()), card.least)
    chip = f'<span class="dk-chip dk-{word.replace(" ", "-")}">{word}</span>'
    shown = [f"{each} {with_points(got)}".strip() for each, got in found.items() if got is not None]
    return f"<dt>{title} {chip}</dt><dd>{'; '.join(shown) or 'no records'}</dd>"
