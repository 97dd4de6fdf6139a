"""Run a grid of trials: what is done, what is missing, and the missing ones by an executor."""

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import takewhile
from typing import Protocol

import numpy as np
from tqdm import tqdm

from dropkit import devices, metrics, pruning, queries, training
from dropkit.datasets import Data
from dropkit.executors import EXECUTORS
from dropkit.provenance import provenance
from dropkit.pruning import SMOOTHED
from dropkit.queries import Query, Recorded
from dropkit.scores import SCORES
from dropkit.store import Record, Store
from dropkit.training import stack_size
from dropkit.trials import Trial, chosen, dataset_of, grid

__all__ = [
    "Trial",
    "by_protocol",
    "chosen",
    "dataset_of",
    "grid",
    "keep",
    "missing",
    "run",
    "scores_of",
]


class Watch(Protocol):
    """What sees a run's progress and may end it early."""

    def may_start(self, trials: Sequence[Trial]) -> bool: ...

    def finished(self, trials: Sequence[Trial], records: Sequence[Record]) -> None: ...


def missing(trials: Iterable[Trial], store: Store) -> list[Trial]:
    """The trials that the store has no record of."""
    return [trial for trial in trials if trial.key not in store]


def run(
    trials: Sequence[Trial],
    *,
    store: Store,
    executor: str = "local",
    device: str = "cpu",
    watch: Watch | None = None,
) -> list[Record]:
    """Train the trials that the store lacks and return the records of all, in their order.

    Each group of networks is stored as soon as it is trained: an interrupted run loses no more
    than the groups in flight.

    Parameters
    ----------
    trials : Trials, from ``grid``
    store : Store
    executor : str
        "local" trains in this process, "processes" in one process a core or GPU, "ray" on a Ray
        cluster: ``$RAY_ADDRESS``, or one started here.
    device : str
        "cpu", "cuda", "cuda:N", "mps", or "auto".
    watch : Watch, optional
        Asked before each group of trials that the local executor begins, and told of each group
        that any executor has finished. Where it stops the run, the records of what was done return.

    Raises
    ------
    ValueError
        For an unknown executor, a device that is not there, or a trial whose pruned set is too
        small to train on.
    StoreError
        If the store cannot be written.
    ExecutorError
        If there is no such cluster, or a group's workers died again and again.
    """
    if executor not in EXECUTORS:
        raise ValueError(f"executor must be one of {', '.join(EXECUTORS)}, got {executor!r}")
    store.add()  # what an earlier run could not write
    todo = missing(dict.fromkeys(trials), store)
    if todo:
        store.open()  # a store that cannot be written is found before anything is trained
    jobs = _jobs(todo, store, str(devices.resolve(device)))
    with (
        tqdm(total=len(todo), desc="trials", unit="trial") as bar,
        closing(EXECUTORS[executor](_train, _allowed(jobs, executor, watch))) as finished,
    ):
        for records in finished:
            store.add(*records)
            bar.update(len(records))
            if watch:
                done = {record["key"] for record in records}
                watch.finished([trial for trial in todo if trial.key in done], records)
    return [store[trial.key] for trial in trials if not watch or trial.key in store]


def _allowed(jobs: "Sequence[_Job]", executor: str, watch: Watch | None) -> "Iterable[_Job]":
    """The jobs up to the first that may not start; other executors than the local ask first."""
    if not watch or executor != "local":
        return jobs
    return takewhile(lambda job: watch.may_start(job.trials), jobs)


@dataclass(frozen=True)
class _Job:
    """Trials of one shape with the samples that each keeps: what one stack trains."""

    trials: list[Trial]
    kept: np.ndarray
    queries: list[dict | None]
    device: str

    @property
    def gpus(self) -> int:
        """What an executor has to grant."""
        return int(self.device.startswith("cuda"))


def _jobs(trials: Sequence[Trial], store: Store, device: str) -> list[_Job]:
    found = queries.run((query for t in trials for query in t.queries), store, device=device)
    ranked = _scores(trials, found)
    groups: dict[tuple, list[tuple[Trial, np.ndarray, dict | None]]] = {}
    for trial in trials:
        measured = found[trial.recall_query] if trial.recall_query else None
        kept = keep(trial, measured, ranked.get(_score_name(trial)))
        if len(kept) < 2:
            raise ValueError(
                f"density {trial.density} keeps {len(kept)} of the training samples of "
                f"{trial.dataset}: training needs at least 2"
            )
        noted = measured and _query_note(measured)
        recipe = trial.recipe.at_density(trial.density)
        shape = (trial.dataset, trial.imbalance, trial.model, recipe, len(kept))
        groups.setdefault(shape, []).append((trial, kept, noted))
    jobs = []
    # The longest first, so that processes finish together.
    for shape in sorted(groups, key=lambda shape: -shape[-2].epochs * shape[-1]):
        together = stack_size(shape[2])
        for start in range(0, len(groups[shape]), together):
            members, kept, noted = zip(*groups[shape][start : start + together], strict=True)
            jobs.append(_Job(list(members), np.stack(kept), list(noted), device))
    return jobs


