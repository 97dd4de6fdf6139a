"""The published records of the larger scales, beside what a chapter measures itself."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import dropkit
from dropkit._common.text import markdown
from dropkit.figures import query_length
from dropkit.figures.names import name
from dropkit.figures.tables import POINTS, Table, number, with_interval
from dropkit.metrics import Difference
from dropkit.notebook.answers import moves, placed
from dropkit.notebook.shown import glue
from dropkit.store.folder import Store
from dropkit.store.records import Record
from dropkit.study.curves import Cells, Curves, Setting, arrange, label, setting_of, stacked
from dropkit.study.measures import gain

FOLDER = Path(dropkit.__file__).parents[1] / "book" / "results"  # in a checkout

# What the paper states of VGG-19 on CIFAR-100: Section 4, and of Dynamic Uncertainty Section 2.
CASE = {
    "full data: worst class (%)": "35.8",
    "Random+DRoP at d = 0.5: worst class (%)": "45.4",
    "... minus full data": "+9.6",
    "... minus full data, average": "above −6",
    "CDB-W minus full data: worst class": "+5.7",
    "Dynamic Uncertainty at d = 0.1: seeds that lose a class": "classes are lost",
}


def published(
    protocols: Sequence[str],
    *,
    tails: bool = False,
    groups: bool = False,
    scales: Sequence[str] = ("mini", "paper"),
) -> dict[Setting, Cells]:
    """Return the records of labels at some scales: of whole sets, or of tails, or of groups.

    Without those of sets that chapters train themselves.
    """

    def wanted(record: Record) -> bool:
        if not _is_larger(record) or label(record["trial"]) not in protocols:
            return False
        setting = setting_of(record["trial"])
        wanted = setting.scale in scales and not setting.live
        return wanted and (setting.imbalance != 1, setting.grouped) == (tails, groups)

    found = arrange(Store(FOLDER).select(wanted))
    return {
        setting: {label: found[setting][label] for label in protocols if label in found[setting]}
        for setting in sorted(found, key=_place)
    }


def _place(setting: Setting) -> tuple:
    """The paper's own accuracy first."""
    return setting.scale != "paper", *setting


def all_published(folder: str | Path = "") -> list[Record]:
    """Return the trials of the larger scales in a folder of records; default: ``FOLDER``."""
    return list(Store(folder or FOLDER).select(_is_larger))


# Of a hundred classes through a frozen network: enough to compare, and light enough for one page.
EXPLORED = ("full", "random", "random+drop", "el2n", "random+el2nq", "dynunc")


def explored() -> dict[Setting, Cells]:
    """Return what the results explorer has of the larger scales, the paper's own accuracy first.

    Without sets of groups, whose few densities are in chapter 6.
    """
    found = arrange(all_published())
    own = {
        one: cells
        for one, cells in found.items()
        if one.scale in ("mini", "paper") and not one.grouped
    }
    every = own | published(EXPLORED, scales=["features"])
    return {setting: every[setting] for setting in sorted(every, key=_place)}


def _is_larger(record: Record) -> bool:
    return "trial" in record and setting_of(record["trial"]).scale != "digits"


def sources(found: dict[Setting, Cells]) -> Table:
    """Return what was trained where, and how long; what was not is said.

    What is live is trained anew wherever a page is made, by another device in another time each.
    """
    rows = []
    for setting in sorted(found):
        cells = [runs for by_density in found[setting].values() for runs in by_density.values()]
        records = [record for runs in cells for record in runs.values()]
        least, most = (end(map(len, cells)) for end in (min, max))
        seeds = f"{least} to {most}" if least < most else least
        row = [setting.scale, setting.name, len(found[setting]), len(records), seeds, "", ""]
        if not setting.live:
            devices = Counter(record["provenance"]["device"] for record in records)
            hours = sum(record["seconds"] for record in records) / 3600
            row[-2:] = (
                ", ".join(markdown(device) for device, _ in devices.most_common()),
                f"{hours:.1f}",
            )
        rows.append(row)
    lacking = [each for each in ("mini", "paper") if each not in {one.scale for one in found}]
    rows += [[scale, "no records yet", 0, 0, "", "", ""] for scale in lacking]
    headers = ["scale", "data, network", "protocols", "networks", "seeds a point"]
    return Table(rows, [*headers, "device", "hours"])


def curves(found: dict[Setting, Cells]) -> dict[str, Curves]:
    """Return the recalls of each setting under the title of its panel."""
    return {setting.title: stacked(cells) for setting, cells in found.items()}


