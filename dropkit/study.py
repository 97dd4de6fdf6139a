"""A grid of trials: what is done, what is missing, run it."""

import functools
import operator
import os
import subprocess
import threading
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from itertools import product
from multiprocessing import get_context, parent_process
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

import dropkit
from dropkit import metrics, pruning, queries, scores, training
from dropkit.datasets import load
from dropkit.queries import Query
from dropkit.store import Record, Store, key
from dropkit.training import Recipe

SMOOTHED = " (smoothed)"  # ends the name of a curve whose quotas are smoothed
STACK = 60  # networks trained together; more no longer fit a processor's cache


@dataclass(frozen=True)
class Trial:
    """One network to be trained and tested: the whole configuration its key is hashed from.

    Build trials with ``grid``, which leaves out what a protocol does not use: the same trial then
    has the same key wherever it is asked for.

    `smoothing` and `rule` are those of ``quotas.drop_densities``; `query` is None where a protocol
    needs neither scores nor recalls.
    """

    dataset: str
    model: str
    protocol: str
    density: float
    seed: int
    recipe: Recipe
    query: Query | None
    smoothing: float
    rule: str

    @functools.cached_property
    def config(self) -> dict:
        return asdict(self)

    @functools.cached_property
    def key(self) -> str:
        return key({"engine": training.ENGINE, "trial": self.config})


SCALES = {"digits": "digits-2x4"}


def dataset_of(scale: str) -> str:
    """The data set that a scale of the notebooks stands for.

    Raises
    ------
    ValueError
        For a scale that has no data set.
    """
    if scale not in SCALES:
        raise ValueError(f"scale {scale!r} has no data set; there is one for {', '.join(SCALES)}")
    return SCALES[scale]


def grid(
    dataset: str,
    *,
    protocols: Iterable[str],
    densities: Iterable[float],
    seeds: Iterable[int] | int,
    model: str | None = None,
    recipe: Recipe | None = None,
    query: Recipe | None = None,
    initialisations: int = 5,
    smoothing: float = 0.0,
    rule: str = "densities",
) -> list[Trial]:
    """Return the trials of every protocol at every density and seed, each trial once.

    Parameters
    ----------
    dataset : str
        A name of ``datasets.load``; it chooses `model` and `recipe` where they are not given.
    protocols : names of ``pruning.parse``
        "full", and any protocol at density 1, is one trial a seed.
    densities : floats in (0, 1]
    seeds : ints, or how many
    query : Recipe, optional
        Of the query models; default: ``queries.short_recipe(recipe)``.

    Raises
    ------
    ValueError
        For an unknown name, a protocol that cannot be run yet, or a density outside (0, 1].
    """
    default_model, default_recipe = training.defaults(dataset)
    model, recipe = model or default_model, recipe or default_recipe
    query = query or queries.short_recipe(recipe)
    wanted = range(seeds) if isinstance(seeds, int | np.integer) else seeds
    trials = {}
    for seed, protocol, density in product(wanted, protocols, densities):
        # As Python's own numbers: 1 and NumPy's 1.0 are one smoothing and must be one key.
        seed, alpha = operator.index(seed), float(smoothing)
        asked = Query(dataset, model, seed, query, initialisations)
        common = Trial(dataset, model, protocol, density, seed, recipe, asked, alpha, rule)
        trials[_canonical(common)] = None
    return list(trials)


def _canonical(trial: Trial) -> Trial:
    protocol = pruning.parse(trial.protocol)
    if protocol.strategy not in (None, "el2n") or "cdbw" in (protocol.loss, protocol.query_loss):
        raise ValueError(
            f"protocol {trial.protocol!r} cannot be run yet: a study knows full and the protocols "
            "of random and el2n, without cdbw"
        )
    pruning.check_density(trial.density, zero=False)
    trial = replace(trial, density=float(trial.density))
    if trial.protocol == "full" or trial.density == 1:
        trial = replace(trial, protocol="full", density=1.0)
        protocol = pruning.parse("full")
    if not protocol.needs_recalls:
        trial = replace(trial, smoothing=0.0, rule="densities")
    if not (protocol.needs_recalls or protocol.needs_scores):
        trial = replace(trial, query=None)
    return trial


def missing(trials: Iterable[Trial], store: Store) -> list[Trial]:
    """The trials that the store has no record of."""
    return [trial for trial in trials if trial.key not in store]


def run(
    trials: Sequence[Trial],
    *,
    store: Store,
    executor: str = "local",
) -> list[Record]:
    """Train the trials that the store lacks and return the records of all, in their order.

    Each group of networks is stored as soon as it is trained: an interrupted run loses no more
    than the groups in flight.

    Parameters
    ----------
    trials : Trials, from ``grid``
    store : Store
    executor : str
        "local" trains in this process, "processes" in one process a core.

    Raises
    ------
    ValueError
        For an unknown executor, or a trial whose pruned set is too small to train on.
    StoreError
        If the store cannot be written.
    """
    if executor not in EXECUTORS:
        raise ValueError(f"executor must be one of {', '.join(EXECUTORS)}, got {executor!r}")
    store.add()  # what an earlier run could not write
    todo = missing(dict.fromkeys(trials), store)
    if todo:
        store.open()  # a store that cannot be written is found before anything is trained
    jobs = _jobs(todo, store)
    with (
        tqdm(total=len(todo), desc="trials", unit="trial") as bar,
        closing(EXECUTORS[executor](jobs)) as finished,
    ):
        for records in finished:
            store.add(*records)
            bar.update(len(records))
    return [store[trial.key] for trial in trials]


