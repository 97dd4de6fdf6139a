"""Verdicts as rows for ``notebook.table``: by section, in numbers, and the evidence behind them."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from dropkit.claims.evidence import Evidence
from dropkit.claims.verdicts import (
    ABSENT,
    FAILS,
    HOLDS,
    MARKS,
    NO_RECORDS,
    PARTLY,
    UNDECIDED,
    Claim,
    Effect,
    Verdict,
)
from dropkit.figures.tables import number, with_interval
from dropkit.study.trials import SCALES

WORDS = (HOLDS, PARTLY, FAILS, UNDECIDED, NO_RECORDS, ABSENT)
SUMMARY = ["part", "claims", *(f"{MARKS[word]} {word}" for word in WORDS)]
SECTION = ["", "statement", "where", *SCALES]
EVIDENCE = ["claim", "scale", "comparison", "estimate [95 % interval]", "wanted", "n", "reading"]

Sections = Mapping[str, Sequence[Claim]]
Verdicts = Mapping[tuple[str, str], Verdict]  # key of a claim and scale


def check_all(sections: Sections, found: Evidence) -> dict[tuple[str, str], Verdict]:
    """The verdict of every claim at every scale."""
    return {
        (claim.key, scale): claim.check(found, scale)
        for section in sections.values()
        for claim in section
        for scale in (SCALES[:1] if claim.fact else SCALES)
    }


def summary_rows(sections: Sections, verdicts: Verdicts, scale: str) -> list[list]:
    """How many claims of each section got which verdict at a scale; computed ones at each."""
    rows = []
    for title, section in sections.items():
        keys = [(claim.key, SCALES[0] if claim.fact else scale) for claim in section]
        counts = Counter(verdicts[key].word for key in keys)
        rows.append([title, len(section), *(counts[word] for word in WORDS)])
    totals = [sum(column) for column in list(zip(*rows, strict=True))[1:]]
    return [*rows, ["all", *totals]]


def section_rows(section: Sequence[Claim], verdicts: Verdicts) -> list[list]:
    """A claim a row, with its verdict at each scale."""
    rows = []
    for claim in section:
        note = f" *({claim.note})*" if claim.note else ""
        cells = [cell(verdicts[claim.key, s]) if (claim.key, s) in verdicts else "" for s in SCALES]
        if claim.fact:
            cells[0] += "; computed"
        rows.append([f"**{claim.key}**", claim.text + note, claim.place, *cells])
    return rows


def cell(verdict: Verdict) -> str:
    """A verdict in a few words, with its estimates: each of up to two, the range of more.

    Such as "◐ **partly**, 5 of 10 hold, 1 contradicted, 2 not run; −3.2 to +9.4".
    """
    text = f"{MARKS[verdict.word]} **{verdict.word}**"
    effects = verdict.effects
    lacking = f", {verdict.missing} not run" if effects and verdict.missing else ""
    if len(effects) <= 2:
        return "; ".join([text + lacking, *map(estimate, effects)])
    words = Counter(effect.word for effect in effects)
    text += f", {words[HOLDS]} of {len(effects)} hold"
    text += f", {words[FAILS]} contradicted" if words[FAILS] else ""
    text += lacking
    values = [effect.found.value for effect in effects]
    return f"{text}; {number(min(values), '+.1f')} to {number(max(values), '+.1f')}"


def evidence_rows(section: Sequence[Claim], verdicts: Verdicts) -> list[list]:
    """Every comparison behind a section's verdicts."""
    return [
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


def estimate(effect: Effect) -> str:
    """An estimate and its interval, such as "+3.10 [+1.00, +5.20]"; exact ones stand alone.

    A single seed has no interval, which is said.
    """
    if effect.found.low == effect.found.high:
        return number(effect.found.value, ".4g")
    text = with_interval(effect.found, "+.2f")
    return f"{text}, no interval" if math.isnan(effect.found.low) else text


def wanted(effect: Effect) -> str:
    """The range that the claim wants the true value in."""
    low, high = number(effect.above + 0.0, ".4g"), number(effect.below, ".4g")
    if effect.above == -math.inf:
        return f"below {high}"
    return f"above {low}" if effect.below == math.inf else f"{low} to {high}"


def settings_rows(found: Evidence) -> list[list]:
    """What the verdicts rest on, under ``SETTINGS``: a setting a row."""
    rows = []
    for setting in sorted(found):
        cells = found[setting]
        groups = [rows for by_density in cells.values() for rows in by_density.values()]
        counts = [len(group) for group in groups]
        seeds = f"{min(counts)} to {max(counts)}" if min(counts) < max(counts) else counts[0]
        hours = sum(record["seconds"] for group in groups for record in group.values()) / 3600
        # The digits are trained anew wherever the page is made, in another time each.
        shown = "" if setting.scale == "digits" else f"{hours:.2g}"
        rows.append([setting.scale, setting.name, len(cells), sum(counts), seeds, shown])
    return rows


SETTINGS = ["scale", "data, model", "protocols", "trials", "seeds a cell", "hours"]
