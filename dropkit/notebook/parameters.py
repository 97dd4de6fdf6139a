"""The parameters of a notebook, checked."""

import ast
import difflib
import re
from collections.abc import Iterable, Sequence
from types import SimpleNamespace
from typing import Any

from dropkit._common.checks import check_choice
from dropkit._common.fields import shown
from dropkit.notebook.parameter_checks import ParameterError, as_parameter_error, check
from dropkit.store.folder import default_path
from dropkit.study.trials import SCALES

_TAKES = re.compile(r"\b(settings|chapter)\(")  # what a notebook hands its parameters to


def settings(namespace: dict[str, Any], *, scales: Iterable[str] = SCALES) -> SimpleNamespace:
    """Return the notebook's parameters by name, checked, and set up its figures.

    The parameters are the literals assigned in the notebook's parameters cell; what was assigned
    to them later, by papermill or by hand, is the value. Lists come without repetitions, those of
    numbers in rising order.

    Parameters
    ----------
    namespace : dict
        The notebook's ``globals()``.
    scales : iterable of str
        Those that the notebook has.

    Raises
    ------
    ParameterError
        In one sentence, for a name the notebook does not take or a value it cannot use.
    """
    cells = namespace.get("In", [])
    # A kernel that keeps no history, as a test of the pages runs, had nothing injected.
    defaults, others = declared(cells) if any(cells) else (_plain(namespace), [])
    if not defaults:
        raise ParameterError("run the notebook's parameters cell before notebook.settings(...)")
    unknown = [name for name in others if name not in defaults]
    if unknown:
        raise ParameterError(_unknown(unknown, list(defaults)))
    values = {}
    for name, default in defaults.items():
        value = _typed(name, namespace[name], default)
        check(name, value)
        values[name] = _tidy(value) if isinstance(value, list) else value
    if "scale" in values:
        with as_parameter_error():
            check_choice(values["scale"], "scale", list(scales))
    if "store" in values:
        values["store"] = values["store"] or str(default_path())
    _set_up_kernel()
    _say_what_differs(values, defaults)
    return SimpleNamespace(**values)


def _tidy(items: list) -> list:
    """Each item once, and numbers in rising order, as tables and figures show them."""
    once = dict.fromkeys(items)
    return list(once) if any(isinstance(item, str) for item in once) else sorted(once)


def _say_what_differs(values: dict[str, Any], defaults: dict[str, Any]) -> None:
    """Tell the reader of another run which sentences are not about it."""
    from IPython import get_ipython
    from IPython.display import Markdown, display

    other = [
        f"`{name} = {value!r}` (the page has `{defaults[name]!r}`)"
        for name, value in values.items()
        if value != defaults[name] and name not in ("store", "executor", "device")
    ]
    if other and get_ipython():
        display(
            Markdown(
                f"**Other parameters than the page's own:** {', '.join(other)}. The tables, the "
                "figures and the numbers that cells print are of this run. Sentences around them "
                "that say what came out were written about the page's own parameters."
            )
        )


def declared(cells: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """Return the defaults a notebook declares, and every name assigned before ``settings``.

    The first of the code cells that only assigns literals declares; papermill writes what it
    injects into a further cell of that form.

    Parameters
    ----------
    cells : sequence of str
        The notebook's code, in its order.
    """
    defaults: dict[str, Any] = {}
    names: list[str] = []
    for cell in cells:
        if defaults and _TAKES.search(cell):
            break  # what later cells assign is the notebook's own work
        assigned = _assignments(cell)
        defaults = defaults or assigned
        names += assigned
    return defaults, names


def _assignments(cell: str) -> dict[str, Any]:
    """Names and literals of a cell that only assigns literals; empty for any other cell."""
    assigned = {}
    try:
        for statement in ast.parse(cell).body:
            for target in statement.targets:
                assigned[target.id] = ast.literal_eval(statement.value)
    except (AttributeError, SyntaxError, ValueError):
        return {}
    return assigned


def _plain(namespace: dict[str, Any]) -> dict[str, Any]:
    """What looks like a parameter among the notebook's names."""
    kinds = (bool, int, float, str, list)
    return {
        name: value
        for name, value in namespace.items()
        if type(value) in kinds and not name.startswith("_") and name != "In"
    }


def _unknown(names: list[str], declared: list[str]) -> str:
    """One sentence that says what is unknown, what is known and what was perhaps meant."""
    close = [match for name in names for match in difflib.get_close_matches(name, declared, n=1)]
    many = len(names) > 1
    return (
        f"parameter{'s' * many} {', '.join(names)} {'are' if many else 'is'} unknown: "
        f"this notebook takes {', '.join(declared)}"
        + (f" (did you mean {', '.join(close)}?)" if close else "")
    )


def _typed(name: str, value: Any, default: Any) -> Any:
    """The value in the type of the default: 1 for 1.0, a list for a tuple; nothing lossy."""
    if isinstance(default, list) and isinstance(value, (list, tuple)):
        example = default[:1]
        if all(_fits(item, example[0]) for item in value) if example else True:
            return [type(example[0])(item) for item in value] if example else list(value)
    elif not isinstance(default, list) and _fits(value, default):
        return value if default is None else type(default)(value)
    raise ParameterError(f"{name} is {_got(value)}: it must be {_expected(default)}")


def _fits(value: Any, default: Any) -> bool:
    if isinstance(value, bool) or isinstance(default, bool):  # True is an int to Python
        return type(value) is type(default)
    return isinstance(value, (int, float) if isinstance(default, float) else type(default))


_KINDS = {bool: "True or False", int: "a whole number", float: "a number", str: "a text"}


def _expected(default: Any) -> str:
    if not isinstance(default, list):
        return f"{_KINDS.get(type(default), type(default).__name__)} such as {default!r}"
    kind = _KINDS.get(type(default[0]), "item").removeprefix("a ") + "s" if default else "items"
    return f"a list of {kind} such as {default!r}"


def _got(value: Any) -> str:
    return f"the text {shown(value)}" if isinstance(value, str) else shown(value)


def _set_up_kernel() -> None:
    """The house style, inline figures as SVG without their date, and a list of records used."""
    import matplotlib
    from IPython import get_ipython
    from matplotlib_inline.config import InlineBackend

    from dropkit import figures
    from dropkit.notebook import records

    matplotlib.rcParams.update(figures.STYLE)
    if shell := get_ipython():
        records.follow(shell)
        inline = InlineBackend.instance(parent=shell)
        inline.shell = shell
        inline.print_figure_kwargs = {"bbox_inches": "tight", "metadata": {"Date": None}}
        inline.figure_formats = {"svg"}