def differences(
    found: dict[Setting, Cells], protocol: str, other: str, density: float, measure: str = "worst"
) -> dict[str, Difference]:
    """Return how far a measure of a protocol is from another's at a density, by the set's title."""
    return {
        setting.title: apart
        for setting, cells in found.items()
        if (apart := gain(cells, protocol, other, measure, densities=[density]))
    }


def against(
    found: dict[Setting, Cells], protocol: str, other: str, density: float, measure: str = "worst"
) -> str:
    """Say of each setting how a protocol moves a measure against another at a density."""
    apart = differences(found, protocol, other, density, measure)
    return ", ".join(f"{moves(each)} ({title})" for title, each in apart.items())


def by_setting(found: dict[Setting, Cells], labels: Sequence[str], density: float) -> Table:
    """Return each setting's worst groups at a density, and what the first label gains on others.

    A label also stands for its like after other queries.
    """
    rows = []
    for setting, cells in found.items():
        like = {label.partition(", query of")[0]: label for label in cells}
        first, *others = (like.get(label, label) for label in labels)
        worst = [gain(cells, each, densities=[density]) for each in (first, *others)]
        gains = [gain(cells, first, other, densities=[density]) for other in others]
        row = [number(each.value, ".1f") if each else "–" for each in worst]
        row += [with_interval(each, POINTS) if each else "–" for each in gains]
        rows.append([setting.title, *row])
    apart = (f"{name(labels[0])} − {name(other)}" for other in labels[1:])
    headers = ["", *map(name, labels), *apart]
    return Table(rows, headers, f"Density {density:g}: worst group (%), differences in points")


def glue_against(
    start: str,
    found: dict[Setting, Cells],
    protocol: str,
    density: float,
    measure: str = "worst",
) -> None:
    """Glue what `against` says of random pruning and of the full data, under names with a start."""
    for other in ("random", "full"):
        glue(f"{start}-{other}", against(found, protocol, other, density, measure))


def after_queries(cells: Cells, density: float, measure: str) -> str:
    """Say what DRoP does to a measure against random pruning after queries of each length."""
    lengths = query_length.lengths(cells)
    moved = [
        f"after {epochs} epoch{'s' * (epochs > 1)} it {moves(found)}"
        for epochs, each in lengths.items()
        if (found := gain(cells, each, "random", measure, densities=[density]))
    ]
    if not moved:
        return "was not measured"
    ends = (lengths[end(lengths)] for end in (max, min))
    apart = moves(gain(cells, *ends, measure, densities=[density]))
    return f"{', '.join(moved)}; from the shortest query to the longest it {apart}"


def standing(
    found: dict[Setting, Cells],
    labels: Sequence[str],
    other: str,
    density: float,
    measure: str = "worst",
) -> str:
    """Say of each setting which labels stand below another, which above, and which not apart."""
    sentences = []
    for setting, cells in found.items():
        pairs = {each: gain(cells, each, other, measure, densities=[density]) for each in labels}
        if said := placed(pairs):
            sentences.append(f"{setting.title}: {said}")
    return ". ".join(sentences) + "." * bool(sentences)


def kept(cells: Cells) -> tuple[Curves, np.ndarray, np.ndarray]:
    """Return samples kept by label and density, class sizes (K,), and the full data's recalls.

    Of a set whose classes are of one size for every seed; the full data are not among the labels.
    """
    of_labels = stacked(cells, "kept")
    sizes = of_labels.pop("full")[1.0][0]
    return of_labels, sizes, stacked(cells)["full"][1.0]


def paper_case(found: dict[Setting, Cells]) -> Table:
    """Return the numbers of the paper's ``CASE``, and each setting's own with their intervals."""
    headers = ["", "paper: cifar100, vgg19", *(setting.name for setting in found)]
    columns = [_case(cells) for cells in found.values()]
    return Table([list(row) for row in zip(CASE, CASE.values(), *columns, strict=True)], headers)


def _case(cells: Cells) -> list[str]:
    wanted = [
        ("full", "", "worst"),
        ("random+drop", "", "worst"),
        ("random+drop", "full", "worst"),
        ("random+drop", "full", "average"),
        ("full+cdbw", "full", "worst"),
    ]
    shown = []
    for plus, minus, measure in wanted:
        found = gain(cells, plus, minus, measure, densities=[0.5])
        shown.append(with_interval(found, POINTS if minus else ".1f") if found else "–")
    lost = [min(record["kept"]) == 0 for record in cells.get("dynunc", {}).get(0.1, {}).values()]
    return [*shown, f"{sum(lost)} of {len(lost)}" if lost else "–"]
