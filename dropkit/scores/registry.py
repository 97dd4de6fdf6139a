"""Scores by their protocol names, and what query models must record for each."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np

from dropkit._common.checks import check_choice, check_scores
from dropkit._common.fingerprint import pinned
from dropkit._common.own_quotas import QUOTAS, SCORES as NAMES, TAKEN, check_version

Schedule = Literal["short", "long"]
_NOT_RECORDED: Any = None  # of any type, for a score reads only what it needs, which is there


@dataclass(frozen=True, kw_only=True)
class QueryRecord:
    """What query models recorded on n training samples; None for what was not recorded.

    Outputs of R initialisations are in evaluation mode on samples without augmentation.

    Parameters
    ----------
    labels : (n,) ndarray of int
        Classes 0..K-1.
    probs : (R, n, K) ndarray
        Softmax outputs.
    grad_norms : (R, n) ndarray
        By `grand`.
    target_probs : (E, n) ndarray
        Probability of the true class after each of E epochs.
    correct : (E, n) ndarray of bool
        Whether training-mode predictions were right.
    features : (n, d) ndarray
        Outputs of the layer before the last, after training.
    margins : (E, n) ndarray
        Probability of the true class less the highest of another, in training mode, in each epoch.
    """

    labels: np.ndarray = _NOT_RECORDED
    probs: np.ndarray = _NOT_RECORDED
    grad_norms: np.ndarray = _NOT_RECORDED
    target_probs: np.ndarray = _NOT_RECORDED
    correct: np.ndarray = _NOT_RECORDED
    features: np.ndarray = _NOT_RECORDED
    margins: np.ndarray = _NOT_RECORDED


Function = Callable[[QueryRecord], np.ndarray]


@dataclass(frozen=True)
class Score:
    """A score as protocols use it.

    Parameters
    ----------
    name : str
        In protocols.
    function : callable
        From a QueryRecord to (n,) numbers, higher is kept.
    needs : tuple of str
        Fields of QueryRecord.
    schedule : {"short", "long"}
        Which query models record them: "short" for several initialisations after a tenth of
        training, "long" for one full run (Appendix A).
    version : callable
        Returns what tells apart functions that were registered under one name; "" for those of
        this package.
    """

    name: str
    function: Function
    needs: tuple[str, ...]
    schedule: Schedule
    version: Callable[[], str] = lambda: ""

    def __call__(self, query: QueryRecord) -> np.ndarray:
        """Return the (n,) scores; ValueError if the record lacks an array or a score is NaN."""
        missing = [name for name in self.needs if getattr(query, name) is None]
        if missing:
            needed = ", ".join(missing)
            raise ValueError(f"the score {self.name!r} needs {needed}: its query did not record it")
        scores = self.function(query)
        n = len(scores if query.labels is None else query.labels)
        return check_scores(scores, n, f"{self.name} scores")


SCORES: dict[str, Score] = {}
# The paper's, and those of later work: their versions are this package's.
_SHIPPED = (
    *("el2n", "grand", "forgetting", "dynunc", "coreset", "ssp"),
    *("aum", "dual", "meanprob", "supproto", "selfproto"),
)
RESERVED = (
    *TAKEN,
    *("ccs", "stratified", "moderate", "median", "easy", "beta", "mixture"),  # rules of selection
)


def names() -> frozenset[str]:
    """Return the protocol names of all registered scores."""
    return frozenset(SCORES)


def register(
    name: str,
    *,
    needs: tuple[str, ...],
    schedule: Schedule = "short",
    version: str | None = None,
) -> Callable[[Function], Function]:
    """Let protocols use the decorated function of a QueryRecord as a score named `name`.

    Registering one's own name again replaces it; trials of another function are other trials.

    Parameters
    ----------
    name : str
        Lower-case letters, digits and underscores.
    needs : tuple of str
        The fields of QueryRecord that the function reads.
    schedule : {"short", "long"}
        Which query models record them, as in `Score`.
    version : str, optional
        Tells trials of one function from another's; default: a digest of its source and of the
        values that it takes with it: closures, arguments of partials, globals, helpers.

    Returns
    -------
    callable
        A decorator, which returns the function as it is.

    Raises
    ------
    ValueError
        If the name is taken or not lower-case letters, digits and underscores, if `needs` names
        what no query records, if the schedule is unknown, or if the function depends on what no
        value tells apart, such as an open file, and has no version.

    Examples
    --------
    >>> @register("confidence", needs=("probs",))
    ... def confidence(query):
    ...     return -query.probs.max(axis=-1).mean(axis=0)
    >>> "confidence" in names()
    True
    """
    taken = name in (*RESERVED, *QUOTAS) or (name in _SHIPPED and name in SCORES)
    if taken or not (isinstance(name, str) and name.isidentifier() and name == name.lower()):
        raise ValueError(
            f"the score name {name!r} cannot be used: it must be lower-case letters, digits and "
            f"underscores, and none of {', '.join(RESERVED + _SHIPPED)}"
        )
    known = [field.name for field in fields(QueryRecord)]
    if not isinstance(needs, tuple) or not set(needs) <= set(known):
        raise ValueError(
            f"needs is {needs!r}: it must be a tuple of names among {', '.join(known)}"
        )
    check_choice(schedule, "schedule", ("short", "long"))
    check_version(version)

    def add(function: Function) -> Function:
        named = pinned(function, f"the score {name!r}", "" if name in _SHIPPED else version)
        SCORES[name] = Score(name, function, needs, schedule, named)
        NAMES.add(name)
        return function

    return add
