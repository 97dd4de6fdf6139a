"""What a field of a plan, recipe or notebook may hold: types, ranges and sizes, in one sentence."""

import math
import reprlib
from collections.abc import Callable, Collection, Iterable, Mapping
from numbers import Integral, Real
from typing import Any, NamedTuple

from dropkit._common.errors import UserError

LARGEST = 1_000_000  # of what is counted
LONGEST = 200  # characters of a text
ITEMS = 1_000  # of a list

_short = reprlib.Repr()
_short.maxstring = _short.maxother = _short.maxlong = 60
_short.maxlevel = 3


class Kind(NamedTuple):
    """What a value must be, in words and as a test; of a list, its items too."""

    must: str
    fits: Callable[[Any], bool]
    item: "Kind | None" = None


def whole(least: int, most: int = LARGEST) -> Kind:
    """Return the kind of whole numbers in a range; True is none."""
    words = f"be a whole number from {least:,} to {most:,}"

    def fits(value: Any) -> bool:
        # Its own types first: the others' take ten times as long to ask for.
        known = type(value) is int or (isinstance(value, Integral) and not isinstance(value, bool))
        return known and least <= value <= most

    return Kind(words, fits)


def number(words: str, fits: Callable[[Any], bool]) -> Kind:
    """Return the kind of finite numbers that fit, which the words say; True is none."""

    def sound(value: Any) -> bool:
        known = type(value) in (float, int)
        known = known or (isinstance(value, Real) and not isinstance(value, bool))
        return known and abs(value) < math.inf and bool(fits(value))

    return Kind(f"be a number {words}", sound)


def choice(names: Collection[str]) -> Kind:
    """Return the kind of texts that are one of the names."""
    listed = ", ".join(names)
    return Kind(f"be one of {listed}", lambda value: isinstance(value, str) and value in names)


def many(item: Kind, least: int = 1) -> Kind:
    """Return the kind of lists and tuples of at least so many items, which are of a kind."""

    def fits(value: Any) -> bool:
        return isinstance(value, list | tuple) and least <= len(value) <= ITEMS

    return Kind(f"be a list of {least:,} to {ITEMS:,} items", fits, item)


FLAG = Kind("be true or false", lambda value: isinstance(value, bool))
TEXT = Kind(
    f"be a text of at most {LONGEST} characters",
    lambda value: isinstance(value, str) and len(value) <= LONGEST,
)
TABLE = Kind("be a table", lambda value: isinstance(value, dict))
SHARE = number("above 0 and at most 1", lambda value: 0 < value <= 1)
PART = number("from 0 to 1", lambda value: 0 <= value <= 1)
AMOUNT = number("from 0 to 1,000,000", lambda value: 0 <= value <= LARGEST)
FACTOR = number("from 1 to 1,000,000", lambda value: 1 <= value <= LARGEST)
SEED = whole(0, 10**9)
COUNT = whole(0)


def check(value: Any, kind: Kind, name: str) -> None:
    """Raise UserError, which names the field or the item of it, unless a value is of a kind."""
    if not kind.fits(value):
        size = f" of {len(value):,} items" if kind.item and isinstance(value, list | tuple) else ""
        raise UserError(f"{name} is {shown(value)}{size}: it must {kind.must}")
    if kind.item:
        for place, each in enumerate(value):
            if not kind.item.fits(each):  # a name for each would take the time
                check(each, kind.item, f"{name}[{place}]")


def check_table(
    table: Mapping[str, Any], kinds: Mapping[str, Kind], name: str, needed: Iterable[str] = ()
) -> None:
    """Raise UserError unless a table has the fields that it needs, and others of `kinds` alone.

    A table that has no name of its own is "a plan" or the like, and not part of its fields' names.
    """
    inside = "" if name.startswith("a ") else f"{name}."
    for field in needed:
        if field not in table:
            raise UserError(f"{name} needs {field}")
    for field, value in table.items():
        if field not in kinds:
            raise UserError(f"{name} has no {shown(field)}; it has {', '.join(kinds)}")
        check(value, kinds[field], f"{inside}{field}")


def shown(value: Any) -> str:
    """Return a value as Python writes it, shortened to what a sentence holds."""
    try:
        return _short.repr(value)
    except ValueError:
        return "a number of thousands of digits"
