"""A claim, the comparisons that decide it, and the verdict on stored records."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from scipy import stats

from dropkit.metrics import Difference
from dropkit.store.records import Record
from dropkit.study.curves import Cells, Setting, arrange

HOLDS, PARTLY, FAILS = "holds", "partly", "does not hold"
UNDECIDED, NO_RECORDS, ABSENT = "undecided", "no records", "not in the paper"
MARKS = {HOLDS: "✓", PARTLY: "◐", FAILS: "✗", UNDECIDED: "?", NO_RECORDS: "–", ABSENT: "∅"}
TELLING = {FAILS: 0, UNDECIDED: 1, HOLDS: 2}
GROUPED = ("digits-on-photos", "waterbirds", "waterbirds-features")


class Effect(NamedTuple):
    """One comparison: its interval, and the range in which the claim wants the true value.

    `word` reads the interval: inside the range it holds, outside it fails, else it is undecided.
    """

    text: str
    found: Difference
    seeds: int  # or data sets, or instances; 0 for a computation without chance
    above: float = 0.0
    below: float = math.inf
    part: str = ""  # what the rule "any" must find one of: a measure

    @property
    def word(self) -> str:
        _, low, high = self.found
        if self.above < low and high < self.below:
            return HOLDS
        return FAILS if high <= self.above or low >= self.below else UNDECIDED


class Verdict(NamedTuple):
    """What a scale says of a claim; `missing` comparisons have no records there."""

    word: str
    effects: tuple[Effect, ...] = ()
    missing: int = 0


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
        It holds if all comparisons do, or if one does in each setting and part.
    data : {"balanced", "tail", "groups"}
        Which settings it speaks of.
    only : str
        The data set of a number that is stated for the paper's own network.
    source : {"paper", "summary", "notes", "card", "ours"}
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
    source: Literal["paper", "summary", "notes", "card", "ours"] = "paper"
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
    if setting.dataset in GROUPED:
        return "groups"
    return "balanced" if setting.imbalance == 1 else "tail"


def judge(effects: Sequence[Effect | None], rule: str = "all") -> Verdict:
    """Return the verdict of comparisons together.

    All hold: "holds"; some: "partly"; none holds and one is contradicted: "does not hold"; else
    "undecided". Under "any" the comparisons of a part count as one: it holds if one of them does,
    and fails if all do.
    """
    there = tuple(effect for effect in effects if effect is not None)
    missing = len(effects) - len(there)
    if not there:
        return Verdict(NO_RECORDS, (), missing)
    words = [effect.word for effect in there]
    if rule == "any":
        parts: dict[str, str] = {}
        for effect in there:
            both = parts.get(effect.part, effect.word), effect.word
            parts[effect.part] = max(both, key=TELLING.__getitem__)
        words = list(parts.values())
    if HOLDS in words:
        return Verdict(HOLDS if set(words) == {HOLDS} else PARTLY, there, missing)
    return Verdict(FAILS if FAILS in words else UNDECIDED, there, missing)


def share(count: int, total: int, text: str, above: float, below: float = math.inf) -> Effect:
    """Return a share in percent with Clopper and Pearson's 95 % interval."""
    low, high = stats.binomtest(count, total).proportion_ci()
    found = Difference(100 * count / total, 100 * float(low), 100 * float(high))
    return Effect(text, found, total, above, below)


def exact(
    text: str, value: float, above: float = -math.inf, below: float = math.inf
) -> list[Effect]:
    """Return a computation without chance: its interval is a point."""
    return [Effect(text, Difference(value, value, value), 0, above, below)]


def violations(text: str, failed: Sequence[bool]) -> list[Effect]:
    """Return the share of instances that contradict a theorem: it must lie below half a percent."""
    return [share(sum(map(bool, failed)), len(failed), f"{text} (% of instances)", -math.inf, 0.5)]
