"""Scores by their protocol names, and what query models must record for each."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Literal

import numpy as np

from dropkit._common.fingerprint import fingerprint

Schedule = Literal["short", "long"]


@dataclass(frozen=True, kw_only=True)
class QueryRecord:
    """What query models recorded on n training samples; None for what was not recorded.

    Outputs of R initialisations are in evaluation mode on samples without augmentation.
    """

    labels: np.ndarray | None = None  # (n,) integers 0..K-1
    probs: np.ndarray | None = None  # (R, n, K) softmax outputs
    grad_norms: np.ndarray | None = None  # (R, n), by `grand`
    target_probs: np.ndarray | None = None  # (E, n), after each of E epochs
    correct: np.ndarray | None = None  # (E, n) booleans, training-mode predictions
    features: np.ndarray | None = None  # (n, d), penultimate layer after training


Function = Callable[[QueryRecord], np.ndarray]


@dataclass(frozen=True)
class Score:
    """A score as protocols use it.

    `needs` names fields of QueryRecord. `schedule` says which query models record them: "short"
    for several initialisations after a tenth of training, "long" for one full run (Appendix A).
    `version` tells apart functions that were registered under one name; "" for the paper's.
    """

    name: str
    function: Function
    needs: tuple[str, ...]
    schedule: Schedule
    version: str = ""

    def __call__(self, query: QueryRecord) -> np.ndarray:
        """Return the (n,) scores; ValueError if the record lacks an array or a score is NaN."""
        missing = [name for name in self.needs if getattr(query, name) is None]
        if missing:
            raise ValueError(
                f"the score {self.name!r} needs {', '.join(missing)}: its query did not record that"
            )
        scores = np.asarray(self.function(query), dtype=np.float64)
        if scores.ndim != 1 or (query.labels is not None and len(scores) != len(query.labels)):
            raise ValueError(
                f"the score {self.name!r} has shape {scores.shape}: it must be one number a sample"
            )
        if np.isnan(scores).any():
            raise ValueError(
                f"the score {self.name!r} is NaN for sample {np.isnan(scores).argmax()}: "
                "every sample needs a score to be ranked by"
            )
        return scores


SCORES: dict[str, Score] = {}
_PAPERS = ("el2n", "grand", "forgetting", "dynunc", "coreset", "ssp")
_RESERVED = ("random", "full", "drop", "balance", "cdbw", "global")


def names() -> frozenset[str]:
    """Return the protocol names of all registered scores."""
    return frozenset(SCORES)


def register(
    name: str, *, needs: tuple[str, ...], schedule: Schedule = "short"
) -> Callable[[Function], Function]:
    """Let protocols use the decorated function of a QueryRecord as a score named `name`.

    Registering one's own name again replaces it; trials of another function are other trials.

    Raises
    ------
    ValueError
        If the name is taken or not lower-case letters, digits and underscores, if `needs` names
        what no query records, or if the schedule is unknown.

    Examples
    --------
    >>> @register("confidence", needs=("probs",))
    ... def confidence(query):
    ...     return -query.probs.max(axis=-1).mean(axis=0)
    >>> "confidence" in names()
    True
    """
    taken = name in _RESERVED or (name in _PAPERS and name in SCORES)
    if taken or not (isinstance(name, str) and name.isidentifier() and name == name.lower()):
        raise ValueError(
            f"the score name {name!r} cannot be used: it must be lower-case letters, digits and "
            f"underscores, and none of {', '.join(_RESERVED + _PAPERS)}"
        )
    known = [field.name for field in fields(QueryRecord)]
    if not isinstance(needs, tuple) or not set(needs) <= set(known):
        raise ValueError(
            f"needs is {needs!r}: it must be a tuple of names among {', '.join(known)}"
        )
    if schedule not in ("short", "long"):
        raise ValueError(f"schedule is {schedule!r}: it must be 'short' or 'long'")

    def add(function: Function) -> Function:
        version = "" if name in _PAPERS else fingerprint(function)
        SCORES[name] = Score(name, function, needs, schedule, version)
        return function

    return add
