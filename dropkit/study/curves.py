"""Stored records arranged for comparison, and differences between them with their intervals.

Shapes: S seeds, K classes or groups.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from typing import NamedTuple

import numpy as np

from dropkit import metrics
from dropkit.metrics import Difference, over_seeds, student
from dropkit.pruning import SMOOTHED
from dropkit.store.records import Record
from dropkit.study.queries import short_recipe
from dropkit.training.recipes import DEFAULTS, Recipe, defaults

GROUPED = ("digits-on-photos", "waterbirds")


class Setting(NamedTuple):
    """What trials share that may be compared; `recipe` is JSON, less what protocols vary."""

    dataset: str
    model: str
    imbalance: float
    recipe: str

    @property
    def scale(self) -> str:
        """ "digits", "mini" or "paper"."""
        if self.dataset.startswith("digits"):
            return "digits"
        return "mini" if self.model == "mini" else "paper"

    @property
    def name(self) -> str:
        """Data, network, long tail, budget, and what else the recipe has of its own."""
        tail = f", I = {self.imbalance:g}" * (self.imbalance != 1)
        recipe = json.loads(self.recipe)
        budget = recipe.pop("budget", "epochs")
        text = f"{self.dataset}, {self.model}{tail}" + f", budget {budget}" * (budget != "epochs")
        usual = _usual(self.dataset, self.model)
        own = {field: value for field, value in recipe.items() if usual.get(field, value) != value}
        return ", ".join([text, *(f"{field} {value}" for field, value in own.items())])


def _usual(dataset: str, model: str) -> dict:
    """The recipe that trials of a data set have unless another is given, as records hold it."""
    if dataset not in DEFAULTS:
        return {}
    return json.loads(json.dumps(asdict(defaults(dataset, model)[1])))


Cells = dict[str, dict[float, dict[int, Record]]]  # label -> density -> seed -> record
Evidence = dict[Setting, Cells]
Place = tuple[str, float]  # label and density


def arrange(records: Iterable[Record]) -> Evidence:
    """Sort the trials among the records by setting, label, density and seed.

    Where a trial was run more than once, the newest record counts. Networks that do not end with
    their last weights are left out.
    """
    found: Evidence = {}
    for record in records:
        trial = record.get("trial")
        if trial is None or trial["recipe"].get("select", "last") != "last":
            continue
        shared = {k: v for k, v in trial["recipe"].items() if k not in ("loss", "select")}
        setting = Setting(
            trial["dataset"],
            trial["model"],
            trial.get("imbalance", 1.0),
            json.dumps(shared, sort_keys=True),
        )
        cell = found.setdefault(setting, {}).setdefault(label(trial), {})
        rows = cell.setdefault(trial["density"], {})
        before = rows.get(trial["seed"])
        if before is None or _time(before) <= _time(record):
            rows[trial["seed"]] = record
    return found


def _time(record: Record) -> str:
    return record.get("provenance", {}).get("time", "")


def label(trial: dict) -> str:
    """A trial's protocol, and in words what sets its quotas apart from the paper's.

    Examples
    --------
    >>> query = {"recipe": {"epochs": 10}, "initialisations": 5, "val_noise": 0.4}
    >>> trial = {"protocol": "random+drop", "recipe": {"epochs": 60}, "recall_query": query}
    >>> label(trial)
    'random+drop, validation noise 0.4'
    """
    text = trial["protocol"] + SMOOTHED * (trial.get("smoothing", 0) > 0)
    text += ", by counts" * (trial.get("rule") == "counts")
    query = trial["recall_query"]
    if query is None:
        return text
    whole = Recipe(trial["recipe"]["epochs"], batch=2, lr=1.0, weight_decay=0.0)
    if (epochs := query["recipe"]["epochs"]) != short_recipe(whole).epochs:
        text += f", query of {epochs} epoch" + "s" * (epochs != 1)
    if query.get("val_share", 1) != 1:
        text += f", {query['val_share']:g} of validation"
    if query.get("val_noise", 0) != 0:
        text += f", validation noise {query['val_noise']:g}"
    if (models := query.get("initialisations", 5)) != 5:
        text += f", {models} query model" + "s" * (models != 1)
    return text


def density_of(protocol: str, density: float) -> float:
    """The density under which a protocol's records stand: 1 for the full data."""
    return 1.0 if protocol.startswith("full") else density


def shared_densities(cells: Cells, first: str, second: str, *, each: bool = False) -> list[float]:
    """Densities below 1 at which two labels share seeds enough to be compared, in rising order.

    For a mean over densities, which rests on the seeds that all of them share, these are densities
    with more than half of the most seeds; to compare at `each` density, two seeds are enough, and
    one where there is nowhere more.
    """
    listed = {d for one in (first, second) for d in cells.get(one, {}) if d < 1}
    counts = {d: len(shared_seeds(cells, [(p, density_of(p, d)) for p in (first, second)]))
              for d in listed}  # fmt: skip
    most = max(counts.values(), default=0)
    least = min(2, most) if each else most / 2 + 0.5
    return sorted(d for d, count in counts.items() if count >= max(least, 1))


