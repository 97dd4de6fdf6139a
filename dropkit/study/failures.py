"""Trials that failed: kept apart from results, said at the end of a run, tried again on demand."""

from collections.abc import Iterable

from dropkit._common.errors import UserError
from dropkit.store.folder import Store
from dropkit.store.provenance import provenance
from dropkit.store.records import Record, key
from dropkit.study.trials import Trial


class FailedTrials(UserError):
    """Trials without a result, which no later run of the same will change."""


def key_of(trial: Trial) -> str:
    """Return what the store keeps a trial's failure under, never its result."""
    return key({"failed": trial.key})


def record(trial: Trial, why: str, device: str) -> Record:
    """Return the record of a failure; it has no "trial", so that nothing takes it for a result."""
    return {
        "key": key_of(trial),
        "failed": {"trial": trial.config, "why": why},
        "seconds": 0.0,
        "provenance": provenance(device),
    }


def known(trial: Trial, store: Store) -> bool:
    """Return whether a store has it that a trial failed."""
    return store.holds(key_of(trial), trial.config, "failed", "trial")


def among(trials: Iterable[Trial], store: Store) -> dict[Trial, str]:
    """Return the trials that failed and have no result since, and why."""
    return {
        trial: store[key_of(trial)]["failed"]["why"]
        for trial in trials
        if trial.key not in store and known(trial, store)
    }


def check(trials: Iterable[Trial], store: Store) -> None:
    """Raise FailedTrials if any failed."""
    if failed := among(dict.fromkeys(trials), store):
        first, why = next(iter(failed.items()))
        raise FailedTrials(
            f"{len(failed):,} trials failed; the first is {named(first)}: {why}. The others are "
            f"stored in {store.path}; retry=True, or dropkit run --retry, tries these again"
        )


def named(trial: Trial) -> str:
    """Return a trial in a few words."""
    return f"{trial.protocol} at density {trial.density:g}, seed {trial.seed}, of {trial.dataset}"
