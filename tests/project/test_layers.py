"""The listing of the package is its road: nothing imports what stands above it, or in circles.

The order is that of `dropkit/`, read from the bottom. Imports for type checkers alone count too.
"""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import dropkit

PACKAGE = Path(dropkit.__file__).parent
ROAD = [
    *("_common", "models", "store", "datasets", "metrics", "quotas", "scores", "training"),
    *("theory", "pruning", "sampler", "study", "commands", "figures", "notebook", "claims"),
]


def imported(file: Path) -> set[str]:
    """Modules of the package that a file imports anywhere, by their dotted names."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {resolved for name in found if (resolved := module(name))}


def module(name: str) -> str:
    """The longest part of a dotted name that is a file of the package, "" for other packages."""
    parts = name.split(".")
    if parts[0] != "dropkit":
        return ""
    for end in range(len(parts), 1, -1):
        place = PACKAGE.joinpath(*parts[1:end])
        if place.with_suffix(".py").exists() or (place / "__init__.py").exists():
            return ".".join(parts[:end])
    return "dropkit"


FILES = sorted(PACKAGE.rglob("*.py"))
NAMES = [".".join(("dropkit", *file.relative_to(PACKAGE).with_suffix("").parts)) for file in FILES]
IMPORTS = {name: imported(file) for name, file in zip(NAMES, FILES, strict=True)}


def room(name: str) -> str:
    """The entry of the listing in which a module stands; "" for the package itself."""
    return (name.split(".") + [""])[1].replace("__init__", "")


def upward(name: str, others: set[str]) -> set[str]:
    """Those of the imported modules that stand above the module on the road."""
    here = room(name)
    if not here:
        return set()
    return {other for other in others if room(other) and ROAD.index(room(other)) > ROAD.index(here)}


def test_every_entry_has_its_place_on_the_road():
    ours = {path.stem for path in PACKAGE.iterdir() if path.name != "__pycache__"}
    assert ours - {"__init__", "py"} == set(ROAD)  # "py" of py.typed
    assert len(ours) <= 18


@pytest.mark.parametrize("name", NAMES)
def test_nothing_imports_upwards(name):
    assert not upward(name, IMPORTS[name])


def test_an_import_upwards_is_found():
    assert upward("dropkit.store.folder", {"dropkit.study.runner"}) == {"dropkit.study.runner"}
    assert upward("dropkit.study.runner", {"dropkit.store.folder"}) == set()


def test_no_module_is_reached_from_itself():
    graph = {name: others for name, others in IMPORTS.items() if not name.endswith("__init__")}
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle
