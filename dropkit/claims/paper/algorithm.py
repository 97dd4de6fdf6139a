"""What the paper says about its algorithm and its cost: facts that need no records."""

from functools import cache

import numpy as np

from dropkit import quotas, study
from dropkit.claims.paper import printed
from dropkit.claims.verdicts import Claim, Effect, exact, violations

TABLE_1 = {  # epochs
    "CIFAR-10": 160,
    "CIFAR-100": 160,
    "TinyImageNet": 200,
    "ImageNet": 90,
    "Waterbirds": 300,
}


INSTANCES = 3000


@cache
def instances() -> list[tuple[np.ndarray, np.ndarray, float]]:
    """Return random class sizes, recalls as 45 validation samples give them, and densities."""
    rng = np.random.default_rng(0)
    classes = rng.integers(2, 20, INSTANCES)
    return [
        (rng.integers(1, 500, k), rng.integers(0, 46, k) / 45, float(rng.uniform(0.05, 0.95)))
        for k in classes
    ]


def algorithm_ends() -> list[Effect]:
    failed = [printed.algorithm_1(*each).outcome != printed.ENDS for each in instances()]
    return violations("Algorithm 1 does not end or divides by zero", failed)


def quotas_meet_the_target() -> list[Effect]:
    failed = [
        abs(sizes @ quotas.drop_densities(sizes, recalls, d) - d * sizes.sum()) > 1e-6
        for sizes, recalls, d in instances()
    ]
    return violations("Σ d_k N_k differs from dN", failed)


def whole_sets_overflow() -> list[Effect]:
    within = []
    for sizes, recalls, _ in instances():
        errors = 1 - recalls
        if np.ptp(errors) > 0:
            quotas_of_all = errors * sizes.sum() / (errors @ sizes)  # d (1 − r_k) / Z at d = 1
            within.append(quotas_of_all.max() <= 1)
    return violations("no quota above 1 at d = 1, though recalls differ", within)


def every_class_keeps_some() -> list[Effect]:
    failed = [(quotas.drop_densities(*each) <= 0).any() for each in instances()]
    return violations("some class keeps nothing", failed)


def ten_epochs() -> list[Effect]:
    fewest = min(TABLE_1, key=TABLE_1.get)
    text = f"fewest query epochs, 10 % of Table 1 ({fewest})"
    return exact(text, 0.1 * TABLE_1[fewest], 10 - 1e-9)


def stated_query_epochs() -> list[Effect]:
    effects = []
    for dataset, stated in (("CIFAR-100", 16), ("TinyImageNet", 9)):
        text = f"10 % of Table 1's epochs, {dataset}, stated {stated}"
        effects += exact(text, 0.1 * TABLE_1[dataset], stated - 0.5, stated + 0.5)
    return effects


def query_models() -> list[Effect]:
    drop, el2n = (
        study.grid("digits-2x4", protocols=[protocol], densities=[0.5], seeds=1)[0].queries
        for protocol in ("random+drop", "el2n")
    )
    return exact("query runs of Random+DRoP that EL2N has not", len(set(drop) - set(el2n)), -1, 0.5)


ALGORITHM = [
    Claim("T20", "Algorithm 1 is guaranteed to terminate", "Section 4",
          fact=algorithm_ends, note="as printed, in double precision, at most 1000 rounds"),
    Claim("T21", "DRoP's quotas keep exactly the target density", "Section 4",
          fact=quotas_meet_the_target),
    Claim("T21a", "DRoP needs no query model that the scores do not need", "Section 4, Appendix F",
          fact=query_models, note="Random pruning alone needs none"),
    Claim("T21b", "Large densities have no valid quotas: some class would need more than it has",
          "Section 4", fact=whole_sets_overflow,
          note="tested at d = 1, before the surplus is spread"),
    Claim("T21c", "Every class keeps a part of its samples (0 < d_k ≤ 1)", "Section 4",
          fact=every_class_keeps_some,
          note="a class of perfect validation recall has weight 0; smoothing repairs that"),
    Claim("T22", "A tenth of the training is at least ten epochs for all pairs of data and model",
          "Appendices A and F", fact=ten_epochs,
          note="ImageNet's 90 epochs make nine"),
    Claim("T22a", "... which is 16 for VGG-19 on CIFAR-100 and 9 for ResNet-18 on TinyImageNet",
          "Appendix F, Figure 15", fact=stated_query_epochs,
          note="a tenth of TinyImageNet's 200 epochs is 20"),
]  # fmt: skip
