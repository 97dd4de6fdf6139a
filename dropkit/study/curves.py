"""The way from stored records to curves: sorted by setting, label, density and seed.

Whatever compares or draws records takes them from here. Shapes: S seeds, K classes or groups.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from dropkit.datasets import corrupted
from dropkit.datasets.features import SUFFIX
from dropkit.pruning import SMOOTHED
from dropkit.store.records import Record
from dropkit.study.queries import short_recipe
from dropkit.training.recipes import ANNEALS, DEFAULTS, Recipe, as_recorded, defaults

ByDensity = Mapping[float, np.ndarray]  # density -> recalls, or samples kept, (S, K)
Curves = Mapping[str, ByDensity]  # by label
Cells = dict[str, dict[float, dict[int, Record]]]  # label -> density -> seed -> record
Place = tuple[str, float]  # label and density


TITLES = {
    "cifar10": "CIFAR-10",
    "cifar100": "CIFAR-100",
    "cifar100-coarse": "CIFAR-100's 20 superclasses",
    "cifar100-features": "CIFAR-100 through a frozen network",
    **{f"{corrupted.NAME}-{kind}-features": kind for kind in corrupted.KINDS},
    "tinyimagenet": "TinyImageNet",
    "tinyimagenet-features": "TinyImageNet through a frozen network",
    "waterbirds-features": "Waterbirds, frozen Lite0",
    "waterbirds-lite1-features": "Waterbirds, frozen Lite1",
    "waterbirds-lite2-features": "Waterbirds, frozen Lite2",
    "waterbirds-resnet50-features": "Waterbirds, frozen ResNet-50",
    "waterbirds": "Waterbirds, tuned end to end",
    "clinc150-features": "CLINC150",
    "clinc150-balanced-features": "balanced CLINC150",
    "clinc150-tfidf-features": "CLINC150 by TF-IDF",
    "banking77-tfidf-features": "banking77 by TF-IDF",
    "banking77-features": "banking77",
}
# Their vectors come with the repository.
LIVE = ("waterbirds-features", *(name for name in TITLES if name.startswith(("clinc", "banking"))))


class Setting(NamedTuple):
    """What trials share that may be compared; `recipe` is JSON, less what protocols vary."""

    dataset: str
    model: str
    imbalance: float
    recipe: str

    @property
    def scale(self) -> str:
        """ "digits", "features", "mini", "paper"; "shifted" where the test is unlike training."""
        if self.dataset.startswith(corrupted.NAME):
            return "shifted"
        if self.dataset.startswith("digits"):
            return "digits"
        if self.dataset.endswith(SUFFIX):
            return "features"
        return "mini" if self.model in ("mini", "lite0-imagenet") else "paper"

    @property
    def live(self) -> bool:
        """Whether chapters train it wherever they are made, by another device each."""
        return self.scale == "digits" or self.dataset in LIVE

    @property
    def grouped(self) -> bool:
        """Whether quotas are over groups, and not over classes."""
        return self.dataset.startswith(("digits-on-photos", "waterbirds"))

    @property
    def title(self) -> str:
        """What a panel is headed with: data and network, and the long tail if there is one."""
        tail = f", I = {self.imbalance:g}" * (self.imbalance != 1)
        return f"{TITLES.get(self.dataset, self.dataset)}, {self.model}{tail}"

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
    return json.loads(json.dumps(as_recorded(defaults(dataset, model)[1])))


def arrange(records: Iterable[Record]) -> dict[Setting, Cells]:
    """Return the trials among the records by setting, label, density and seed.

    Where a trial was run more than once, the newest record counts.

    Parameters
    ----------
    records : iterable of Record
        Such as a Store; what is no trial is passed over.
    """
    found: dict[Setting, Cells] = {}
    for record in records:
        trial = record.get("trial")
        if trial is None:
            continue
        cell = found.setdefault(setting_of(trial), {}).setdefault(label(trial), {})
        rows = cell.setdefault(trial["density"], {})
        before = rows.get(trial["seed"])
        if before is None or _time(before) <= _time(record):
            rows[trial["seed"]] = record
    return found


def setting_of(trial: dict) -> Setting:
    """Return the setting of a record's trial."""
    shared = {k: v for k, v in trial["recipe"].items() if k not in ("loss", "select")}
    recipe = json.dumps(shared, sort_keys=True)
    return Setting(trial["dataset"], trial["model"], trial.get("imbalance", 1.0), recipe)


def _time(record: Record) -> str:
    return record.get("provenance", {}).get("time", "")


