"""What the book's notebooks call: checked parameters, numbers for the prose, tables."""

import ast
import difflib
import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from types import SimpleNamespace
from typing import Any

from dropkit.store import default_path

SCALES = ("digits", "mini", "paper")
_NUMBER = re.compile(r"[-+−]?\.?\d")  # how a cell with a number starts, formatted or not


class ParameterError(ValueError):
    """A notebook parameter that is unknown, of the wrong type or out of range."""

    def _render_traceback_(self) -> list[str]:
        # IPython and papermill print this in place of a traceback: the reader made a typing
        # mistake, and the stack of the notebook machinery says nothing about it.
        return [f"{type(self).__name__}: {self}"]


def settings(namespace: dict[str, Any]) -> SimpleNamespace:
    """Return the notebook's parameters, checked, and set up its figures.

    The parameters are the literals assigned in the notebook's parameters cell; what was assigned
    to them later, by papermill or by hand, is the value.

    Parameters
    ----------
    namespace : the notebook's ``globals()``.

    Raises
    ------
    ParameterError
        In one sentence, for a name the notebook does not take or a value it cannot use.
    """
    cells = namespace.get("In", [])
    if any(cells):
        defaults, others = parameters(cells)
    else:  # a kernel that keeps no history, as a test of the pages runs: nothing was injected
        defaults, others = _plain(namespace), []
    if not defaults:
        raise ParameterError("run the notebook's parameters cell before notebook.settings(...)")
    unknown = [name for name in others if name not in defaults]
    if unknown:
        raise ParameterError(_unknown(unknown, list(defaults)))
    values = {}
    for name, default in defaults.items():
        value = _typed(name, namespace[name], default)
        if name in _CHECKS:
            _CHECKS[name](value)
        values[name] = value
    if "store" in values:
        values["store"] = values["store"] or str(default_path())
    _set_up_kernel()
    return SimpleNamespace(**values)


def glue(name: str, value: Any) -> None:
    """Name a number, a text or an IPython Markdown object for ``{glue:text}`` in the prose.

    Floats keep five significant digits, so that the page is the same on every machine.
    """
    from IPython.core.formatters import format_display_data
    from IPython.display import display

    if hasattr(value, "item"):  # a NumPy scalar would be written as "np.float64(0.5)"
        value = value.item()
    if isinstance(value, float):
        value = float(f"{value:.5g}")
    # The MIME prefix and the metadata are those that myst-nb's glue roles look for.
    prefix = "application/papermill.record/"
    data, metadata = format_display_data(value)
    metadata["scrapbook"] = {"name": name, "mime_prefix": prefix}
    display({prefix + kind: text for kind, text in data.items()}, raw=True, metadata=metadata)


def table(rows: Sequence[Sequence[Any]], headers: Sequence[str], title: str = "") -> None:
    """Display rows as a Markdown table, under a title in bold; numbers are aligned to the right.

    Raises ValueError when a row and the headers differ in length.
    """
    from IPython.display import Markdown, display

    for row in rows:
        if len(row) != len(headers):
            raise ValueError(f"the table has {len(headers)} headers, but a row has {list(row)}")
    numeric = [all(_NUMBER.match(str(row[i])) for row in rows) for i in range(len(headers))]
    lines = [headers, ["---:" if right else ":---" for right in numeric], *rows]
    escaped = ([str(cell).replace("|", r"\|") for cell in line] for line in lines)
    above = f"**{title}**\n\n" if title else ""
    display(Markdown(above + "\n".join("| " + " | ".join(line) + " |" for line in escaped)))


def parameters(cells: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """Return the defaults a notebook declares, and every name assigned before ``settings``.

    The first of the code cells that only assigns literals declares; papermill writes what it
    injects into a further cell of that form.
    """
    defaults: dict[str, Any] = {}
    names: list[str] = []
    for cell in cells:
        if defaults and "settings(" in cell:
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
    return (
        f"unknown parameter{'s' * (len(names) > 1)} {', '.join(names)}; "
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
    raise ParameterError(f"{name} must be {_expected(default)}, got {_got(value)}")


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
    return f"the text {value!r}" if isinstance(value, str) else repr(value)


def _check_choice(name: str, value: str, choices: Iterable[str]) -> None:
    if value not in choices:
        raise ParameterError(f"{name} must be one of {', '.join(choices)}, got {value!r}")


def _check_scale(scale: str) -> None:
    _check_choice("scale", scale, SCALES)


def _check_executor(executor: str) -> None:
    from dropkit import study

    _check_choice("executor", executor, study.EXECUTORS)


def _check_densities(densities: list[float]) -> None:
    wrong = [density for density in densities if not 0 < density <= 1]
    if wrong or not densities:
        got = ", ".join(map(str, wrong)) or "an empty list"
        raise ParameterError(f"densities must be numbers above 0 and at most 1, got {got}")


def _check_density(density: float) -> None:
    if not 0 < density <= 1:
        raise ParameterError(f"density must be above 0 and at most 1, got {density}")


def _check_count(name: str, value: int) -> None:
    if value < 1:
        raise ParameterError(f"{name} says how many and must be at least 1, got {value}")


def _check_protocols(protocols: list[str]) -> None:
    from dropkit import pruning

    if not protocols:
        raise ParameterError("protocols must name at least one protocol, got an empty list")
    for protocol in protocols:
        try:
            pruning.parse(protocol)
        except ValueError as error:
            raise ParameterError(str(error)) from None


def _check_strategies(strategies: list[str]) -> None:
    from dropkit import scores

    wrong = [strategy for strategy in strategies if strategy not in scores.SCORES]
    if wrong or not strategies:
        got = ", ".join(wrong) or "an empty list"
        raise ParameterError(
            f"strategies must name scores, of {', '.join(sorted(scores.SCORES))}, got {got}"
        )


def _check_device(device: str) -> None:
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", device):
        raise ParameterError(f"device must be auto, cpu, cuda, cuda:N or mps, got {device!r}")


_CHECKS: dict[str, Callable[[Any], None]] = {
    "scale": _check_scale,
    "densities": _check_densities,
    "protocols": _check_protocols,
    "strategies": _check_strategies,
    "density": _check_density,
    **{
        name: partial(_check_count, name)
        for name in (
            "seeds",
            "clean_seeds",
            "score_seeds",
            "strategy_seeds",
            "points",
            "repetitions",
        )
    },
    "executor": _check_executor,
    "device": _check_device,
}


def _set_up_kernel() -> None:
    """The house style, inline figures as SVG without their date, and a list of records used."""
    import matplotlib
    from IPython import get_ipython
    from matplotlib_inline.config import InlineBackend

    from dropkit import figures, page_records

    matplotlib.rcParams.update(figures.STYLE)
    if shell := get_ipython():
        page_records.follow(shell)
        inline = InlineBackend.instance(parent=shell)
        inline.shell = shell
        inline.print_figure_kwargs = {"bbox_inches": "tight", "metadata": {"Date": None}}
        inline.figure_formats = {"svg"}
