"""What a record has to look like to be read: its parts, their types and ranges, and plain text.

A checksum says that a line is as it was written, not that an honest program wrote it.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

LONGEST = 200  # characters of a text
MARKUP = frozenset("<`{")  # with which a page would hold more than the text


def plain(text: Any) -> bool:
    """Whether a text is one printable line without markup, as pages and terminals may show it."""
    return (
        isinstance(text, str)
        and len(text) <= LONGEST
        and text.isprintable()
        and MARKUP.isdisjoint(text)
    )


def fault(record: Mapping[str, Any]) -> str:
    """Return what is wrong with a record as it was read, "" if nothing.

    Parameters
    ----------
    record : dict
        Of what JSON has. What is neither of a trial nor of a fit, no page shows: it passes.
    """
    try:
        return next(_faults(record), "")
    except RecursionError:
        return "it is nested too deeply"


def _faults(record: Mapping[str, Any]) -> Iterator[str]:
    kind = next((kind for kind in _KINDS if kind in record), None)
    if kind is None:
        return
    if not all(map(plain, _texts(record))):
        yield f"a text is not one plain line of at most {LONGEST} characters"
    result = _RESULT if kind in _MEASURED else {}
    yield from _lacking(record, _ORIGIN | result | {kind: _is_object}, "")
    yield from _lacking(record["provenance"], {"time": plain}, "provenance.")
    if not all(value is None or plain(value) for value in record["provenance"].values()):
        yield "provenance is not of texts"
    if result and len({len(record[name]) for name in ("recalls", "kept", "class_sizes")}) > 1:
        yield "recalls, kept and class_sizes differ in length"
    parts = {kind: record[kind]} | {
        name: part for name, part in record[kind].items() if name in _NESTED and part is not None
    }
    for name, part in parts.items():
        where = f"{name}." if name == kind else f"{kind}.{name}."
        yield from _lacking(part, _KINDS.get(name) or _NESTED[name], where)
        asked = _OPTIONAL.get(name, {})
        yield from _lacking(part, {each: asked[each] for each in asked if each in part}, where)


def _texts(value: Any) -> Iterator[Any]:
    """Every text in a record, names of fields too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from value
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list) and value and not isinstance(value[0], int | float):
        for each in value:
            yield from _texts(each)


def _lacking(
    found: Mapping[str, Any], asked: Mapping[str, Callable[[Any], bool]], where: str
) -> Iterator[str]:
    for name, fits in asked.items():
        if name not in found:
            yield f"{where}{name} is missing"
        elif not fits(found[name]):
            yield f"{where}{name} is of another type or range"


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _is_number(value: Any) -> bool:
    # Exactly these types: a bool is an int to Python.
    return type(value) in (int, float) and math.isfinite(value)


def _is_whole(value: Any) -> bool:
    return type(value) is int and abs(value) < 2**63


def _is_share(value: Any) -> bool:
    return _is_number(value) and 0 <= value <= 1


def _is_positive(value: Any) -> bool:
    return _is_number(value) and value > 0


def _is_amount(value: Any) -> bool:
    return _is_number(value) and value >= 0


def _is_count(value: Any) -> bool:
    return _is_whole(value) and value >= 0


def _all(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and value != [] and all(map(fits, value))


_RESULT = {
    "recalls": _all(_is_share),
    "kept": _all(_is_count),
    "class_sizes": _all(_is_count),
}
_ORIGIN = {"seconds": _is_amount, "provenance": _is_object}
_MEASURED = ("trial", "fit")
_KINDS: dict[str, dict[str, Callable[[Any], bool]]] = {
    "trial": {
        **dict.fromkeys(("dataset", "model", "protocol", "rule"), plain),
        "density": _is_share,
        "seed": _is_whole,
        "smoothing": _is_amount,
        "recipe": _is_object,
        "recall_query": lambda query: query is None or _is_object(query),
    },
    "fit": {
        **dict.fromkeys(("data", "classifier", "method"), plain),
        "density": _is_share,
        "seed": _is_whole,
    },
    "failed": {"trial": _is_object, "why": plain},
}
_NESTED: dict[str, dict[str, Callable[[Any], bool]]] = {
    "recipe": {"epochs": _is_whole},
    "recall_query": {
        "recipe": lambda recipe: _is_object(recipe) and _is_whole(recipe.get("epochs"))
    },
}
# Parts that records of other versions may lack.
_OPTIONAL: dict[str, dict[str, Callable[[Any], bool]]] = {
    "trial": {"imbalance": _is_positive},
    "recipe": dict.fromkeys(("loss", "select", "budget", "anneal"), plain),
    "recall_query": {
        "initialisations": _is_whole,
        **dict.fromkeys(("val_share", "val_noise"), _is_amount),
    },
}
