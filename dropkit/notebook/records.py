"""Which records stand behind a page and each of its figures, and where they come from.

The kernel that executes a page notes every record that a cell looks up or adds, and saves them
beside the page for the rendering to find.
"""

import ast
import os
import platform
import subprocess
from collections.abc import Collection, Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from dropkit.store import folder as store
from dropkit.store.records import Record

ENGINES = ("torch", "scikit-learn")  # what trains, as a record's provenance names it

_used: dict[int, dict[str, Record]] = {}  # by the execution count of the cell that asked
_fresh: set[str] = set()  # keys of the records that this process trained


def follow(shell: Any) -> None:
    """Note from now on what the cells of this IPython shell ask of any store."""
    asked: dict[str, Record] = {}

    def note(record: Record, fresh: bool) -> None:
        asked[record["key"]] = record
        if fresh:
            _fresh.add(record["key"])

    # The shell's own count is already that of the next cell in some versions of IPython.
    def after_cell(result: Any) -> None:
        if asked:
            _used[result.execution_count] = dict(asked)
            asked.clear()

    _used.clear()
    _fresh.clear()
    store.watchers[:] = [note]
    shell.events.register("post_run_cell", after_cell)


def save(folder: str | Path, cells: Sequence[str]) -> dict[str, Any]:
    """Write the noted records, one ``.jsonl`` file a cell; return what made the page.

    Parameters
    ----------
    folder : where the files go, named after the folder and the cell
    cells : the ids of the notebook's code cells, in the order of their execution

    Raises
    ------
    StoreError
        If a file cannot be written.
    """
    from dropkit.store.provenance import (
        provenance,  # here, for it takes torch and seconds to import
    )

    folder = Path(folder)
    for old in folder.glob("*.jsonl"):
        old.unlink()
    asked = {cells[count - 1]: records for count, records in sorted(_used.items())}
    for cell, records in asked.items():
        content = store.lines(records[key] for key in sorted(records))
        store.write_atomically(folder / f"{folder.name}-{cell}.jsonl", content)
    every = {key: record for records in asked.values() for key, record in records.items()}
    return {
        "made with": provenance()
        | {
            "changed": _code_changed(),
            "cores": os.cpu_count(),
            "system": platform.platform(terse=True),
            "Python": platform.python_version(),
            **{package: version(package) for package in ("numpy", "scipy", "matplotlib")},
        },
        "trials": len(every),
        "fresh": len(_fresh & every.keys()),
        "records": {cell: len(records) for cell, records in asked.items()},
        "trained": origins(every.values()),
    }


def _code_changed() -> bool:
    """Whether the code differs from the commit that provenance names."""
    asked = ["git", "status", "--porcelain", "--untracked-files=no", "--", "dropkit", "notebooks"]
    root = Path(__file__).parents[2]
    try:
        return bool(subprocess.run(asked, cwd=root, capture_output=True, check=True).stdout)
    except (OSError, subprocess.CalledProcessError):
        return False


def origins(records: Iterable[Record]) -> list[dict[str, Any]]:
    """Return where records were trained, one entry a device and version, largest first.

    The version is that of torch, or of the package in `ENGINES` that trained instead.
    """
    groups: dict[tuple[str, str, str], dict[str, Any]] = {}
    for record in records:
        made = record["provenance"]
        day = made["time"][:10]
        engine = next(package for package in ENGINES if package in made)
        new = {"trials": 0, "seconds": 0.0, "first": day, "last": day, "commits": []}
        group = groups.setdefault((made["device"], engine, made[engine]), new)
        group["trials"] += 1
        group["seconds"] = round(group["seconds"] + record["seconds"], 3)
        group["first"], group["last"] = min(group["first"], day), max(group["last"], day)
        group["commits"] = sorted(
            {*group["commits"], made["commit"][:7] if made["commit"] else "none"}
        )
    ordered = sorted(groups.items(), key=lambda item: (-item[1]["trials"], item[0]))
    return [
        {"device": device, engine: version} | group for (device, engine, version), group in ordered
    ]


def behind(cells: Mapping[str, str], sources: Collection[str]) -> dict[str, list[str]]:
    """Return for each cell which of the cells `sources` its names come from, itself included.

    `cells` maps ids to code in the order of execution. A name comes from the last cell that
    assigned it and those that changed it since; what a function does to its arguments is not seen.
    """
    trees = {cell: _parsed(code) for cell, code in cells.items()}
    # A call such as table(...) of an imported module changes nothing that is kept here.
    modules = {name for tree in trees.values() for name in _imported(tree)}
    makers: dict[str, list[str]] = {}  # name -> the cells that made it what it is
    reached: dict[str, set[str]] = {}
    for cell, tree in trees.items():
        needed, assigned, changed = _names(tree)
        came_from = {maker for name in needed - modules for maker in makers.get(name, ())}
        reached[cell] = {cell}.union(*(reached[maker] for maker in came_from))
        makers |= {name: [cell] for name in assigned}
        for name in changed - modules:
            makers.setdefault(name, []).append(cell)
    return {
        cell: [source for source in cells if source in reached[cell] and source in sources]
        for cell in cells
    }


def _parsed(code: str) -> ast.Module:
    try:
        return ast.parse(code)
    except SyntaxError:  # IPython's own commands
        return ast.Module([], [])


def _imported(tree: ast.Module) -> set[str]:
    names = (node for node in ast.walk(tree) if isinstance(node, ast.alias))
    return {(alias.asname or alias.name).split(".")[0] for alias in names}


def _names(tree: ast.Module) -> tuple[set[str], set[str], set[str]]:
    """Names that a cell needs from before it, those it assigns, and others it changes in place."""
    needed: set[str] = set()
    assigned: set[str] = set()
    changed: set[str] = set()
    for statement in tree.body:
        nodes = list(ast.walk(statement))
        own = _own_names(nodes)
        names = [node for node in nodes if isinstance(node, ast.Name) and node.id not in own]
        touched = {name for node in nodes if (name := _changed(node))} - assigned
        read = {node.id for node in names if isinstance(node.ctx, ast.Load)} | touched
        needed |= read - assigned
        changed |= touched
        assigned |= {node.id for node in names if isinstance(node.ctx, ast.Store)} - touched
        assigned |= {node.name for node in nodes if isinstance(node, ast.FunctionDef)}
    return needed, assigned, changed


def _own_names(nodes: Iterable[ast.AST]) -> set[str]:
    """Names that only the comprehensions of a statement know, and none of them iterates over."""
    loops = [node for node in nodes if isinstance(node, ast.comprehension)]
    bound = {name for loop in loops for name in _ids(loop.target)}
    return bound - {name for loop in loops for name in _ids(loop.iter)}


def _ids(tree: ast.AST) -> set[str]:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def _changed(node: ast.AST) -> str | None:
    """The name whose object an item assignment or a call for its effect changes."""
    if isinstance(node, ast.AugAssign):
        node = node.target
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        node = node.value.func
        if not isinstance(node, ast.Attribute):
            return None
    elif not (isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del)):
        return None
    while isinstance(node, ast.Subscript | ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None
