"""Code as a reader meets it: one fold for the set-up, and each other fold says what it draws."""

from typing import Any

HIDDEN = "hide-input"


def labelled(cells: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Join folded cells that show nothing where they follow one another, and name the folds.

    Parameters
    ----------
    cells : list of dict
        Of an executed page, in nbformat's form.

    Returns
    -------
    list of dict
        No two folds without something to show follow one another.
    """
    joined: list[dict[str, Any]] = []
    for cell in cells:
        last = joined[-1] if joined else {}
        if _folded(cell) and _folded(last) and not _shows(last) and not _shows(cell):
            last["source"] = f"{_text(last)}\n\n{_text(cell)}"
            last["outputs"] += cell["outputs"]
            last["metadata"].get("mystnb", {}).pop("code_prompt_show", None)
        else:
            joined.append(cell)
    for cell in filter(_folded, joined):
        cell["metadata"].setdefault("mystnb", {}).setdefault("code_prompt_show", _label(cell))
    return joined


def _folded(cell: dict[str, Any]) -> bool:
    return cell.get("cell_type") == "code" and HIDDEN in cell["metadata"].get("tags", ())


def _text(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])


def _shows(cell: dict[str, Any]) -> bool:
    """Whether a cell has an output that is not merely glued."""
    return any(
        not all("papermill" in kind for kind in output.get("data", {"text": ""}))
        for output in cell["outputs"]
    )


def _label(cell: dict[str, Any]) -> str:
    if "parameters" in cell["metadata"]["tags"]:
        return "Parameters and set-up"
    if "figure" in cell["metadata"].get("mystnb", {}):
        return "Code of this figure"
    return "Code of what follows" if _shows(cell) else "Code that trains and counts"
