"""Verdicts in words: the headline, claims by key, and what was found for them."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from dropkit.claims.paper import CLAIMS, scored
from dropkit.claims.verdicts import (
    MARKS,
    MIXED,
    MOSTLY,
    OPEN,
    REFUTED,
    SUPPORTED,
    Claim,
    Effect,
    Tally,
    Verdict,
)
from dropkit.figures.tables import Table, number, with_interval
from dropkit.store.records import Record
from dropkit.study.curves import Cells, Setting, arrange
from dropkit.study.trials import SCALES

COMPUTED = "digits"  # the scale under which what needs no records stands
NAMES = {
    "computed": "computed",
    "digits": "digits",
    "features": "frozen features",
    "mini": "CIFAR, small network",
    "paper": "CIFAR, fast network",
}
READINGS = {"pooled": "pooled", "tenth": "lowest tenth"}  # beside the paper's

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


def score(verdicts: Verdicts) -> tuple[str, str]:
    """Return the headline in two sentences: at the largest scale of each claim, and on digits."""
    largest, digits = Counter[str](), Counter[str]()
    scales = Counter[str]()
    for claim in filter(scored, CLAIMS):
        found = {s: verdicts[claim.key, s] for s in SCALES if (claim.key, s) in verdicts}
        there = [scale for scale, verdict in found.items() if verdict.effects]
        if not there:
            continue
        scales["computed" if claim.fact else there[-1]] += 1
        largest[found[there[-1]].word] += 1
        if not claim.fact and COMPUTED in there:
            digits[found[COMPUTED].word] += 1
    where = "; ".join(f"{NAMES[each]}: {scales[each]}" for each in reversed(NAMES) if scales[each])
    return (
        f"Of {largest.total()} statements of the paper that could turn out either way, each at "
        f"the largest scale that has records ({where}), {_counted(largest)}.",
        f"On the digits alone, of {digits.total()}, {_counted(digits)}.",
    )


def _counted(words: Counter[str]) -> str:
    *first, last = [f"{words[word]} {word}" for word in (SUPPORTED, MOSTLY, MIXED, REFUTED, OPEN)]
    return f"{', '.join(first)} and {last}"


def stated(claim: Claim) -> str:
    """Return a claim's text, and how it is read."""
    return claim.text + (f" *({claim.note})*" if claim.note else "")


def word(verdict: Verdict) -> str:
    """Return a verdict's mark and word."""
    return f"{MARKS[verdict.word]} **{verdict.word}**"


def in_numbers(verdict: Verdict) -> str:
    """Return each reading's comparisons: up to two with intervals, or counts and the range.

    Such as "2 of 5 hold, 1 contradicted, −3.2 to +9.4 points; pooled: +2.10 [+0.10, +4.20] points".
    """
    parts = []
    for reading, tally in verdict.tallies.items():
        effects = [effect for effect in verdict.effects if effect.reading == reading]
        few = len(effects) <= 2
        text = "; ".join(map(estimate, effects)) if few else f"{counts(tally)}, {_range(effects)}"
        parts.append(f"{READINGS[reading]}: {text}" if reading else text)
    lacking = [f"{verdict.missing} not run"] if verdict.effects and verdict.missing else []
    return "; ".join([*parts, *lacking])


def counts(tally: Tally) -> str:
    """Return a tally in words, such as "2 of 5 hold, 1 contradicted"."""
    contradicted = f", {tally.contradicted} contradicted" * bool(tally.contradicted)
    return f"{tally.hold} of {sum(tally)} hold{contradicted}"


def _range(effects: Sequence[Effect]) -> str:
    values = [effect.found.value for effect in effects]
    ends = " to ".join(number(end(values), "+.1f") for end in (min, max))
    return f"{ends} {effects[0].unit}".strip()


def estimate(effect: Effect) -> str:
    """Return an estimate and its interval, such as "+3.10 [+1.00, +5.20] points"."""
    if effect.found.low == effect.found.high:
        return number(effect.found.value, ".4g")
    text = f"{with_interval(effect.found, '+.2f')} {effect.unit}".strip()
    return f"{text}, no interval" if math.isnan(effect.found.low) else text


def wanted(effect: Effect) -> str:
    """Return the range that the claim wants the true value in."""
    low, high = number(effect.above + 0.0, ".4g"), number(effect.below, ".4g")
    words = f"{low} to {high}"
    if effect.above == -math.inf:
        words = f"below {high}"
    elif effect.below == math.inf:
        words = f"above {low}"
    return f"{words} {effect.unit}".strip()