def scores_of(trials: Sequence[Trial], store: Store, device: str = "cpu") -> dict[str, np.ndarray]:
    """The scores (S, n), rows by seed, of each strategy that the trials rank by."""
    found = queries.run((query for t in trials for query in t.queries), store, device=device)
    rows: dict[str, dict[int, np.ndarray]] = {}
    for (query, strategy), values in _scores(trials, found).items():
        if query.seed in rows.setdefault(strategy, {}):
            raise ValueError(f"two queries of seed {query.seed} give scores {strategy!r}")
        rows[strategy][query.seed] = values
    return {
        strategy: np.stack([values[seed] for seed in sorted(values)])
        for strategy, values in rows.items()
    }


def _score_name(trial: Trial) -> tuple[Query | None, str | None]:
    return trial.score_query, pruning.parse(trial.protocol).strategy


def _scores(trials: Sequence[Trial], found: Mapping[Query, Recorded]) -> dict[tuple, np.ndarray]:
    """The scores that trials rank by, each computed once."""
    wanted = dict.fromkeys(_score_name(trial) for trial in trials if trial.score_query)
    return {
        (query, strategy): SCORES[strategy](found[query])
        for query, strategy in tqdm(wanted, desc="scores", unit="score", disable=not wanted or None)
    }


def keep(trial: Trial, measured: Recorded | None, scores: np.ndarray | None) -> np.ndarray:
    """Pool indices of the training samples that a trial keeps.

    `measured` has the recalls of its query models, `scores` (n,) are its strategy's; None where
    the protocol needs none.
    """
    data = trial.data
    chosen = pruning.prune(
        trial.protocol,
        data.strata[data.train],
        trial.density,
        recalls=measured and measured.recalls.mean(axis=0),
        scores=scores,
        smoothing=trial.smoothing,
        val_sizes=measured and measured.val_sizes,
        rule=trial.rule,
        seed=trial.seed,
    )
    return data.train[chosen]


def _query_note(measured: Recorded) -> dict:
    return {
        "recalls": _rounded(measured.recalls.mean(axis=0)),
        "val_sizes": measured.val_sizes.tolist(),
    }


def _train(job: _Job) -> list[Record]:
    """Train one stack and write down how each network did on its test split."""
    first = job.trials[0]
    sets = [trial.data for trial in job.trials]
    x, y, num_classes = sets[0].x, sets[0].y, sets[0].num_classes
    began = time.perf_counter()
    networks = training.train(
        first.model,
        x,
        y,
        job.kept,
        first.recipe.at_density(first.density),
        seeds=[trial.seed for trial in job.trials],
        num_classes=num_classes,
        strata=sets[0].strata,
        val=np.stack([data.val for data in sets]),
        device=job.device,
    )
    seconds = (time.perf_counter() - began) / len(job.trials)
    test = np.stack([data.test for data in sets])
    predictions = training.predict(networks, x, test).argmax(-1)
    strata, num_strata = sets[0].strata, sets[0].num_strata
    recalls = metrics.group_recalls(strata[test], y[test], predictions, num_strata)
    return _records(job, sets, recalls, seconds)


def _records(job: _Job, sets: Sequence[Data], recalls: np.ndarray, seconds: float) -> list[Record]:
    """What is kept of each network; `seconds` of training are each one's."""
    strata, num_strata = sets[0].strata, sets[0].num_strata
    origin = provenance(job.device)
    return [
        {
            "key": trial.key,
            "trial": trial.config,
            "recalls": _rounded(recalls[s]),
            "test_sizes": sets[s].sizes("test").tolist(),
            "class_sizes": sets[s].sizes().tolist(),
            "kept": np.bincount(strata[job.kept[s]], minlength=num_strata).tolist(),
            "query": job.queries[s],
            "seconds": round(seconds, 3),
            "provenance": origin,
        }
        for s, trial in enumerate(job.trials)
    ]


def _rounded(values: np.ndarray) -> list[float]:
    return [round(float(value), 6) for value in values]


def by_protocol(records: Iterable[Record], field: str = "recalls") -> dict[str, dict]:
    """Arrange records as protocol -> density -> (S, K) array of a field, rows by seed.

    Records of smoothed quotas stand under the protocol's name and ``SMOOTHED``.

    Raises
    ------
    ValueError
        If two records of one seed share protocol and density: they differ in something else, such
        as the data set or the recipe, and do not belong into one figure.
    """
    cells: dict[str, dict[float, dict[int, list]]] = {}
    # The same trial may have been asked for twice.
    for record in {record["key"]: record for record in records}.values():
        trial = record["trial"]
        label = trial["protocol"] + SMOOTHED * (trial["smoothing"] > 0)
        rows = cells.setdefault(label, {}).setdefault(trial["density"], {})
        if trial["seed"] in rows:
            raise ValueError(
                f"two records of {label} at density {trial['density']} have seed {trial['seed']}"
            )
        rows[trial["seed"]] = record[field]
    return {
        label: {
            density: np.array([rows[seed] for seed in sorted(rows)])
            for density, rows in sorted(densities.items())
        }
        for label, densities in cells.items()
    }
