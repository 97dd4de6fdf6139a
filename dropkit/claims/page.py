"""Verdicts as tables: by section, in numbers, by key, and the evidence behind them."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from dropkit.claims.paper import CLAIMS
from dropkit.claims.verdicts import FAILS, HOLDS, MARKS, Claim, Effect, Verdict
from dropkit.figures.tables import Table, number, with_interval
from dropkit.store.records import Record
from dropkit.study.curves import Cells, Setting, arrange
from dropkit.study.trials import SCALES

COMPUTED = "digits"  # the scale under which what needs no records stands

Sections = Mapping[str, Sequence[Claim]]
Verdicts = Mapping[tuple[str, str], Verdict]  # key of a claim and scale


def shown(keys: Iterable[str], records: Iterable[Record] = (), scale: str = "digits") -> Table:
    """Return claims by their keys: what is stated and where, what was found, and the verdict.

    Parameters
    ----------
    keys : iterable of str
        Such as "D1".
    records : iterable of Record
        What decides them: a Store, or what ``study.run`` returned.
    scale : str
        "digits", "features", "mini" or "paper".
    """
    claims = {claim.key: claim for claim in CLAIMS}
    arranged = arrange(records)
    rows = []
    for key in keys:
        claim = claims[key]
        found = claim.check(arranged, scale)
        rows.append([f"**{key}**", stated(claim), claim.place, in_numbers(found), word(found)])
    return Table(rows, ["", "statement", "where", "found", "verdict"])


def check_all(sections: Sections, arranged: dict[Setting, Cells]) -> dict[tuple[str, str], Verdict]:
    """Return the verdict of every claim at every scale."""
    return {
        (claim.key, scale): claim.check(arranged, scale)
        for section in sections.values()
        for claim in section
        for scale in ([COMPUTED] if claim.fact else SCALES)
    }


def summary(sections: Sections, verdicts: Verdicts, scale: str) -> Table:
    """Return how many claims of each section got which verdict at a scale, or are computed."""
    rows = []
    for title, section in sections.items():
        keys = [(claim.key, COMPUTED if claim.fact else scale) for claim in section]
        counts = Counter(verdicts[key].word for key in keys)
        rows.append([title, len(section), *(counts[word] for word in MARKS)])
    totals = [sum(column) for column in list(zip(*rows, strict=True))[1:]]
    headers = ["part", "claims", *(f"{mark} {word}" for word, mark in MARKS.items())]
    return Table([*rows, ["all", *totals]], headers)


def statements(section: Sequence[Claim], verdicts: Verdicts) -> Table:
    """Return a claim a row, with its verdict at each scale."""
    rows = []
    for claim in section:
        cells = [cell(verdicts[claim.key, s]) if (claim.key, s) in verdicts else "" for s in SCALES]
        if claim.fact:
            cells[0] += "; computed"
        rows.append([f"**{claim.key}**", stated(claim), claim.place, *cells])
    return Table(rows, ["", "statement", "where", *SCALES])


def stated(claim: Claim) -> str:
    """Return a claim's text, and how it is read."""
    return claim.text + (f" *({claim.note})*" if claim.note else "")


def cell(verdict: Verdict) -> str:
    """Return a verdict in a few words, with its estimates: each of up to two, the range of more.

    Such as "◐ **partly**, 5 of 10 hold, 1 contradicted, 2 not run; −3.2 to +9.4".
    """
    found = in_numbers(verdict)
    # What is counted belongs to the word; a lone estimate stands apart from it.
    comma = "," if len(verdict.effects) > 2 or (verdict.effects and verdict.missing) else ";"
    return word(verdict) + f"{comma} {found}" * bool(found)


def word(verdict: Verdict) -> str:
    """Return a verdict's mark and word."""
    return f"{MARKS[verdict.word]} **{verdict.word}**"


def in_numbers(verdict: Verdict) -> str:
    """Return how many comparisons hold, and their estimates; empty without any."""
    effects = verdict.effects
    lacking = [f"{verdict.missing} not run"] if effects and verdict.missing else []
    if len(effects) <= 2:
        return "; ".join([*lacking, *map(estimate, effects)])
    words = Counter(effect.word for effect in effects)
    counts = [f"{words[HOLDS]} of {len(effects)} hold"]
    counts += [f"{words[FAILS]} contradicted"] if words[FAILS] else []
    values = [effect.found.value for effect in effects]
    ends = " to ".join(number(end(values), "+.1f") for end in (min, max))
    return ", ".join([*counts, *lacking]) + f"; {ends}"


def evidence(section: Sequence[Claim], verdicts: Verdicts) -> Table:
    """Return every comparison behind a section's verdicts."""
    rows = [
        [
            f"**{claim.key}**",
            "computed" if claim.fact else scale,
            effect.text,
            estimate(effect),
            wanted(effect),
            effect.seeds or "exact",
            f"{MARKS[effect.word]} {effect.word}",
        ]
        for claim in section
        for scale in SCALES
        if (claim.key, scale) in verdicts
        for effect in verdicts[claim.key, scale].effects
    ]
    headers = ["claim", "scale", "comparison", "estimate [95 % interval]", "wanted", "n", "reading"]
    return Table(rows, headers)


def estimate(effect: Effect) -> str:
    """Return an estimate and its interval, such as "+3.10 [+1.00, +5.20]"; alone if exact."""
    if effect.found.low == effect.found.high:
        return number(effect.found.value, ".4g")
    text = with_interval(effect.found, "+.2f")
    return f"{text}, no interval" if math.isnan(effect.found.low) else text


def wanted(effect: Effect) -> str:
    """Return the range that the claim wants the true value in."""
    low, high = number(effect.above + 0.0, ".4g"), number(effect.below, ".4g")
    if effect.above == -math.inf:
        return f"below {high}"
    return f"above {low}" if effect.below == math.inf else f"{low} to {high}"
