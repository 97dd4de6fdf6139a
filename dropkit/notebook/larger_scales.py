"""The published records of the larger scales, beside what a chapter measures itself."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import dropkit
from dropkit import figures
from dropkit.claims.statements import POINTS, points
from dropkit.figures.curves import Curves, name
from dropkit.figures.tables import with_interval
from dropkit.store.folder import Store
from dropkit.store.records import Record
from dropkit.study.curves import Cells, Evidence, Setting, arrange, contrast, density_of

FOLDER = Path(dropkit.__file__).parents[1] / "book" / "results"  # in a checkout

SOURCES = ["scale", "data, network", "networks", "seeds a point", "device", "hours"]
DIFFERENCES = [
    "difference", "density", "seeds", "average", "worst class, per seed", "worst class, pooled",
]  # fmt: skip

# What the paper states of VGG-19 on CIFAR-100: Section 4, and of Dynamic Uncertainty Section 2.
CASE = {
    "full data: worst class (%)": "35.8",
    "Random+DRoP at d = 0.5: worst class (%)": "45.4",
    "... minus full data": "+9.6",
    "... minus full data, average": "above −6",
    "CDB-W minus full data: worst class": "+5.7",
    "Dynamic Uncertainty at d = 0.1: seeds that lose a class": "classes are lost",
}


def evidence(
    protocols: Sequence[str], *, tails: bool = False, folder: str | Path | None = None
) -> Evidence:
    """The records of `protocols` at the scales "mini" and "paper", by setting.

    Parameters
    ----------
    protocols : labels, see ``evidence.label``
    tails : whether those of long-tailed sets are wanted, or those of whole ones
    folder : of records; default: ``book/results``
    """
    found, store = {}, Store(folder or FOLDER)
    for setting, cells in arrange(store).items():
        if setting.scale != "digits" and (setting.imbalance != 1) == tails:
            chosen = {label: _asked(store, cells[label]) for label in protocols if label in cells}
            if chosen:
                found[setting] = chosen
    return dict(sorted(found.items()))


def _asked(
    store: Store, by_density: dict[float, dict[int, Record]]
) -> dict[float, dict[int, Record]]:
    """The same records, asked for by their keys, so that the page offers them."""
    return {
        density: {seed: store[record["key"]] for seed, record in rows.items()}
        for density, rows in by_density.items()
    }


def _records(cells: Cells) -> list[Record]:
    return [
        record
        for by_density in cells.values()
        for rows in by_density.values()
        for record in rows.values()
    ]


def source_rows(found: Evidence) -> list[list]:
    """Rows under ``SOURCES``: what was trained where, and how long; what was not is said."""
    rows = [_source(setting, cells) for setting, cells in found.items()]
    have = {setting.scale for setting in found}
    return rows + [
        [scale, "no records yet", 0, "", "", ""] for scale in ("mini", "paper") if scale not in have
    ]


def _source(setting: Setting, cells: Cells) -> list:
    records = _records(cells)
    counts = sorted({len(rows) for by_density in cells.values() for rows in by_density.values()})
    seeds = f"{counts[0]} to {counts[-1]}" if len(counts) > 1 else counts[0]
    devices = Counter(record["provenance"]["device"] for record in records)
    hours = sum(record["seconds"] for record in records) / 3600
    device = ", ".join(device for device, _ in devices.most_common())
    return [setting.scale, setting.name, len(records), seeds, device, f"{hours:.1f}"]


def figure(found: Evidence, against: Sequence[str] = ("density", "worst")) -> Figure:
    """``figures.tradeoffs`` with a row for each setting that has records."""
    if not found:
        return figures.words("no records yet")
    return figures.tradeoffs({s.name: _curves(cells) for s, cells in found.items()}, against)


def _curves(cells: Cells) -> Curves:
    return {
        label: {
            density: np.array([rows[seed]["recalls"] for seed in sorted(rows)])
            for density, rows in by_density.items()
        }
        for label, by_density in cells.items()
    }


def difference_tables(
    found: Evidence, pairs: Sequence[tuple[str, str]]
) -> list[tuple[str, list[list]]]:
    """A setting's name and rows under ``DIFFERENCES``, of those that have any.

    First minus second in points, paired by the seeds both have.
    """
    tables = []
    for setting, cells in found.items():
        rows = []
        for first, second in pairs:
            densities = sorted({d for label in (first, second) for d in cells.get(label, {})} - {1})
            whole = all(label.startswith("full") for label in (first, second))
            for density in [1.0] if whole else densities:
                rows += _difference(cells, first, second, density)
        if rows:
            tables.append((setting.name, rows))
    return tables


def _difference(cells: Cells, first: str, second: str, density: float) -> list[list]:
    places = [[(label, density_of(label, density))] for label in (first, second)]
    found = [contrast(cells, *places, measure) for measure in ("average", "worst", "pooled")]
    if None in found:
        return []
    shown = [points(difference) for difference, _ in found]
    return [[f"{name(first)} − {name(second)}", f"{density:g}", found[0][1], *shown]]


def paper_case(found: Evidence) -> tuple[list[str], list[list[str]]]:
    """Headers and rows of a table: the numbers of the paper's ``CASE``, and each setting's own.

    Worst classes are means over seeds of each run's minimum, in percent and points, with Student's
    intervals; a dash where there are no records.
    """
    headers = ["", "paper: cifar100, vgg19", *(setting.name for setting in found)]
    columns = [_case(cells) for cells in found.values()]
    return headers, [list(row) for row in zip(CASE, CASE.values(), *columns, strict=True)]


def _case(cells: Cells) -> list[str]:
    full, half, weighted = ("full", 1.0), ("random+drop", 0.5), ("full+cdbw", 1.0)
    wanted = [
        (".1f", [full], [], "worst"),
        (".1f", [half], [], "worst"),
        (POINTS, [half], [full], "worst"),
        (POINTS, [half], [full], "average"),
        (POINTS, [weighted], [full], "worst"),
    ]
    shown = []
    for form, *places, measure in wanted:
        difference = contrast(cells, *places, measure)
        shown.append(with_interval(difference[0], form) if difference else "–")
    lost = [min(record["kept"]) == 0 for record in cells.get("dynunc", {}).get(0.1, {}).values()]
    return [*shown, f"{sum(lost)} of {len(lost)}" if lost else "–"]
