"""What trials are trained on: their queries answered, their scores computed, their samples kept."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from dropkit import pruning
from dropkit._common.errors import UserError
from dropkit._common.rounding import budget
from dropkit.datasets.loading import Data
from dropkit.scores.registry import SCORES
from dropkit.store.folder import Store
from dropkit.study import executors, query_models
from dropkit.study.executors import Watch, Workers
from dropkit.study.queries import Query
from dropkit.study.query_models import Recorded
from dropkit.study.trials import Trial


class Prepared(NamedTuple):
    """A trial, pool indices (n,) of the samples it keeps, and what its record says of its query."""

    trial: Trial
    kept: np.ndarray
    query: dict | None


def prepare(
    trials: Sequence[Trial], store: Store, workers: Workers, watch: Watch | None = None
) -> list[Prepared]:
    """Return what each trial is to be trained on, in their order: trains the query models for it.

    Parameters
    ----------
    trials : Trials
    store : Store
    workers : Workers
        Of an executor; they train the query models.
    watch : Watch, optional
        Where it stops that, the trials whose queries are answered return.

    Raises
    ------
    ValueError
        For a data set that cannot test a class, or a pruned set too small to train on.
    """
    of_each = {_data_name(trial): trial for trial in trials}
    sets = {name: trial.data for name, trial in of_each.items()}
    for (name, *_), data in sets.items():
        _check_test_split(name, data)
    for trial in trials:
        _check_kept(trial, len(sets[_data_name(trial)].train))
    measured, ranked = _asked(trials, store, workers, watch)
    prepared = []
    for trial in trials:
        if not measured.keys() >= set(trial.queries):
            continue
        recorded = measured.get(trial.recall_query)
        kept = keep(trial, sets[_data_name(trial)], recorded, ranked.get(_score_name(trial)))
        prepared.append(Prepared(trial, kept, recorded and _query_note(recorded)))
    return prepared


def _data_name(trial: Trial) -> tuple[str, int, float]:
    return trial.dataset, trial.seed, trial.imbalance


def _check_test_split(name: str, data: Data) -> None:
    sizes = data.sizes("test")
    if not sizes.all():
        raise ValueError(
            f"{name} has no test samples of {data.strata_names[sizes.argmin()]!r}: "
            "a recall needs at least 1"
        )


def _check_kept(trial: Trial, samples: int) -> None:
    if (kept := budget(samples, trial.density)) < 2:
        raise UserError(
            f"density {trial.density} keeps {kept} of the {samples} training samples of "
            f"{trial.dataset}: training needs at least 2"
        )


def _asked(
    trials: Sequence[Trial], store: Store, workers: Workers, watch: Watch | None = None
) -> tuple[dict[Query, Recorded], dict[tuple, np.ndarray]]:
    """The recalls that trials go by and the scores that they rank by, each computed once.

    Scores are computed while other queries are trained; of outputs no more is held than they need.
    """
    wanted: dict[Query, dict[str, None]] = {}
    for trial in trials:
        for query in trial.queries:
            wanted.setdefault(query, {})
        if trial.score_query:
            wanted[trial.score_query][_score_name(trial)[1]] = None
    measured, ranked = {}, {}
    for query, recorded in query_models.run(wanted, store, workers, watch):
        for strategy in wanted[query]:
            ranked[query, strategy] = SCORES[strategy](recorded)
        measured[query] = Recorded(recalls=recorded.recalls, val_sizes=recorded.val_sizes)
    return measured, ranked


def scores_of(trials: Sequence[Trial], store: Store, device: str = "cpu") -> dict[str, np.ndarray]:
    """Return the scores of each strategy that the trials rank by.

    Parameters
    ----------
    trials : sequence of Trial
        Their queries are trained where the store lacks them.
    store : Store
        Of the queries.
    device : str
        As in `run`.

    Returns
    -------
    dict of (S, n) arrays
        By strategy; rows are seeds.

    Raises
    ------
    ValueError
        If two trials of one seed rank by scores of different queries.
    """
    with executors.local(device) as workers:
        _, ranked = _asked(trials, store, workers)
    rows: dict[str, dict[int, np.ndarray]] = {}
    # In the order of the trials, whichever query was there first.
    for query, strategy in dict.fromkeys(_score_name(t) for t in trials if t.score_query):
        if query.seed in rows.setdefault(strategy, {}):
            raise ValueError(f"two queries of seed {query.seed} give scores {strategy!r}")
        rows[strategy][query.seed] = ranked[query, strategy]
    return {
        strategy: np.stack([values[seed] for seed in sorted(values)])
        for strategy, values in rows.items()
    }


def _score_name(trial: Trial) -> tuple[Query | None, str | None]:
    return trial.score_query, pruning.parse(trial.protocol).strategy


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
        Its query models' recalls; None where the protocol needs none.
    scores : (n,) array or None
        Its strategy's; None where the protocol needs none.
    """
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
        "recalls": rounded(measured.recalls.mean(axis=0)),
        "val_sizes": measured.val_sizes.tolist(),
    }


def rounded(values: np.ndarray) -> list[float]:
    """Return recalls as records hold them."""
    return [round(float(value), 6) for value in values]
