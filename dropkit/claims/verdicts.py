"""A claim, the comparisons that decide it, and the verdict on stored records."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, NamedTuple, Protocol

from scipy import stats

from dropkit.metrics import Difference
from dropkit.store.records import Record
from dropkit.study.curves import Cells, Setting, arrange

HOLDS, OPEN, CONTRADICTED = "holds", "open", "contradicted"  # what a comparison does
TELLING = {CONTRADICTED: 0, OPEN: 1, HOLDS: 2}
SUPPORTED, MOSTLY, MIXED, REFUTED = "supported", "mostly supported", "mixed", "not supported"
NO_RECORDS, ABSENT = "no records", "not in the paper"
MARKS = {
    SUPPORTED: "✓", MOSTLY: "◕", MIXED: "◐", REFUTED: "✗", OPEN: "?", NO_RECORDS: "–", ABSENT: "∅",
}  # fmt: skip
READINGS = ("", "pooled", "tenth")  # of a worst class: the paper's, in each run, comes first


class Effect(NamedTuple):
    """One comparison: its interval, and the range in which the claim wants the true value.

    `word` reads the interval: inside the range it holds, outside it is contradicted, else open.
    """

    text: str
    found: Difference
    seeds: int  # or data sets, or instances; 0 for a computation without chance
    above: float = 0.0
    below: float = math.inf
    part: str = ""  # what the rule "any" must find one of: a measure
    reading: str = ""  # of READINGS
    unit: str = ""

    @property
    def word(self) -> str:
        _, low, high = self.found
        if self.above < low and high < self.below:
            return HOLDS
        return CONTRADICTED if high <= self.above or low >= self.below else OPEN


class Tally(NamedTuple):
    """How many comparisons do what; their `word` goes by the shares of those."""

    hold: int
    open: int
    contradicted: int

    @property
    def word(self) -> str:
        total = sum(self)
        if self.hold + self.contradicted < 0.2 * total:
            return OPEN
        if self.hold >= 0.9 * total and not self.contradicted:
            return SUPPORTED
        if self.hold >= 0.6 * total and self.contradicted < 0.1 * total:
            return MOSTLY
        return REFUTED if self.contradicted >= 0.5 * total or not self.hold else MIXED


class Verdict(NamedTuple):
    """What a scale says of a claim; `missing` comparisons have no records there.

    `word` is that of the first reading: the worst class of each run, as the paper measures it.
    """

    word: str
    effects: tuple[Effect, ...] = ()
    missing: int = 0
    tallies: Mapping[str, Tally] = MappingProxyType({})  # by reading


class Comparison(Protocol):
    """What a claim compares: data that knows how to give its effects."""

    def effects(self, cells: Cells) -> Iterable[Effect | None]:
        """Return the effects in one setting's cells; None where there are no records."""


@dataclass(frozen=True)
class Claim:
    """A statement, where it stands, and what decides it.

    Parameters
    ----------
    key, text, place : str
        Its name, what it says in our words, and where the paper says so.
    test : Comparison or tuple of Comparison
        What it compares in each setting.
    fact : callable, optional
        Gives the effects of what needs no records; without `test` and `fact` a claim is not in the
        paper.
    rule : {"all", "any"}
        Each comparison counts, or in each setting and part the one that says most for it.
    data : {"balanced", "tail", "groups"}
        Which settings it speaks of.
    only : str
        The data set of a number that is stated for the paper's own network.
    source : {"paper", "summary", "notes", "card", "later", "ours"}
        Who says so.
    note : str
        How it is read.
    """

    key: str
    text: str
    place: str
    test: Comparison | tuple[Comparison, ...] = ()
    fact: Callable[[], list[Effect]] | None = None
    rule: Literal["all", "any"] = "all"
    data: Literal["balanced", "tail", "groups"] = "balanced"
    only: str = ""
    source: Literal["paper", "summary", "notes", "card", "later", "ours"] = "paper"
    note: str = ""

    def check(
        self, store: Iterable[Record] | dict[Setting, Cells], scale: str = "digits"
    ) -> Verdict:
        """Return the verdict on the records of a scale, be they as ``arrange`` sorts them."""
        if self.fact:
            return judge(self.fact(), self.rule)
        if not self.test:
            return Verdict(ABSENT)
        tests = self.test if isinstance(self.test, tuple) else (self.test,)
        found = store if isinstance(store, dict) else arrange(store)
        settings = [s for s in found if s.scale == scale and kind(s) == self.data]
        if self.only:
            settings = [s for s in settings if s.scale == "paper" and s.dataset == self.only]
        effects: list[Effect | None] = []
        for setting in sorted(settings):
            prefix = f"{setting.name}: " if len(settings) > 1 else ""
            here = [effect for test in tests for effect in test.effects(found[setting])]
            if any(here):  # else nothing that the claim speaks of was trained there
                effects += [effect and self._placed(effect, prefix) for effect in here]
        return judge(effects, self.rule)

    def _placed(self, effect: Effect, prefix: str) -> Effect:
        text = effect.text
        if self.data == "groups":
            text = text.replace("worst class", "worst group")
        # The rule "any" must be met in each setting: one of several is no widened interval.
        return effect._replace(text=prefix + text, part=prefix + effect.part)


def kind(setting: Setting) -> str:
    """Return which claims a setting decides: "balanced", "tail", "groups"; "" for none."""
    if setting.dataset in ("digits", "digits-3rows"):
        return ""  # too easy, and a reader's alternative: no part of the studies
    if setting.grouped:
        return "groups"
    return "balanced" if setting.imbalance == 1 else "tail"


def judge(effects: Sequence[Effect | None], rule: str = "all") -> Verdict:
    """Return the verdict of comparisons together, by the thresholds of ``Tally``.

    Under "any" the comparisons of a part count as one: it holds if one of them does, and is
    contradicted if all are.
    """
    there = tuple(effect for effect in effects if effect is not None)
    missing = len(effects) - len(there)
    found = {reading: [e for e in there if e.reading == reading] for reading in READINGS}
    tallies = {reading: _tally(each, rule) for reading, each in found.items() if each}
    return Verdict(tallies[""].word if there else NO_RECORDS, there, missing, tallies)


def _tally(effects: Sequence[Effect], rule: str) -> Tally:
    words = [effect.word for effect in effects]
    if rule == "any":
        parts: dict[str, str] = {}
        for effect in effects:
            both = parts.get(effect.part, effect.word), effect.word
            parts[effect.part] = max(both, key=TELLING.__getitem__)
        words = list(parts.values())
    return Tally(*map(words.count, (HOLDS, OPEN, CONTRADICTED)))


def share(count: int, total: int, text: str, above: float, below: float = math.inf) -> Effect:
    """Return a share in percent with Clopper and Pearson's 95 % interval."""
    low, high = stats.binomtest(count, total).proportion_ci()
    found = Difference(100 * count / total, 100 * float(low), 100 * float(high))
    return Effect(text, found, total, above, below, unit="%")


def exact(
    text: str, value: float, above: float = -math.inf, below: float = math.inf
) -> list[Effect]:
    """Return a computation without chance: its interval is a point."""
    return [Effect(text, Difference(value, value, value), 0, above, below)]


def violations(text: str, failed: Sequence[bool]) -> list[Effect]:
    """Return the share of instances that contradict a theorem: it must lie below half a percent."""
    return [share(sum(map(bool, failed)), len(failed), f"{text} (% of instances)", -math.inf, 0.5)]
