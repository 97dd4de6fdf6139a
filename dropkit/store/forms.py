"""What a record has to look like to be read: its parts, their types and ranges, and plain text.

A checksum says that a line is as it was written, not that an honest program wrote it.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from math import inf
from typing import Any

from dropkit._common.text import LONGEST, plain

# Means nothing but itself anywhere; colons stand inside, as in the protocol "ccs:el2n".
NAME = re.compile(r"(\w([\w.+-]|:(?=\w)){0,99})?")
FREE = ("inputs",)  # texts of a trial that are no names
MOST = 2**63  # above any number in a record
DEEPEST = 8  # levels of a record


def fault(record: Mapping[str, Any]) -> str:
    """Return what is wrong with a record as it was read, "" if nothing.

    Parameters
    ----------
    record : dict
        Of what JSON has. What is neither of a trial nor of a fit, no page shows: it passes.
    """
    return next(_faults(record), "")


def _faults(record: Mapping[str, Any]) -> Iterator[str]:
    kind = next((kind for kind in _KINDS if kind in record), None)
    if found := _unsafe(record, kind):
        yield found
    if kind is None:
        return
    yield from _lacking(record, _WHOLE[kind], "")
    made = record["provenance"]
    yield from _lacking(made, _PROVENANCE, "provenance.")
    if not all(map(_is_text_or_none, made.values())):
        yield "provenance is not of texts"
    if not (made.get("torch") or made.get("scikit-learn")):
        yield "provenance has neither torch nor scikit-learn"
    lists = [name for name in _WHOLE[kind] if name in _RESULT]
    if len({len(record[name]) for name in lists}) > 1:
        yield f"{', '.join(lists[:-1])} and {lists[-1]} differ in length"
    parts = [(kind, f"{kind}.", record[kind])]
    parts += [(name, f"{kind}.{name}.", record[kind].get(name)) for name in _NESTED]
    for name, where, part in parts:
        if part is not None:
            yield from _lacking(part, _KINDS.get(name) or _NESTED[name], where)
            yield from _lacking(part, _OPTIONAL.get(name, {}), where, needed=False)


def _unsafe(record: Mapping[str, Any], kind: str | None) -> str:
    """What no record has at any place; the texts of a trial are names, all but its inputs."""
    rest = [(name, value, kind == "trial" == name, 1) for name, value in record.items()]
    most = MOST if kind else inf
    while rest:
        name, value, named, deep = rest.pop()
        is_a = type(value)
        if is_a is str:
            if kind and not _is_plain(value):
                return f"a text is not one plain line of at most {LONGEST} characters"
            if named and name not in FREE and not _are_names((value,)):
                return f"{name} is not a name"
        elif is_a is list and value and {*map(type, value)} <= _NUMBERS:
            if not (min(value) > -most and max(value) < most):
                return f"{name} is of another type or range"
        elif is_a is dict or is_a is list:
            if deep == DEEPEST:
                return "it is nested too deeply"
            if kind and is_a is dict and not _are_names(tuple(value)):
                return "the name of a field is not one plain line of letters and digits"
            parts = value.items() if is_a is dict else ((name, each) for each in value)
            rest += [(field, part, named, deep + 1) for field, part in parts]
        elif value is not None and not -most < value < most:
            return f"{name} is of another type or range"
    return ""


_is_plain = lru_cache(maxsize=4096)(plain)  # most texts are in all records


@lru_cache(maxsize=4096)
def _are_names(texts: tuple[str, ...]) -> bool:
    return all(map(NAME.fullmatch, texts))


def _lacking(
    found: Mapping[str, Any],
    asked: Mapping[str, Callable[[Any], bool]],
    where: str,
    needed: bool = True,
) -> Iterator[str]:
    for name, fits in asked.items():
        if name in found:
            if not fits(found[name]):
                yield f"{where}{name} is of another type or range"
        elif needed:
            yield f"{where}{name} is missing"


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _is_text_or_none(value: Any) -> bool:
    return value is None or isinstance(value, str)


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _is_number(value: Any) -> bool:
    # Exactly these types: a bool is an int to Python.
    return type(value) in (int, float) and -MOST < value < MOST


def _is_whole(value: Any) -> bool:
    return type(value) is int and -MOST < value < MOST


def _is_some(value: Any) -> bool:
    return _is_whole(value) and value >= 1


def _is_share(value: Any) -> bool:
    return _is_number(value) and 0 <= value <= 1


def _is_positive(value: Any) -> bool:
    return _is_number(value) and value > 0


def _is_amount(value: Any) -> bool:
    return _is_number(value) and value >= 0


def _are(kinds: set[type], most: float) -> Callable[[Any], bool]:
    def fits(value: Any) -> bool:
        numbers = isinstance(value, list) and value and {*map(type, value)} <= kinds
        return bool(numbers) and min(value) >= 0 and max(value) <= most

    return fits


_NUMBERS = {int, float}
_are_counts = _are({int}, MOST)
_RESULT = {"recalls": _are(_NUMBERS, 1)}
_RESULT |= dict.fromkeys(("kept", "class_sizes", "test_sizes"), _are_counts)
_PROVENANCE = {"time": _is_text, "device": _is_text, "commit": _is_text_or_none}
_ORIGIN = {"seconds": _is_amount, "provenance": _is_object}
# What each kind of record has, beside what tells it from others of its kind.
_WHOLE: dict[str, dict[str, Callable[[Any], bool]]] = {
    "trial": _RESULT | _ORIGIN | {"trial": _is_object},
    "fit": {**_RESULT, **_ORIGIN, "fit": _is_object},
    "failed": _ORIGIN | {"failed": _is_object},
}
del _WHOLE["fit"]["test_sizes"]
_KINDS: dict[str, dict[str, Callable[[Any], bool]]] = {
    "trial": {
        **dict.fromkeys(("dataset", "model", "protocol", "rule"), _is_text),
        "density": _is_share,
        "seed": _is_whole,
        "smoothing": _is_amount,
        "recipe": _is_object,
        "recall_query": lambda query: query is None or _is_object(query),
    },
    "fit": {
        **dict.fromkeys(("data", "classifier", "method"), _is_text),
        "density": _is_share,
        "seed": _is_whole,
    },
    "failed": {"trial": _is_object, "why": _is_text},
}
_NESTED: dict[str, dict[str, Callable[[Any], bool]]] = {
    "recipe": {"epochs": _is_some},
    "recall_query": {
        "recipe": lambda recipe: _is_object(recipe) and _is_some(recipe.get("epochs"))
    },
}
# Parts that records of other versions may lack.
_OPTIONAL: dict[str, dict[str, Callable[[Any], bool]]] = {
    "trial": {"imbalance": _is_positive},
    "recipe": dict.fromkeys(("loss", "select", "budget", "anneal"), _is_text),
    "recall_query": {
        "initialisations": _is_some,
        **dict.fromkeys(("val_share", "val_noise"), _is_amount),
    },
}
