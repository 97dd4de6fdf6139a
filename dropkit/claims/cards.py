"""Claims as cards of a static page: to filter (claims.js), to link to, and to read without script.

The class names are those of book/_static/book.css.
"""

import math
from collections.abc import Sequence
from html import escape

from dropkit.claims.page import COMPUTED, NAMES, READINGS, Sections, Verdicts, counts, wanted
from dropkit.claims.verdicts import ABSENT, MARKS, NO_RECORDS, Claim, Effect, Tally, Verdict
from dropkit.figures.tables import number
from dropkit.study.measures import MEASURES
from dropkit.study.trials import SCALES

WORDS = [word for word in MARKS if word != NO_RECORDS]
COLUMNS = ("scale", "comparison", "estimate", "low", "high", "n", "wanted", "")


def filters(sections: Sections) -> str:
    """Return the form by which a reader chooses cards; nothing shows it where no script runs."""
    words = {word: f"{MARKS[word]} {word}" for word in WORDS}
    lists = {"part": {title: title for title in sections}, "scale": NAMES, "verdict": words}
    fields = "".join(_choice(name, options) for name, options in lists.items())
    return (
        f'<form id="claims-filter" hidden>{fields}<button type="reset">Show all</button>'
        '<button type="button" data-csv>All comparisons as CSV</button>'
        '<output aria-live="polite"></output></form>'
    )


def _choice(name: str, options: dict[str, str]) -> str:
    each = "".join(f'<option value="{escape(key)}">{escape(text)}' for key, text in options.items())
    return f'<label>{name} <select name="{name}"><option value="">all{each}</select></label>'


def cards(title: str, section: Sequence[Claim], verdicts: Verdicts) -> str:
    """Return the cards of a section of claims, in their order."""
    return "".join(_card(title, claim, _found(claim, verdicts)) for claim in section)


def _found(claim: Claim, verdicts: Verdicts) -> dict[str, Verdict]:
    """The verdicts of a claim that say anything, by scale; what is computed under that name."""
    first = verdicts[claim.key, COMPUTED]
    if claim.fact or first.word == ABSENT:
        return {"computed": first}
    found = {scale: verdicts[claim.key, scale] for scale in SCALES}
    return {scale: each for scale, each in found.items() if each.word != NO_RECORDS}


def _card(part: str, claim: Claim, found: dict[str, Verdict]) -> str:
    anchor, words = f"claim-{claim.key}", ";".join(f"{s}:{v.word}" for s, v in found.items())
    note = f"<small>{escape(claim.note)}</small>" if claim.note else ""
    scales = "".join(_scale(*each) for each in found.items()) or "<li>no records yet"
    return (
        f'<article class="claim" id="{anchor}" data-part="{escape(part)}" data-words="{words}">'
        f'<p><a href="#{anchor}">{claim.key}</a> <b>{escape(claim.text)}</b>'
        f"<span>{escape(claim.place)}</span>{note}</p><ul>{scales}</ul>{_evidence(claim, found)}"
        "</article>"
    )


def _scale(scale: str, verdict: Verdict) -> str:
    """One scale's line: its name, the word, the bar, and how other readings end."""
    tallies = dict(verdict.tallies)
    first = tallies.pop("", None)
    bar = f"{_bar(first)} {counts(first)}" if first else ""
    lacking = f", {verdict.missing} not run" * bool(verdict.missing)
    others = "".join(
        f"<small>{READINGS[reading]}: {_badge(tally.word)}, {counts(tally)}</small>"
        for reading, tally in tallies.items()
    )
    line = f"{_badge(verdict.word)} {bar}{lacking}{others}"
    return f"<li><span>{NAMES[scale]}</span><span>{line}</span></li>"


def _badge(word: str) -> str:
    return f'<span class="claim-word" data-word="{word}">{MARKS[word]} {word}</span>'


def _bar(tally: Tally) -> str:
    parts = "".join(
        f'<i class="claim-{name}" style="flex:{count}"></i>'
        for name, count in tally._asdict().items()
        if count
    )
    return f'<span class="claim-bar">{parts}</span>'


def _evidence(claim: Claim, found: dict[str, Verdict]) -> str:
    """The fold of every comparison, with a line of a forest each; empty without any."""
    pairs = [(scale, effect) for scale, verdict in found.items() for effect in verdict.effects]
    if not pairs:
        return ""
    effects = [effect for _, effect in pairs]
    ends = [x for e in effects for x in (*e.found, e.above, e.below) if math.isfinite(x)]
    low, high = min(ends), max(ends)
    rows = "".join(_row(scale, effect, low, (high - low) or 1) for scale, effect in pairs)
    head = "".join(f"<th>{name}" for name in COLUMNS)
    summary = f"{len(pairs)} comparison{'s' * (len(pairs) > 1)}{_asked(claim, effects)}"
    return (
        f"<details><summary>{summary}</summary>"
        '<div class="pst-scrollable-table-container"><table>'
        f"<thead><tr>{head}<tbody>{rows}</table></div></details>"
    )


def _asked(claim: Claim, effects: Sequence[Effect]) -> str:
    """Which quantities are compared, and where the claim wants them, if that is one range."""
    measures = dict.fromkeys(effect.part.rsplit(": ")[-1] for effect in effects)
    names = [MEASURES[each].name for each in measures if each in MEASURES]
    ranges = {wanted(effect) for effect in effects}
    asked = f" of {', '.join(names)}" if names else ""
    asked += f"; wanted: {ranges.pop()}" if len(ranges) == 1 else ""
    return escape(asked + ", one a measure is enough" * (claim.rule == "any"))


def _row(scale: str, effect: Effect, origin: float, width: float) -> str:
    """A comparison; its interval and the wanted range in percent of the forest's width."""
    value, low, high = effect.found
    exact = low == high
    form = ".4g" if exact else "+.2f"
    ends = ["", ""] if exact else [number(low, form), number(high, form)]
    numbers = [number(value, form), *ends, str(effect.seeds or "exact"), wanted(effect)]
    places = [value, *((value, value) if math.isnan(low) else (low, high))]
    at = [100 * (x - origin) / width for x in (*places, effect.above, effect.below)]
    style = ";".join(
        f"--{name}:{min(max(x, 0), 100):.0f}" for name, x in zip("vlhab", at, strict=True)
    )
    texts = [scale, effect.text, *numbers]
    cells = "".join(f"<td>{escape(text)}" for text in texts)
    return f'<tr>{cells}<td><i style="{style}"></i>{effect.word}'
