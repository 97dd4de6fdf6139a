"""What summaries of the paper say of it, where that goes beyond the paper or differs from it.

Three were read: an automatic summary (S), a set of review notes (R) and a reproducibility card (K).
A claim without a test is not in the paper; its note says where one can see that.
"""

from functools import partial
from itertools import pairwise

import numpy as np

from dropkit.claims.comparisons import Better, Moves
from dropkit.claims.paper.algorithm import TABLE_1
from dropkit.claims.verdicts import Claim, Effect, exact
from dropkit.pruning import SMOOTHED
from dropkit.quotas import drop_densities

REFERENCES = 74  # entries of the paper's list
BUILT = "mixture+dynamicdrop" + SMOOTHED
FALLING = (0.9, 0.7, 0.5, 0.3, 0.1)  # densities


def pruned_share_against_error() -> list[Effect]:
    sizes, recalls = np.full(4, 500), np.array([0.95, 0.9, 0.7, 0.45])
    density = 0.3
    pruned = 1 - drop_densities(sizes, recalls, density)
    products = pruned * (1 - recalls)
    text = "pruned fraction × error, largest over smallest class (1 if inversely proportional)"
    return exact(text, products.max() / products.min(), 0.99, 1.01)


def _summary(key: str, text: str, note: str) -> Claim:
    return Claim(key, text, "an automatic summary", source="summary", note=note)


NOTES = [
    _summary("S1", "The method is called DRDP and optimises pruning and model robustness jointly",
          "the paper calls it DRoP; Algorithm 1 computes quotas once, from recalls, before "
          "training"),
    _summary("S2", "It samples adaptively inside each class",
          "inside a class the paper samples at random (Section 4)"),
    _summary("S3", "It selects samples by uncertainty with a Gaussian mixture model",
          "the mixture is the toy model of Section 3; no sample of a data set is scored by it"),
    _summary("S4", "It schedules pruning rates during training, class by class",
          "the quotas are fixed before the final training; only CDB-W, a baseline, changes over "
          "time"),
    _summary("S5", "It is grounded in distributionally robust optimisation",
          "Section 1 speaks of analogies with it, Section 4 of a comparison with one such method"),
    Claim("S6", "The worst class gains 3.2 points on average at high pruning ratios",
          "an automatic summary", Better(BUILT, "full", within=(0, 0.3), margin=-3.2),
          source="summary",
          note="the number is nowhere in the paper; tested on the method of S3 and S4, built as "
               "an experiment, against the full data, at densities up to 0.3"),
    Claim("S7", "Overall accuracy falls by less than 0.5 points",
          "an automatic summary", Better(BUILT, "full", "average", within=(0, 0.3), margin=0.5),
          source="summary",
          note="the number is nowhere in the paper, whose price is under 6 points; tested as S6"),
    Claim("S8", "The gain over the full data grows monotonically as more is pruned",
          "an automatic summary",
          tuple(Moves("random+drop", (d,), above) for above, d in pairwise(FALLING)),
          source="summary",
          note="the abstract says: continues improving, Section 4: up to 30 to 40 % of "
               "TinyImageNet; tested step by step, down to 10 %, on DRoP"),
    Claim("S8a", "... of the method that it describes",
          "an automatic summary",
          tuple(Moves(BUILT, (d,), above) for above, d in pairwise(FALLING)), source="summary",
          note="S8, tested on what S6 was tested on"),
    Claim("S9", "... at less than 0.5 points of average accuracy",
          "an automatic summary",
          Better("random+drop", "full", "average", within=(0.0, 0.5), margin=0.5), source="summary",
          note="S7, tested on DRoP at d up to 0.5"),
    Claim("R1", "Pruning fractions are inversely proportional to the validation errors",
          "review notes", fact=pruned_share_against_error, source="notes",
          note="it is the kept fractions that are proportional to the errors (Section 4)"),
    Claim("R2", "Noisy validation errors make the quotas ineffective",
          "review notes", Better("random+drop", "random+drop, validation noise 0.4"),
          source="notes", note="not in the paper; tested with 40 % of the validation labels wrong"),
    Claim("R3", "It is open whether DRoP's quotas help CoreSet and Dynamic Uncertainty",
          "review notes", tuple(Better(f"{s}+drop", s) for s in ("coreset", "dynunc")),
          source="notes",
          note="the paper combines its quotas with EL2N, GraNd and Forgetting only"),
    Claim("R4", "DRoP outperforms cost-sensitive learning",
          "review notes", Better("random+drop", "full+cdbw"), source="notes",
          note="the paper compares with one such method, CDB-W, and says 'can compete with'"),
    Claim("R5", "The paper has 40 references",
          "review notes",
          fact=partial(exact, "entries in the list of references", REFERENCES, 39.5, 40.5),
          source="notes"),
    Claim("K1", "The study covers three benchmarks",
          "a reproducibility card, quoting Appendix A",
          fact=partial(exact, "data sets in Table 1", len(TABLE_1), 2.5, 3.5), source="card",
          note="Table 1 has CIFAR-10, CIFAR-100, TinyImageNet, ImageNet and Waterbirds"),
    Claim("K2", "The split of the data is stated",
          "a reproducibility card", source="card",
          note="Appendix A reserves half of the test set for validation and does not say which "
               "half"),
]  # fmt: skip
