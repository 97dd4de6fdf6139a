"""Lines with a valid checksum that no honest program wrote, read by all that reads records."""

import contextlib
import copy
import csv
import io
import json
import re
import warnings

from dropkit.commands import main
from dropkit.figures import results_explorer
from dropkit.notebook import larger_scales, records as used
from dropkit.store import Store
from dropkit.store.records import line
from dropkit.study.curves import arrange
from tests import made_records
from tests.adversary import Outcome, record
from tests.made_records import QUERY

LACKING = object()
RAW = {"\x00inf": "1e999", "\x00nan": "NaN", "\x00minus": "-1e999"}  # which json.dumps writes not
VALUES = [
    None, True, 0, -1, 1.5, 2, 10**400, -(2**63), 1e308, *RAW, "", "x", "\x7f", "a\u202eb",
    "=cmd|' /C calc'!A0", "![x](//evil.example/x.png)", "[1](javascript:alert(1))", "\x1b[2J",
    "<script>alert(1)</script>", "x" * 10**4, [], [[]], [1, "<script>\x1b"], ["a"], [1, 2], {},
    {"a": 1}, {"<b>\x1b": 1}, {"a": {"a": {"a": {"a": {"a": {"a": {"a": {"a": 1}}}}}}}}, LACKING,
]  # fmt: skip
PROVENANCE = made_records.record()["provenance"]
HONEST = [
    made_records.record("random+drop", recall_query=QUERY, score_query=QUERY)
    | {"query": {"recalls": [0.5, 0.5], "val_sizes": [3, 3]}},
    made_records.record(dataset="cifar10", model="mini", recipe={"epochs": 6, "drops": [0.5]}),
    {name: record(0)[name] for name in ("key", "recalls", "kept", "class_sizes", "seconds")}
    | {"provenance": PROVENANCE, "fit": {"data": "d", "classifier": "c", "method": "m",
                                         "density": 0.5, "seed": 0, "packages": {"numpy": "2"}}},
    {"key": "", "failed": {"trial": record(0)["trial"], "why": "it diverged"}, "seconds": 0.0,
     "provenance": PROVENANCE},
]  # fmt: skip


def _places(value, place=()):
    if place:
        yield place
    if isinstance(value, dict):
        for name, part in value.items():
            yield from _places(part, (*place, name))
    elif isinstance(value, list) and value:
        yield from _places(value[0], (*place, 0))


def _forged(honest, place, value):
    found = copy.deepcopy(honest)
    *outer, last = place
    part = found
    for name in outer:
        part = part[name]
    if value is not LACKING:
        part[last] = value
    elif isinstance(part, list):
        part.clear()
    else:
        del part[last]
    return found


def _lines(full):
    """Every value in every place of every honest record, each under a key of its own."""
    step = 1 if full else 4
    cases = [(h, place, v) for h in HONEST for place in _places(h) for v in VALUES]
    for number, (honest, place, value) in enumerate(cases[::step]):
        forged = _forged(honest | {"key": f"forged{number}"}, place, value)
        text = json.dumps(forged, sort_keys=True, separators=(",", ":"))
        for mark, raw in RAW.items():
            text = text.replace(json.dumps(mark), raw)
        yield line(text)


def _said(*arguments):
    """The status of a command and what it printed."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        status = main(["store", *map(str, arguments)])
    return status, said.getvalue()


def commands(full, folder):
    """Read all forged lines at once by all that reads records: no traceback, no neighbour lost."""
    forged, honest = list(_lines(full)), record(1)
    store = folder / "store"
    store.mkdir()
    (store / "a.jsonl").write_text("".join([*forged, line(json.dumps(honest))]))
    harm = []
    for what, use in _USES.items():
        with warnings.catch_warnings(action="ignore"):
            try:
                wrong = use(store)
            except BaseException as error:
                wrong = f"{type(error).__name__}: {error}"[:300]
        if wrong:
            harm.append(f"{what}: {wrong}")
    return Outcome(len(forged) * len(_USES), harm)


def _listing(store):
    status, said = _said("ls", "--store", store)
    return "" if status == 0 and "\x1b" not in said else said[-300:]


def _verifying(store):
    status, said = _said("verify", "--sample", 0, "--store", store)
    return "" if status == 1 and "\x1b" not in said else said[-300:]


def _showing(store):
    status, said = _said("show", record(1)["key"], "--store", store)
    return "" if status == 0 and json.loads(said[said.index("{") :]) == record(1) else said[-300:]


def _exporting(store):
    status, said = _said("export", store.parent / "out" / "all.jsonl", "--store", store)
    with warnings.catch_warnings(action="error"):
        found = Store(store.parent / "out")
    return "" if status == 0 and found[record(1)["key"]] == record(1) else said[-300:]


def _table(store):
    status, said = _said("export", store.parent / "all.csv", "--store", store)
    with open(store.parent / "all.csv", newline="") as file:
        cells = {cell for row in csv.reader(file) for cell in row}
    bad = [cell for cell in cells if re.match(r"\s*[=+@-](?![\d.]+(e[+-]?\d+)?$)", cell)]
    return "" if status == 0 and not bad else f"{said[-300:]} {bad[:3]}"


def _merging(store):
    status, said = _said("merge", store, "--store", store.parent / "merged")
    with warnings.catch_warnings(action="error"):
        found = Store(store.parent / "merged")
    fine = status in (0, 1) and "\x1b" not in said and found[record(1)["key"]] == record(1)
    return "" if fine else said[-300:]


def _pages(store):
    found = [each for each in Store(store) if "failed" not in each and "provenance" in each]
    used.origins(found)
    arranged = arrange(found)
    larger_scales.sources(arranged)
    known = {s: {p: c for p, c in cells.items() if p != "x"} for s, cells in arranged.items()}
    results_explorer.results({s: cells for s, cells in known.items() if cells})
    return "" if any(each == record(1) for each in found) else "the honest record is gone"


def _repairing(store):
    """The last of all: nothing is left but the honest record, and verify is content."""
    status, said = _said("repair", "--forged", "--yes", "--store", store)
    status += _said("verify", "--sample", 0, "--store", store)[0]
    fine = status == 0 and list(Store(store)) == [record(1)]
    return "" if fine and "\x1b" not in said else said[-300:]


_USES = {
    "ls": _listing,
    "verify": _verifying,
    "show": _showing,
    "export": _exporting,
    "export as a table": _table,
    "merge": _merging,
    "pages": _pages,
    "repair": _repairing,
}
