"""Which records the cells of a page ask for, and where those come from.

The kernel that executes a page notes every record that a cell looks up or adds, and saves them
beside the page for the rendering to find.
"""

import os
import platform
import subprocess
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from dropkit.store import folder as store
from dropkit.store.records import Record, lines, write_atomically

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

    `cells` are the ids of the notebook's code cells, in the order of their execution.
    """
    from dropkit.store.provenance import provenance  # here, as it takes torch and seconds

    folder = Path(folder)
    asked = {cells[count - 1]: records for count, records in sorted(_used.items())}
    for cell, records in asked.items():
        content = lines(records[key] for key in sorted(records))
        write_atomically(folder / f"{folder.name}-{cell}.jsonl", content)
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
    """Return where records were trained, one entry a device and version of what trained."""
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
        commit = made["commit"][:7] if made["commit"] else "none"
        group["commits"] = sorted({*group["commits"], commit})
    ordered = sorted(groups.items(), key=lambda item: (-item[1]["trials"], item[0]))
    return [
        {"device": device, engine: version} | group for (device, engine, version), group in ordered
    ]
