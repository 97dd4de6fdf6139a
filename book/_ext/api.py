"""Sphinx extension: this package's docstrings as napoleon, which reads NumPy's style, wants them.

A parameter's line here is "name : what it is", the sentence going on below; napoleon would take
the end of the line for the end of a type.
"""

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx

_PARAMETER = re.compile(r"(\w[\w, ]*) : (.*)")


def setup(app: "Sphinx") -> dict[str, Any]:
    """Connect; called by Sphinx."""
    app.connect("autodoc-process-docstring", _process, priority=400)  # napoleon comes at 500
    return {"parallel_read_safe": True}


def _process(
    app: "Sphinx", what: str, name: str, thing: Any, options: Any, lines: list[str]
) -> None:
    if what != "class":  # scikit-learn's style, as its users expect it, is NumPy's
        lines[:] = plain(lines)


def plain(lines: Sequence[str]) -> Iterator[str]:
    """Yield a docstring's lines with parameters' descriptions on lines of their own.

    Examples
    --------
    >>> list(plain(["n : how many,", "    all told.", "Returns", "-------", "(n,) indices."]))
    ['n', '    how many,', '    all told.', 'Result', '------', '(n,) indices.']
    """
    before = ""
    for line in lines:
        if found := _PARAMETER.fullmatch(line):
            yield found[1]
            yield f"    {found[2]}"
        elif line == "Returns":  # under that name napoleon takes the first line for a type
            yield "Result"
        else:
            yield line[1:] if before == "Returns" else line
        before = line
