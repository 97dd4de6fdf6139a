"""What trials are trained on: their queries answered, their scores computed, their samples kept."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from dropkit import pruning
from dropkit._common.errors import UserError
from dropkit._common.rounding import budget
from dropkit.datasets.loading import Data
from dropkit.scores.registry import SCORES
from dropkit.store.folder import Store
from dropkit.store.locks import Locks
from dropkit.study import executors, query_models
from dropkit.study.executors import Workers
from dropkit.study.queries import Query
from dropkit.study.query_models import Recorded
from dropkit.study.trials import Trial, inputs_of


class Prepared(NamedTuple):
    """A trial, pool indices (n,) of the samples that it keeps, and the recalls that it went by.

    And the scores that it ranks by, where it selects again during training.
    """

    trial: Trial
    kept: np.ndarray
    measured: Recorded | None
    scores: np.ndarray | None = None


def prepare(
    trials: Sequence[Trial], store: Store, workers: Workers, locks: Locks | None = None
) -> tuple[list[Prepared], dict[Trial, str]]:
    """Return what each trial is to be trained on, in their order: trains the query models for it.

    Beside them, why trials cannot be trained whose queries diverged. Where a watch stops the
    queries, or another process has them, the trials whose queries are answered return. Raises
    ValueError for a data set that cannot test a class, or a pruned set too small to train on,
    before any training.
    """
    draws = [(trial.dataset, trial.seed, trial.imbalance) for trial in trials]
    _check_versions(trials)
    sets = {draw: trial.data for draw, trial in dict(zip(draws, trials, strict=True)).items()}
    for draw, trial in zip(draws, trials, strict=True):
        _check(trial, sets[draw])
    measured, ranked, failed = _asked(trials, store, workers, locks)
    prepared, lost = [], {}
    for draw, trial in zip(draws, trials, strict=True):
        if measured.keys() >= set(trial.queries):
            recalls = measured.get(trial.recall_query)
            scores = _stacked([ranked[ranking] for ranking in trial.rankings])
            kept = keep(trial, sets[draw], recalls, scores)
            dynamic = pruning.parse(trial.protocol).dynamic
            prepared.append(Prepared(trial, kept, recalls, scores if dynamic else None))
        for query in trial.queries:
            if query in failed:
                lost[trial] = f"a query model diverged: {failed[query]}"
    return prepared, lost


def _check_versions(trials: Sequence[Trial]) -> None:
    """Raise UserError where what was registered is no longer what a trial was made with."""
    for protocol, made in {(trial.protocol, trial.score_version) for trial in trials}:
        _check_same(pruning.version(protocol), made, f"protocol {protocol!r}")
    for dataset, model, made in {(t.dataset, t.model, t.inputs) for t in trials}:
        _check_same(inputs_of(dataset, model), made, f"{model!r} on {dataset!r}")


def _check_same(now: str, made: str, what: str) -> None:
    if now != made:
        raise UserError(
            f"{what} is not what the trials were made with ({made or 'as it comes'}, now "
            f"{now or 'as it comes'}): make them again with study.grid"
        )


def _check(trial: Trial, data: Data) -> None:
    sizes = data.sizes("test")
    if not sizes.all():
        raise ValueError(
            f"{trial.dataset} has no test samples of {data.strata_names[sizes.argmin()]!r}: "
            "a recall needs at least 1"
        )
    samples = len(data.train)
    if (kept := budget(samples, trial.density)) < 2:
        raise UserError(
            f"density {trial.density} keeps {kept} of the {samples} training samples of "
            f"{trial.dataset}: training needs at least 2"
        )


def _asked(
    trials: Sequence[Trial], store: Store, workers: Workers, locks: Locks | None = None
) -> tuple[dict[Query, Recorded], dict[tuple, np.ndarray], dict[Query, str]]:
    """The recalls that trials go by and the scores that they rank by, each computed once.

    And why queries failed.

    Scores are computed while other queries are trained; of outputs no more is held than they need.
    """
    wanted: dict[Query, set[str]] = {query: set() for trial in trials for query in trial.queries}
    for query, strategy in _rankings(trials):
        wanted[query].add(strategy)
    measured, ranked, failed = {}, {}, {}
    for query, recorded in query_models.run(wanted, store, workers, extras(trials), locks):
        if isinstance(recorded, str):
            failed[query] = recorded
            continue
        for strategy in wanted[query]:
            ranked[query, strategy] = SCORES[strategy](recorded)
        measured[query] = Recorded(recalls=recorded.recalls, val_sizes=recorded.val_sizes)
    return measured, ranked, failed


def extras(trials: Sequence[Trial]) -> frozenset[str]:
    """What the trials' scores need of what query models record only where it is wanted."""
    needed = {name for _, strategy in _rankings(trials) for name in SCORES[strategy].needs}
    return query_models.EXTRAS & needed