@dataclass(frozen=True)
class _Job:
    """Trials of one shape with the samples that each keeps: what one stack trains."""

    trials: list[Trial]
    kept: np.ndarray
    queries: list[dict | None]


def _jobs(trials: Sequence[Trial], store: Store) -> list[_Job]:
    found = queries.run((t.query for t in trials if t.query), store, stack=STACK)
    groups: dict[tuple, list[tuple[Trial, np.ndarray, dict | None]]] = {}
    for trial in trials:
        recorded = found[trial.query] if trial.query else None
        kept = keep(trial, recorded)
        if len(kept) < 2:
            raise ValueError(
                f"density {trial.density} keeps {len(kept)} of the training samples of "
                f"{trial.dataset}: training needs at least 2"
            )
        noted = _query_note(trial, recorded) if recorded else None
        recipe = trial.recipe.at_density(trial.density)
        shape = (trial.dataset, trial.model, recipe, len(kept))
        groups.setdefault(shape, []).append((trial, kept, noted))
    jobs = []
    # The longest first, so that processes finish together.
    for shape in sorted(groups, key=lambda shape: -shape[2].epochs * shape[3]):
        for start in range(0, len(groups[shape]), STACK):
            members, kept, noted = zip(*groups[shape][start : start + STACK], strict=True)
            jobs.append(_Job(list(members), np.stack(kept), list(noted)))
    return jobs


def keep(trial: Trial, recorded: dict[str, np.ndarray] | None) -> np.ndarray:
    """Pool indices of the training samples that a trial keeps, given what its query recorded."""
    data = load(trial.dataset, trial.seed)
    labels = data.y[data.train]
    protocol = pruning.parse(trial.protocol)
    extra = {}
    if protocol.needs_recalls:
        extra = {"recalls": recorded["recalls"].mean(axis=0), "val_sizes": data.sizes("val")}
    if protocol.needs_scores:
        extra["scores"] = scores.el2n(recorded["probs"], labels)
    chosen = pruning.prune(
        trial.protocol,
        labels,
        trial.density,
        smoothing=trial.smoothing,
        rule=trial.rule,
        seed=trial.seed,
        **extra,
    )
    return data.train[chosen]


def _query_note(trial: Trial, recorded: dict[str, np.ndarray]) -> dict:
    val_sizes = load(trial.dataset, trial.seed).sizes("val")
    return {
        "recalls": _rounded(recorded["recalls"].mean(axis=0)),
        "val_sizes": val_sizes.tolist(),
    }


def _train(job: _Job) -> list[Record]:
    """Train one stack and write down how each network did on its test split."""
    first = job.trials[0]
    sets = [load(first.dataset, trial.seed) for trial in job.trials]
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
    )
    seconds = (time.perf_counter() - began) / len(job.trials)
    test = np.stack([data.test for data in sets])
    predictions = training.predict(networks, x, test).argmax(-1)
    recalls = metrics.class_recalls(y[test], predictions, num_classes)
    origin = provenance()
    return [
        {
            "key": trial.key,
            "trial": trial.config,
            "recalls": _rounded(recalls[s]),
            "test_sizes": sets[s].sizes("test").tolist(),
            "class_sizes": sets[s].class_sizes.tolist(),
            "kept": np.bincount(y[job.kept[s]], minlength=num_classes).tolist(),
            "query": job.queries[s],
            "seconds": round(seconds, 3),
            "provenance": origin,
        }
        for s, trial in enumerate(job.trials)
    ]


def _rounded(values: np.ndarray) -> list[float]:
    return [round(float(value), 6) for value in values]


def provenance() -> dict[str, str | None]:
    """Where a record comes from: versions, git commit, device and time (UTC)."""
    return {
        "dropkit": dropkit.__version__,
        "commit": _commit(),
        "torch": torch.__version__,
        "device": _processor(),
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
    }


@functools.cache
def _commit() -> str | None:
    folder = Path(__file__).parent
    try:
        answer = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=folder, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return answer.stdout.strip()


@functools.cache
def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(": ")[1] for line in lines if line.startswith("model name"))
    except (OSError, StopIteration, IndexError):
        import platform

        return platform.processor() or platform.machine()


def _local(jobs: Sequence[_Job]) -> Generator[list[Record], None, None]:
    for job in jobs:
        yield _train(job)


def _start_worker() -> None:
    torch.set_num_threads(1)
    # A worker would wait for ever for a job from a parent that was killed.
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent_process().join()
    os._exit(1)


def _processes(jobs: Sequence[_Job]) -> Generator[list[Record], None, None]:
    workers = min(len(jobs), os.cpu_count() or 1)
    if workers < 2:
        yield from _local(jobs)
        return
    pool = ProcessPoolExecutor(workers, get_context("spawn"), initializer=_start_worker)
    try:
        for done in as_completed([pool.submit(_train, job) for job in jobs]):
            yield done.result()
    finally:
        pool.shutdown(cancel_futures=True)  # an interrupted run does not train on


EXECUTORS: dict[str, Callable[[Sequence[_Job]], Generator[list[Record], None, None]]] = {
    "local": _local,
    "processes": _processes,
}


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
