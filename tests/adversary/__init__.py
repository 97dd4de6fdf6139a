"""What an adversary, a crash or a bad disk may do, tried again and again.

Each attack is a function of how long it goes on and of an empty folder; it returns how often it
tried and what came of it. ``tests/adversary/test_adversary.py`` tries each for seconds,
``python -m tests.adversary`` at full length.
"""

from typing import NamedTuple

from dropkit.store.records import key
from dropkit.training.recipes import ENGINE
from tests import made_records


class Outcome(NamedTuple):
    """How often an attack was tried, and what it did where it was not without effect."""

    tried: int
    harm: list[str]

    def __str__(self) -> str:
        return f"tried {self.tried:,}, lost {len(self.harm):,}"


def record(number, classes=3):
    """An honest record: of a trial whose key it has, with its own recalls."""
    recalls = [round((number * 7 + k * 13) % 101 / 101, 6) for k in range(classes)]
    made = made_records.record(seed=number, recalls=recalls)
    return made | {"key": key({"engine": ENGINE, "trial": made["trial"]})}