def scores_of(trials: Sequence[Trial], store: Store, device: str = "cpu") -> dict[str, np.ndarray]:
    """Return the scores (S, n) of each strategy that the trials rank by, rows by seed.

    Parameters
    ----------
    trials : sequence of Trial
        Their queries are trained where the store lacks them.
    store : Store
        Of the queries.
    device : str
        As in `run`.

    Raises
    ------
    ValueError
        If two trials of one seed rank by scores of different queries, or a query diverged.
    """
    with executors.local(device) as workers:
        _, ranked, failed = _asked(trials, store, workers)
    for query, why in failed.items():
        raise UserError(f"a query of seed {query.seed} diverged: {why}")
    rows: dict[str, dict[int, np.ndarray]] = {}
    # In the order of the trials, whichever query was there first.
    for query, strategy in _rankings(trials):
        if query.seed in rows.setdefault(strategy, {}):
            raise ValueError(f"two queries of seed {query.seed} give scores {strategy!r}")
        rows[strategy][query.seed] = ranked[query, strategy]
    return {
        strategy: np.stack([values[seed] for seed in sorted(values)])
        for strategy, values in rows.items()
    }


def _rankings(trials: Sequence[Trial]) -> list[tuple[Query, str]]:
    """Each query and strategy that give scores to a trial, once."""
    return list(dict.fromkeys(ranking for trial in trials for ranking in trial.rankings))


def _stacked(scores: list[np.ndarray]) -> np.ndarray | None:
    """What `pruning.prune` takes of the scores of none, one or several strategies."""
    return (scores[0] if len(scores) == 1 else np.stack(scores)) if scores else None


def keep(
    trial: Trial, data: Data, measured: Recorded | None, scores: np.ndarray | None
) -> np.ndarray:
    """Return pool indices of the training samples of its data set that a trial keeps.

    Parameters
    ----------
    trial : Trial
        Its protocol, density and seed decide.
    data : Data
        Its data set.
    measured : Recorded or None
        Its query models' recalls; None where the protocol needs none, as of the scores.
    scores : (n,) or (m, n) array, or None
        Its strategy's, or those of several.
    """
    if pruning.parse(trial.protocol).dynamic:
        first = trial.protocol.replace("dynamicdrop", "dynamicproportional")
        return selected(trial, data, scores, first)
    return selected(
        trial,
        data,
        scores,
        recalls=measured and measured.recalls.mean(axis=0),
        val_sizes=measured and measured.val_sizes,
    )


def selected(
    trial: Trial, data: Data, scores: np.ndarray | None, protocol: str = "", **given: Any
) -> np.ndarray:
    """Return pool indices of what a trial's protocol, or another one, keeps of its data set."""
    options = {"smoothing": trial.smoothing, "rule": trial.rule, "seed": trial.seed} | given
    labels = data.strata[data.train]
    chosen = pruning.prune(
        protocol or trial.protocol, labels, trial.density, scores=scores, **options
    )
    return data.train[chosen]
