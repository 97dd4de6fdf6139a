"""Run a grid of trials: what is done, what is missing, and the missing ones by an executor."""

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, closing
from functools import partial

import numpy as np
from tqdm import tqdm

from dropkit import metrics, pruning, training
from dropkit.store.folder import Store
from dropkit.store.locks import Locks
from dropkit.store.provenance import provenance
from dropkit.store.records import Record
from dropkit.study import executors, failures, on_ray
from dropkit.study.executors import Watch, Workers
from dropkit.study.preparation import Prepared, prepare
from dropkit.study.selections import selecting
from dropkit.study.sharing import own
from dropkit.study.trials import Trial
from dropkit.training import devices
from dropkit.training.engine import stack_size
from dropkit.training.recipes import diverged

EXECUTORS: dict[str, Callable[[str], AbstractContextManager[Workers]]] = {
    "local": executors.local,
    "processes": executors.processes,
    "ray": on_ray.on_ray,
}


def missing(trials: Iterable[Trial], store: Store, *, retry: bool = False) -> list[Trial]:
    """Return the trials that the store has no record of.

    Parameters
    ----------
    trials : iterable of Trial
        In any order, which is kept.
    store : Store
        As it was last read.
    retry : bool
        Also those of which it says that they failed.
    """
    lacking = [each for each in trials if not store.holds(each.key, each.config, "trial")]
    return [trial for trial in lacking if retry or not failures.known(trial, store)]


def run(
    trials: Sequence[Trial],
    *,
    store: Store,
    executor: str = "local",
    device: str = "cpu",
    watch: Watch | None = None,
    retry: bool = False,
    wait: bool = True,
) -> list[Record]:
    """Train the trials that the store lacks and return the records of all, in their order.

    Each group of networks is stored as soon as it is trained: an interrupted run loses no more
    than the groups in flight. A trial whose training diverges is stored as failed, the others go
    on. Several runs on one store share what there is to do: what one is training the others leave
    to it, and do it if that run ends before it is stored.

    Parameters
    ----------
    trials : sequence of Trial
        As `grid` makes them.
    store : Store
        What is trained is added to it.
    executor : str
        "local" trains in this process, "processes" in one process a core or GPU, "ray" on a Ray
        cluster: ``$RAY_ADDRESS``, or one started here. Query models are trained by it too.
    device : str
        "cpu", "cuda", "cuda:N", "mps", or "auto"; ``executors`` says what it is to each.
    watch : Watch, optional
        Asked about groups of query networks and of trials before they begin, and told of each
        that is finished. With it, the records of what was done return.
    retry : bool
        Try again the trials that failed before.
    wait : bool
        At the end for what other runs are training; else the records of what was done return.

    Raises
    ------
    ValueError
        For an unknown executor, a device that is not there, or a trial whose pruned set is too
        small to train on.
    StoreError
        If the store cannot be written.
    ExecutorError
        If there is no such cluster, or a group's workers died again and again.
    FailedTrials
        At the end, if trials failed, now or before.
    """
    if executor not in EXECUTORS:
        raise ValueError(f"executor must be one of {', '.join(EXECUTORS)}, got {executor!r}")
    devices.check(device)
    store.add()  # what an earlier run could not write
    store.refresh()
    todo = missing(dict.fromkeys(trials), store, retry=retry)
    if todo:
        store.open()  # a store that cannot be written is found before anything is trained
        with closing(Locks(store.path)) as locks, EXECUTORS[executor](device) as workers:
            if watch:
                workers = executors.watched(workers, watch)
            while todo:
                _share(todo, store, workers, locks, retry)
                if not (wait and locks.others):
                    break
                locks.wait()
                store.refresh()
                todo, retry = missing(todo, store), False
    if wait and not watch:
        failures.check(trials, store)
    return [store[trial.key] for trial in trials if trial.key in store]


