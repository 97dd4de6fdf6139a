"""Text that others wrote, shown as text and no more: on pages, terminals and in spreadsheets."""

import re
from typing import Any

LONGEST = 200  # characters of a text
MARKUP = frozenset("<`{")  # with which a page would hold more than the text
_MARKS = re.compile(r"([\\`*_\[\]<>&|~$#{}!^])")  # what Markdown makes more of in a line


def plain(text: Any) -> bool:
    """Whether a text is one printable line without markup, as pages and terminals may show it."""
    return (
        isinstance(text, str)
        and len(text) <= LONGEST
        and text.isprintable()
        and MARKUP.isdisjoint(text)
    )


def made_plain(text: str) -> str:
    """Return a text without what makes it no plain one."""
    kept = (each for each in text if each.isprintable() and each not in MARKUP)
    return "".join(kept)[:LONGEST]


def printable(value: object) -> str:
    """Return a text in which control characters are escapes, which no terminal obeys.

    Examples
    --------
    >>> print(printable("red \\x1b[31m"))
    red \\x1b[31m
    """
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in str(value))


def markdown(value: object) -> str:
    """Return a text as Markdown that shows it as it is.

    Examples
    --------
    >>> print(markdown("![x](2.9)"))
    \\!\\[x\\](2.9)
    """
    return _MARKS.sub(r"\\\1", " ".join(str(value).split()))


def no_formula(value: Any) -> Any:
    """Return a cell of a table; a text that a spreadsheet would compute is marked as text."""
    return f"'{value}" if isinstance(value, str) and value.lstrip()[:1] in tuple("=+-@") else value
