"""What cells show: numbers for the prose, and tables."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from dropkit.figures.tables import number

_MINUS = re.compile(r"(?<!\w)-(?=\.?\d)")  # a sign, and not the hyphen of "CIFAR-10"
_BAR = re.compile(r"(?<!\\)\|")  # that is not escaped yet
_NUMBER = re.compile(r"[-+−]?\.?\d")  # how a cell with a number starts, formatted or not


def glue(name: str, value: Any, form: str = "") -> None:
    """Name a number, a text or an IPython Markdown object for ``{glue:text}`` in the prose.

    Floats keep twelve significant digits: so many are the same on every machine, and the prose,
    which rounds them, is the first to do so that one can see. A number that runs with other
    parameters may lack is given its `form` here, such as ".1f", and not in the prose: NaN is a dash
    then.

    Parameters
    ----------
    name : str
        Unique in the book.
    value : object
        A number, NumPy's or Python's, a text, or what IPython displays.
    form : str
        Format of a number that becomes a text.
    """
    from IPython.core.formatters import format_display_data
    from IPython.display import display

    if form:
        value = number(value, form)
    if hasattr(value, "item"):  # a NumPy scalar would be written as "np.float64(0.5)"
        value = value.item()
    if isinstance(value, float):
        value = float(f"{value:.12g}")
    # The MIME prefix and the metadata are those that myst-nb's glue roles look for.
    prefix = "application/papermill.record/"
    data, metadata = format_display_data(value)
    metadata["scrapbook"] = {"name": name, "mime_prefix": prefix}
    display({prefix + kind: text for kind, text in data.items()}, raw=True, metadata=metadata)


def glue_all(start: str, values: Mapping[str, Any]) -> None:
    """Glue numbers and texts by their names, each after a common start and a hyphen.

    Parameters
    ----------
    start : str
        The chapter's.
    values : mapping of str to object
        What `glue` takes.
    """
    for name, value in values.items():
        glue(f"{start}-{name}", value)


def table(rows: Sequence[Sequence[Any]], headers: Sequence[str], title: str = "") -> None:
    """Display rows as a Markdown table, under a title in bold.

    Numbers are aligned to the right and have a true minus sign. Without rows a sentence says so.

    Parameters
    ----------
    rows : sequence of sequences
        Cells, which are shown as text.
    headers : sequence of str
        One a column.
    title : str
        "" for none.

    Raises
    ------
    ValueError
        If a row and the headers differ in length.
    """
    from IPython.display import Markdown, display

    for row in rows:
        if len(row) != len(headers):
            raise ValueError(f"a row is {list(row)}: it must have {len(headers)} cells, as headers")
    numeric = [all(_NUMBER.match(str(row[i])) for row in rows) for i in range(len(headers))]
    lines = [headers, ["---:" if right else ":---" for right in numeric], *rows]
    escaped = ([_BAR.sub(r"\|", _MINUS.sub("−", str(cell))) for cell in line] for line in lines)
    above = f"**{title}**\n\n" if title else ""
    if not rows:
        display(Markdown(f"{above}Nothing to show here with these parameters."))
        return
    display(Markdown(above + "\n".join("| " + " | ".join(line) + " |" for line in escaped)))
