"""One pure function a score, higher is kept; and their protocol names."""

from dropkit.scores.functions import (
    dynamic_uncertainty,
    el2n,
    forgetting,
    grand,
    k_center,
    k_center_scores,
    ssp,
)
from dropkit.scores.later import aum, dual, kmeans_prototypes, supervised_prototypes
from dropkit.scores.registry import SCORES, QueryRecord, Score, names, register

__all__ = [
    "QueryRecord",
    "SCORES",
    "Score",
    "aum",
    "dual",
    "dynamic_uncertainty",
    "el2n",
    "forgetting",
    "grand",
    "k_center",
    "k_center_scores",
    "kmeans_prototypes",
    "names",
    "register",
    "ssp",
    "supervised_prototypes",
]
