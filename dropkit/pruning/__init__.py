"""Which samples to keep: protocols by their names, and the rules that select inside quotas."""

from dropkit.pruning.protocols import SMOOTHED, Protocol, parse, strategies, version
from dropkit.pruning.rules import RULES, Rule, register
from dropkit.pruning.selection import prune
from dropkit.pruning.tables import Below, ClassTable, class_table, held

__all__ = [
    "Below",
    "ClassTable",
    "Protocol",
    "RULES",
    "Rule",
    "SMOOTHED",
    "class_table",
    "held",
    "parse",
    "prune",
    "register",
    "strategies",
    "version",
]
