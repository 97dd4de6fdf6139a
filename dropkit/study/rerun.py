"""Run stored trials once more, from their queries on, and fits; compare what comes out."""

import random
import tempfile
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from dropkit import pruning
from dropkit.datasets import loading
from dropkit.models import names as models
from dropkit.models.pretrained import OWN
from dropkit.store.folder import Store
from dropkit.store.records import Record
from dropkit.study import runner
from dropkit.study.queries import Query
from dropkit.study.trials import Trial, inputs_of
from dropkit.training.recipes import Recipe

Fit = Callable[[], Record]  # measures a fit: its recalls, and how many samples were kept


class Drawn(NamedTuple):
    """A stored record, and what makes it again: its trial, or what measures its fit."""

    stored: Record
    source: Trial | Fit


class Verified(NamedTuple):
    """A stored record beside what came out of the same trial or fit run again."""

    stored: Record
    difference: float  # the largest between their recalls
    moved: float  # the largest share of a class that one kept and the other did not


def trial_of(record: Record) -> Trial | None:
    """Return the trial that a record is of; None if this version would run another one."""
    try:
        trial = _restored(Trial, record["trial"])
    except (TypeError, ValueError, KeyError, AttributeError):
        return None
    return trial if trial.key == record["key"] and not lacking(record) else None


def lacking(record: Record) -> str:
    """Say what the trial of a record needs that is not registered here; "" if nothing is."""
    trial = record.get("trial", {})
    dataset, model, protocol = (trial.get(name, "") for name in ("dataset", "model", "protocol"))
    for kind, name, known in (("data set", dataset, loading.names()), ("model", model, models())):
        if trial and name not in known:
            return f"{kind} {name!r} is not registered"
    try:
        if trial and pruning.version(protocol) != trial["score_version"]:
            return f"protocol {protocol!r} is of another version"
    except (ValueError, KeyError):
        return f"protocol {protocol!r} is not registered"
    own = loading.is_own(dataset) or model in OWN  # of the others, the files may not be there
    if trial and own and inputs_of(dataset, model) != trial.get("inputs"):
        return f"{model!r} on {dataset!r} is of another version"
    return ""


def _restored(kind: type, config: dict[str, Any]) -> Any:
    """A frozen dataclass from its JSON: lists were tuples, dictionaries recipes or queries."""
    queries = ("recall_query", "score_query", "quota_query")
    kinds = {"recipe": Recipe, **dict.fromkeys(queries, Query)}
    values = {name: tuple(v) if isinstance(v, list) else v for name, v in config.items()}
    values |= {
        name: _restored(kinds[name], value)
        for name, value in values.items()
        if isinstance(value, dict)
    }
    return kind(**values)


def fit_of(record: Record) -> Fit | None:
    """Return what measures the fit of a record; None if not these packages, or it is none."""
    if "fit" not in record:
        return None
    try:
        from dropkit.study import your_data  # here, for it needs packages that training does not
    except ModuleNotFoundError:
        return None
    return your_data.measure_again(record)


def sample(
    records: Iterable[Record], count: int, seed: int = 0
) -> tuple[list[Drawn], list[Record]]:
    """Draw records at random among those that this version makes, all if there are fewer.

    Returns these, and all the records that this version does not make.
    """
    drawn, others = [], []
    order = sorted(records, key=lambda record: record["key"])
    random.Random(seed).shuffle(order)
    for record in order:
        if source := trial_of(record) or fit_of(record):
            drawn.append(Drawn(record, source))
        else:
            others.append(record)
    return drawn[:count], others


def rerun(
    drawn: Sequence[Drawn], *, executor: str = "local", device: str = "cpu"
) -> list[Verified]:
    """Make records drawn by ``sample`` again, with nothing stored to start from, and compare."""
    trials = [each.source for each in drawn if isinstance(each.source, Trial)]
    with tempfile.TemporaryDirectory() as folder:
        store = Store(folder)
        records = runner.run(trials, store=store, executor=executor, device=device)
        store.close()
    again = iter(records)
    return [
        _compared(stored, next(again) if isinstance(source, Trial) else source())
        for stored, source in drawn
    ]


def _compared(stored: Record, again: Record) -> Verified:
    pairs = zip(stored["recalls"], again["recalls"], strict=True)
    difference = max(abs(first - second) for first, second in pairs)
    kept = zip(stored["kept"], again["kept"], again["class_sizes"], strict=True)
    moved = max(abs(first - second) / max(size, 1) for first, second, size in kept)
    return Verified(stored, difference, moved)
