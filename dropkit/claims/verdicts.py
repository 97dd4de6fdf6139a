"""A claim, the comparisons that decide it, and the verdict on stored records."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from scipy import stats

from dropkit.claims.evidence import GROUPED, Cells, Evidence, Setting, arrange
from dropkit.metrics import Difference
from dropkit.store.records import Record

HOLDS, PARTLY, FAILS = "holds", "partly", "does not hold"
UNDECIDED, NO_RECORDS, ABSENT = "undecided", "no records", "not in the paper"
MARKS = {HOLDS: "✓", PARTLY: "◐", FAILS: "✗", UNDECIDED: "?", NO_RECORDS: "–", ABSENT: "∅"}


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


Test = Callable[[Cells], list[Effect | None]]  # None: no records


@dataclass(frozen=True)
class Claim:
    """A statement, where it stands, and the test that decides it.

    `test` gives the comparisons in one setting's cells, `fact` those that need no records; a claim
    with neither is not in the paper. It holds if all comparisons do, with rule "any" if one does in
    each setting and part.
    `data` says which settings it speaks of; `only` names the data set of a number that is stated
    for the paper's own network.
    """

    key: str
    text: str
    place: str
    test: Test | None = None
    fact: Callable[[], list[Effect]] | None = None
    rule: Literal["all", "any"] = "all"
    data: Literal["balanced", "tail", "groups"] = "balanced"
    only: str = ""
    source: Literal["paper", "summary", "notes", "card", "ours"] = "paper"
    note: str = ""

    def check(self, store: Iterable[Record] | Evidence, scale: str = "digits") -> Verdict:
        """The verdict on the records of a scale, "digits", "mini" or "paper".

        Parameters
        ----------
        store : a Store, any records, or what ``evidence.arrange`` made of them
        """
        if self.fact:
            return verdict(self.fact(), self.rule)
        if self.test is None:
            return Verdict(ABSENT)
        found = store if isinstance(store, dict) else arrange(store)
        settings = [s for s in found if s.scale == scale and kind(s) == self.data]
        if self.only:
            settings = [s for s in settings if s.scale == "paper" and s.dataset == self.only]
        effects: list[Effect | None] = []
        for setting in sorted(settings):
            prefix = f"{setting.name}: " if len(settings) > 1 else ""
            here = self.test(found[setting])
            if any(here):  # else nothing that the claim speaks of was trained there
                effects += [effect and self._placed(effect, prefix) for effect in here]
        return verdict(effects, self.rule)

    def _placed(self, effect: Effect, prefix: str) -> Effect:
        text = effect.text
        if self.data == "groups":
            text = text.replace("worst class", "worst group")
        # The rule "any" must be met in each setting: one of several is no widened interval.
        return effect._replace(text=prefix + text, part=prefix + effect.part)


def kind(setting: Setting) -> str:
    """Which claims a setting is evidence for: "balanced", "tail", "groups"; "" for none."""
    if setting.dataset in ("digits", "digits-3rows"):
        return ""  # too easy, and a reader's alternative: no part of the studies
    if setting.dataset in GROUPED:
        return "groups"
    return "balanced" if setting.imbalance == 1 else "tail"


def verdict(effects: Sequence[Effect | None], rule: str = "all") -> Verdict:
    """Put comparisons together.

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
        parts: dict[str, list[str]] = {}
        for effect in there:
            parts.setdefault(effect.part, []).append(effect.word)
        words = [
            HOLDS if HOLDS in part else UNDECIDED if UNDECIDED in part else FAILS
            for part in parts.values()
        ]
    if HOLDS in words:
        word = HOLDS if set(words) == {HOLDS} else PARTLY
    else:
        word = FAILS if FAILS in words else UNDECIDED
    return Verdict(word, there, missing)


def share(count: int, total: int, text: str, above: float, below: float = math.inf) -> Effect:
    """A share in percent with Clopper and Pearson's 95 % interval."""
    low, high = stats.binomtest(count, total).proportion_ci()
    found = Difference(100 * count / total, 100 * float(low), 100 * float(high))
    return Effect(text, found, total, above, below)


def exact(
    text: str, value: float, above: float = -math.inf, below: float = math.inf
) -> list[Effect]:
    """A computation without chance: its interval is a point."""
    return [Effect(text, Difference(value, value, value), 0, above, below)]


def violations(text: str, failed: Sequence[bool]) -> list[Effect]:
    """The share of instances that contradict a theorem, which must lie below half a percent."""
    return [share(sum(failed), len(failed), f"{text} (% of instances)", -math.inf, 0.5)]