def label(trial: dict) -> str:
    """Return a trial's protocol, and in words what sets it apart from the paper's.

    Examples
    --------
    >>> query = {"recipe": {"epochs": 10}, "initialisations": 5, "val_noise": 0.4}
    >>> trial = {"protocol": "random+drop", "recipe": {"epochs": 60}, "recall_query": query}
    >>> label(trial)
    'random+drop, validation noise 0.4'
    """
    text = trial["protocol"] + SMOOTHED * (trial.get("smoothing", 0) > 0)
    if (pseudo := trial.get("smoothing", 0)) not in (0, 1):
        text += f", pseudo-count {pseudo:g}"
    text += ", by counts" * (trial.get("rule") == "counts")
    select = trial["recipe"].get("select", "last")
    text += f", {select}" * (select != "last")
    query = trial["recall_query"]
    if query is None:
        return text
    anneal = trial["recipe"].get("anneal", "steps")
    if (epochs := query["recipe"]["epochs"]) != _short(trial["recipe"]["epochs"], anneal):
        text += f", query of {epochs} epoch" + "s" * (epochs != 1)
    if query.get("val_share", 1) != 1:
        text += f", {query['val_share']:g} of validation"
    if query.get("val_noise", 0) != 0:
        text += f", validation noise {query['val_noise']:g}"
    if (models := query.get("initialisations", 5)) != 5:
        text += f", {models} query model" + "s" * (models != 1)
    return text


@lru_cache
def _short(epochs: int, anneal: str) -> int:
    """How long queries usually are: "triangle" changes that."""
    usual = {"anneal": anneal} if anneal in ANNEALS else {}
    return short_recipe(Recipe(epochs, batch=2, lr=1.0, weight_decay=0.0, **usual)).epochs


def by_protocol(records: Iterable[Record], field: str = "recalls") -> dict[str, dict]:
    """Return arrays (S, K) of one setting's records by label and density, rows by seed.

    The label of the paper's trials is their protocol.

    Parameters
    ----------
    records : iterable of Record
        From ``study.run``; the same trial may be among them twice.
    field : str
        What the arrays hold: "recalls", or "kept", the samples that are left of each class.

    Raises
    ------
    ValueError
        If the records are of several data sets, networks or recipes, or differ in something that
        the label does not say: they do not belong into one figure.
    """
    once = list({record["key"]: record for record in records}.values())
    found = arrange(once)
    if len(found) > 1:
        names = "; ".join(sorted(setting.name for setting in found))
        raise ValueError(f"the records are of {names}: they must be of one data set and recipe")
    trials = (record["trial"] for record in once)
    counts = Counter((label(trial), trial["density"], trial["seed"]) for trial in trials)
    for (protocol, density, seed), count in counts.items():
        if count > 1:
            raise ValueError(f"{count} records of {protocol} at density {density} have seed {seed}")
    return stacked(next(iter(found.values()), {}), field)


def at(by_density: ByDensity, density: float) -> np.ndarray | None:
    """Return what there is at a density, else at 1: what prunes nothing is the same at each."""
    return by_density.get(density, by_density.get(1.0))


def stacked(cells: Cells, field: str = "recalls") -> dict[str, dict]:
    """Return a field of the records as arrays (S, K), rows by seed, densities in rising order."""
    return {
        label: {
            density: np.array([rows[seed][field] for seed in sorted(rows)])
            for density, rows in sorted(by_density.items())
        }
        for label, by_density in cells.items()
    }


def density_of(protocol: str, density: float) -> float:
    """Return the density under which a protocol's records stand: 1 for the full data."""
    return 1.0 if protocol.startswith("full") else density


def shared_densities(cells: Cells, first: str, second: str, *, each: bool = False) -> list[float]:
    """Return the densities below 1 at which two labels share seeds enough, in rising order.

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
    """Return the seeds that all places have records of."""
    rows = [cells.get(protocol, {}).get(density, {}) for protocol, density in places]
    return sorted(set.intersection(*map(set, rows))) if rows else []


def from_largest(cells: Cells, labels: Iterable[str], density: float) -> dict[str, np.ndarray]:
    """Return recalls (S, K) of the labels that have any, each seed's largest class first.

    Full data stand at every density; classes of one size stand in their order.
    """
    found = {}
    for label in labels:
        rows = cells.get(label, {}).get(density_of(label, density), {})
        if records := [rows[seed] for seed in sorted(rows)]:
            sizes = np.array([record["class_sizes"] for record in records])
            recalls = np.array([record["recalls"] for record in records])
            order = np.argsort(-sizes, axis=1, kind="stable")
            found[label] = np.take_along_axis(recalls, order, axis=1)
    return found