def shared_seeds(cells: Cells, places: Sequence[Place]) -> list[int]:
    """The seeds that all places have records of."""
    rows = [cells.get(protocol, {}).get(density, {}) for protocol, density in places]
    return sorted(set.intersection(*map(set, rows))) if rows else []


def from_largest(cells: Cells, labels: Iterable[str], density: float) -> dict[str, np.ndarray]:
    """Recalls (S, K) of each label that has any, classes from each seed's largest to its smallest.

    At one density, full data at their own; classes of one size stand in their order.
    """
    found = {}
    for label in labels:
        rows = cells.get(label, {}).get(density_of(label, density), {})
        if records := [rows[seed] for seed in sorted(rows)]:
            sizes = np.array([record["class_sizes"] for record in records])
            order = np.argsort(-sizes, axis=1, kind="stable")
            found[label] = np.take_along_axis(_recalls(records), order, axis=1)
    return found


class Measure(NamedTuple):
    """A number of each record (S,), as `of(records, cells)`, and what it is called and scaled by.

    `better` is 1 where higher is the good side of the paper's statements, else -1.
    """

    of: Callable[[Sequence[Record], Cells], np.ndarray]
    name: str
    scale: float = 100.0
    better: int = 1


def _recalls(records: Sequence[Record]) -> np.ndarray:
    return np.array([record["recalls"] for record in records])


def _shares(records: Sequence[Record]) -> np.ndarray:
    """Class densities after pruning, (S, K)."""
    return np.array([np.divide(r["kept"], np.maximum(r["class_sizes"], 1)) for r in records])


def correlations(records: Sequence[Record], cells: Cells) -> np.ndarray:
    """Correlation over classes of class density and mean full-data accuracy, (S,).

    As in Figure 13, seed by seed; 0 where all classes keep the same share.
    """
    full = _recalls(list(cells["full"][1.0].values())).mean(axis=0)
    shares = _shares(records)
    return np.array([np.corrcoef(row, full)[0, 1] if np.ptp(row) > 1e-12 else 0 for row in shares])


MEASURES = {
    "average": Measure(lambda r, _: metrics.bias(_recalls(r)).average, "average"),
    "worst": Measure(lambda r, _: metrics.worst(_recalls(r)), "worst class, per seed"),
    "pooled": Measure(lambda r, _: np.full(len(r), np.nan), "worst class, pooled"),
    "gap": Measure(lambda r, _: metrics.bias(_recalls(r)).gap, "gap of recalls", better=-1),
    "std": Measure(lambda r, _: metrics.bias(_recalls(r)).std, "std of recalls", better=-1),
    "uneven": Measure(lambda r, _: _shares(r).std(axis=1), "std of class densities"),
    "even": Measure(lambda r, _: _shares(r).std(axis=1), "std of class densities", better=-1),
    "spares": Measure(correlations, "correlation, class density and accuracy", 1.0, -1),
    "starves": Measure(correlations, "correlation, class density and accuracy", 1.0),
}


def contrast(
    cells: Cells,
    plus: Sequence[Place],
    minus: Sequence[Place],
    measure: str,
    *,
    level: float = 0.95,
) -> tuple[Difference, int] | None:
    """The mean over places of a measure at `plus` minus at `minus`, and how many seeds it rests on.

    Parameters
    ----------
    plus, minus : places, as many of one as of the other; with no `minus`, `plus` alone is averaged
    measure : a key of ``MEASURES``
    level : of the interval

    Returns
    -------
    (Difference, S) paired by the seeds that all places share, with Student's t interval; the pooled
    worst class with that of ``metrics.over_seeds``. None where records are lacking. The interval of
    a single seed is (NaN, NaN).
    """
    seeds = shared_seeds(cells, [*plus, *minus])
    if not seeds or (measure in ("spares", "starves") and "full" not in cells):
        return None
    first, second = (
        [[cells[p][d][seed] for seed in seeds] for p, d in places] for places in (plus, minus)
    )
    scale = MEASURES[measure].scale
    if measure == "pooled":
        pairs = [tuple(map(_recalls, pair)) for pair in zip(first, second, strict=True)]
        found = pooled(pairs, level)
    else:
        of = MEASURES[measure].of
        values = np.mean([of(rows, cells) for rows in first], axis=0)
        if second:
            values = values - np.mean([of(rows, cells) for rows in second], axis=0)
        found = student(values, level)
    return Difference(*(scale * np.array(found))), len(seeds)


def pooled(pairs: Sequence[tuple[np.ndarray, np.ndarray]], level: float = 0.95) -> Difference:
    """The mean over pairs of recalls (S, K) of the difference in pooled worst class."""

    def of(weights: np.ndarray) -> np.ndarray:  # of the seeds, (..., S) to (...)
        worst = [[(weights @ one).min(axis=-1) for one in pair] for pair in pairs]
        return np.mean([first - second for first, second in worst], axis=0)

    return over_seeds(of, len(pairs[0][0]), level=level)
