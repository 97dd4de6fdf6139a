"""Quotas that users register beside DRoP's: weights of the classes, by a protocol's name."""

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dropkit._common.checks import Floats, check_nonnegative
from dropkit._common.fingerprint import pinned

Rule = Callable[..., np.ndarray]
TAKEN = (
    *("random", "full", "drop", "balance", "proportional", "hardness", "cdbw", "global"),
    *("dynamicdrop", "dynamicproportional", "infobatch", "rcap"),
)
NEEDS = ("recalls", "val_sizes")


@dataclass(frozen=True)
class Quota:
    """A rule from class sizes, and what else it needs, to weights of the classes."""

    name: str
    function: Rule
    needs: tuple[str, ...]
    version: Callable[[], str]  # which tells apart rules that were registered under one name

    def __call__(self, sizes: Floats, **known: np.ndarray) -> Floats:
        """Return the weights (K,); ValueError unless they are finite and not below 0."""
        given = {name: known[name] for name in self.needs}
        return check_nonnegative(self.function(sizes, **given), f"{self.name} weights", sizes.size)


def check_version(version: str | None) -> None:
    """Raise ValueError for what cannot stand in a record."""
    if version is not None and not re.fullmatch(r"\w[\w.-]{0,39}", version):
        raise ValueError(
            f"version is {version!r}: it must be at most 40 letters, digits, dots, hyphens and "
            "underscores"
        )


QUOTAS: dict[str, Quota] = {}
SCORES: set[str] = set()  # names of scores, which no quota may have


def register(
    name: str, *, needs: tuple[str, ...] = ("recalls",), version: str | None = None
) -> Callable[[Rule], Rule]:
    """Let protocols share out by the decorated function, as in ``random+NAME`` or ``el2n+NAME``.

    It returns a weight w_k ≥ 0 for each class, and class k keeps the fraction min(1, λ w_k) of its
    samples: DRoP's weights are 1 - recalls, those of equal counts 1 / sizes. Registering one's own
    name again replaces it; trials of another function are other trials.

    Parameters
    ----------
    name : str
        Lower-case letters, digits and underscores, not ending in q; no score's.
    needs : tuple of str
        Of "recalls" and "val_sizes", which the function takes by name after the class sizes; each
        (K,). Query models measure them.
    version : str, optional
        Tells trials of one function from another's; default: a digest of its source and values.

    Returns
    -------
    callable
        A decorator, which returns the function as it is.

    Raises
    ------
    ValueError
        For a name that is taken or has other characters, or other needs.

    Examples
    --------
    >>> @register("root", needs=("recalls",))
    ... def root(sizes, recalls):
    ...     return (1 - recalls) ** 0.5
    >>> from dropkit.pruning import prune
    >>> prune("random+root", [0, 1] * 8, 0.5, recalls=[0.99, 0.91]).size
    8
    """
    sound = isinstance(name, str) and name.isidentifier() and name == name.lower()
    if not sound or name in (*TAKEN, *SCORES) or name.endswith("q"):
        raise ValueError(
            f"the quota name {name!r} cannot be used: it must be lower-case letters, digits and "
            f"underscores, not end in q, and be none of {', '.join([*TAKEN, *sorted(SCORES)])}"
        )
    if not isinstance(needs, tuple) or not set(needs) <= set(NEEDS):
        raise ValueError(f"needs is {needs!r}: it must be a tuple of names among {NEEDS}")

    check_version(version)

    def add(function: Rule) -> Rule:
        named = pinned(function, f"the quota {name!r}", version)
        QUOTAS[name] = Quota(name, function, needs, named)
        return function

    return add