def _share(
    todo: Sequence[Trial], store: Store, workers: Workers, locks: Locks, retry: bool
) -> None:
    """Train of the trials what no other process has, and store it."""
    free = [trial for trial in todo if locks.is_free(trial.key)]
    prepared, lost = prepare(free, store, workers, locks)
    store.add(*(failures.record(each, why, workers.device) for each, why in lost.items()))

    def lacking(taken: list[Prepared]) -> list[Prepared]:
        store.refresh()
        still = set(missing([one.trial for one in taken], store, retry=retry))
        return [one for one in taken if one.trial in still]

    work = partial(_train, device=workers.device)
    jobs = own(_jobs(prepared, workers), locks, lambda one: one.trial.key, lacking)
    with (
        tqdm(total=len(todo), desc="trials", unit="trial") as bar,
        closing(workers.do(work, jobs)) as finished,
    ):
        for trials, records in finished:
            store.add(*records)
            locks.give_back(trial.key for trial in trials)
            bar.update(len(records))


def _jobs(prepared: Sequence[Prepared], workers: Workers) -> list[list[Prepared]]:
    """Trials of one shape, as many as one stack trains, in the order they were asked for.

    The longest first where there are several workers, so that these finish together.
    """
    groups: dict[tuple, list[Prepared]] = {}
    for one in prepared:
        trial = one.trial
        recipe = trial.recipe.at_density(trial.density)
        plan = pruning.parse(trial.protocol)
        dynamic = plan.dynamic, plan.by_losses
        shape = (trial.dataset, trial.imbalance, trial.model, dynamic, recipe, len(one.kept))
        groups.setdefault(shape, []).append(one)
    shapes = list(groups)
    if workers.count > 1:
        shapes.sort(key=lambda shape: -shape[-2].epochs * shape[-1])
    most = {shape: stack_size(shape[2], workers.device) for shape in shapes}
    cut = [executors.shares(groups[shape], most[shape], workers.count) for shape in shapes]
    return sum(cut, [])


def _train(job: Sequence[Prepared], device: str) -> tuple[list[Trial], list[Record]]:
    """Train one stack and write down how each network did on its test split."""
    trials = [one.trial for one in job]
    first, sets = trials[0], [trial.data for trial in trials]
    recipe = first.recipe.at_density(first.density)
    selection = selecting(job, sets, recipe, device)
    x, y, num_classes = sets[0].x, sets[0].y, sets[0].num_classes
    began = time.perf_counter()
    networks = training.train(
        first.model,
        x,
        y,
        np.stack([one.kept for one in job]),
        recipe,
        seeds=[trial.seed for trial in trials],
        num_classes=num_classes,
        strata=sets[0].strata,
        val=np.stack([data.val for data in sets]),
        observe=selection and selection.observe,
        reselect=selection,
        weighted=selection is not None and selection.observe is not None,
        device=device,
    )
    seconds = (time.perf_counter() - began) / len(job)
    test = np.stack([data.test for data in sets])
    predictions = training.predict(networks, x, test).argmax(-1)
    strata, num_strata = sets[0].strata, sets[0].num_strata
    recalls = metrics.group_recalls(strata[test], y[test], predictions, num_strata)
    both = zip(selection.job if selection else job, recalls, strict=True)
    records = [record(one, found, seconds, device) for one, found in both]
    for s, epoch in networks.diverged.items():
        why = diverged(recipe, epoch)
        records[s] = failures.record(trials[s], why, device)
    return list(trials), records


def record(prepared: Prepared, recalls: np.ndarray, seconds: float, device: str) -> Record:
    """Return the record of a trial, from its test recalls (K,) and seconds of training."""
    trial, kept, measured, _ = prepared
    data = trial.data
    query = measured and {
        "recalls": _rounded(measured.recalls.mean(axis=0)),
        "val_sizes": measured.val_sizes.tolist(),
    }
    return {
        "key": trial.key,
        "trial": trial.config,
        "recalls": _rounded(recalls),
        "test_sizes": data.sizes("test").tolist(),
        "class_sizes": data.sizes().tolist(),
        "kept": np.bincount(data.strata[kept], minlength=data.num_strata).tolist(),
        "query": query,
        "seconds": round(seconds, 3),
        "provenance": provenance(device) | devices.used(trial.recipe.precision, device),
    }


def _rounded(recalls: np.ndarray) -> list[float]:
    return [round(float(recall), 6) for recall in recalls]
