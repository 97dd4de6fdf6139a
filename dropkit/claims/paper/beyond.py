"""What the paper says beyond balanced classes and plain losses, and what it leaves open.

Section 4 from "A DRO baseline" on; LATER is of a study since, and the last list is ours.
"""

from dropkit.claims.class_comparisons import FavoursTheLarge
from dropkit.claims.comparisons import Better, Close
from dropkit.claims.verdicts import Claim
from dropkit.pruning import SMOOTHED

RULES = ("ccs", "moderate", "beta")
HALF = Better("random+drop", "full+cdbw", within=(0.5, 0.5))

COST = [
    Claim("C1", "CDB-W on the full data improves the worst class",
          "Section 4, Figure 7", Better("full+cdbw", "full")),
    Claim("C1a", "... by 5.7 points for VGG-19 on CIFAR-100",
          "Section 4", Close("full+cdbw", "full", "worst", value=5.7, margin=2, at=(1.0,)),
          only="cifar100", note="within 2 points"),
    Claim("C2", "Random+DRoP at half of the data improves it more than CDB-W does",
          "Section 4, Figures 5 and 7", HALF,
          note="the paper says: almost twice as much, of VGG-19 on CIFAR-100"),
    Claim("C3", "On EL2N's subsets CDB-W keeps the bias where CDB-W on full data had it",
          "Section 4, Figure 7", Close("el2n+cdbw", "full+cdbw"),
          note="tested as: within 5 points at every density"),
    Claim("C4", "EL2N+CDB-W is inferior to Random+DRoP",
          "Section 4, Figure 7", Better("random+drop", "el2n+cdbw")),
    Claim("C5", "EL2N+CDB-W is inferior to EL2N+DRoP",
          "Section 4, Figure 7", Better("el2n+drop", "el2n+cdbw")),
    Claim("C6", "EL2N scored by a CDB-W query model is among the most biased",
          "Section 4, Figure 7",
          Better(("el2n", "el2n+cdbw", "el2n+drop", "random+drop"), "cdbw+el2n"),
          note="read as: a worse worst class than the other pruning protocols of the figure"),
    Claim("C7", "In some range Random+DRoP even improves over CDB-W on the full data",
          "Section 1, Figures 5 and 7",
          (Better("random+drop", "full+cdbw", over="some"), HALF), rule="any",
          note="read as: at some density; C2 implies it"),
]  # fmt: skip

# Not pooled over seeds: each draws anew which classes are rare.
TAIL = [
    Claim("I0", "Imbalance biases models towards the more prevalent classes",
          "Section 4", FavoursTheLarge("full"), data="tail",
          note="tested as: better recalls for the larger half of the classes, on the whole set"),
    Claim("I1", "On long tails Random+DRoP consistently has a better average than EL2N",
          "Section 4, Figure 8", Better("random+drop", "el2n", "average", over="each"),
          data="tail"),
    Claim("I2", "... and a better worst class",
          "Section 4, Figure 8", Better("random+drop", "el2n", "worst", over="each"), data="tail"),
    Claim("I3", "Random+DRoP almost always reduces the bias of the whole unbalanced set",
          "Section 4, Figure 8", Better("random+drop", "full", "worst", over="each"), data="tail"),
    Claim("I4", "... even when that is trained with CDB-W",
          "Section 4, Figure 8", Better("random+drop", "full+cdbw", "worst", over="each"),
          data="tail"),
    Claim("I5", "The key is class proportions by difficulty, not class balance",
          "Section 4", Better("random+drop", "random+balance", "worst"), data="tail",
          note="tested as: Random+DRoP above random pruning to equal class sizes"),
]  # fmt: skip

GROUPS = [
    Claim("G0",
          "Standard training leaves poor accuracy for the groups whose background is the unusual "
          "one",
          "Section 4", FavoursTheLarge("full"), data="groups",
          note="these are the smaller two of the four groups"),
    Claim("G1", "Random+DRoP improves the worst group over Random",
          "Section 4, Figure 9", Better("random+drop", "random"), data="groups"),
    Claim("G2", "EL2N+DRoP improves the worst group over EL2N",
          "Section 4, Figure 9", Better("el2n+drop", "el2n"), data="groups"),
    Claim("G3", "Random+DRoP and EL2N+DRoP improve the worst group over the full data",
          "Section 4, Figure 9", Better(("random+drop", "el2n+drop"), "full"), data="groups"),
    Claim("G4", "... and the other metrics: gap and deviation over groups",
          "Section 4, Figure 9", Better(("random+drop", "el2n+drop"), "full", ("gap", "std")),
          data="groups",
          note="which metrics the paper does not say; the average is not read as one of "
               "robustness"),
    Claim("G5", "DRoP is better for the worst group than CDB-W on the full data",
          "Section 4, Figure 9 (drawn there, not stated)",
          Better(("random+drop", "el2n+drop"), "full+cdbw"), data="groups"),
]  # fmt: skip

STUDY = "Dharmasiri et al. (2025), Abstract"
LEARNED, EMBEDDED = ("el2n", "forgetting"), ("selfproto", "supproto")
EASIEST = tuple(f"easy:{score}" for score in EMBEDDED)

LATER = [
    Claim("L1", "Scores of embeddings make a subset more biased less than scores of training do",
          STUDY,
          tuple(Better(tuple(f"{rule}:{score}" for score in EMBEDDED),
                       tuple(f"{rule}:{score}" for score in LEARNED), "bias")
                for rule in ("easy", "median")),
          data="groups", source="later",
          note="bias: the share of the larger half of the groups; under the policies that keep the "
               "easiest or the middle, for the hardest are rather of the smaller groups, see L2"),
    Claim("L2", "Subsets of difficult samples are less biased",
          STUDY, Better(LEARNED, "random", "bias", over="each"), data="groups", source="later",
          note="than random ones of their size"),
    Claim("L3", "... which does not reliably make the worst group better",
          STUDY, Better("random", LEARNED, over="some"), rule="any", data="groups",
          source="later", note="tested as: at some density they are behind random pruning"),
    Claim("L4", "Very small subsets of typical samples may have a high average that hides a low "
          "worst group",
          STUDY,
          (Better(EASIEST, "random", "average", within=(0, 0.02), margin=1),
           Better("random", EASIEST, within=(0, 0.02))),
          data="groups", source="later",
          note="tested at 2 % of the data: an average at most a point below that of random "
               "pruning, and a worse worst group"),
]  # fmt: skip

OURS = [
    Claim("O1",
          "With smoothed quotas Random+DRoP has a better worst class than Random at every density",
          "not in the paper", Better("random+drop" + SMOOTHED, "random", over="each"),
          source="ours"),
    Claim("O2", "Smoothed quotas are better than literal ones",
          "not in the paper", Better("random+drop" + SMOOTHED, "random+drop"), source="ours"),
    Claim("O3", "On long tails quotas read as counts are better than quotas read as densities",
          "not in the paper", Better("random+drop, by counts", "random+drop", "worst"), data="tail",
          source="ours", note="the paper's text has densities, the released code counts"),
    Claim("O4", "DRoP is better for the worst group than pruning to equal group sizes",
          "not in the paper", Better("random+drop", "random+balance"), data="groups",
          source="ours"),
    Claim("O5", "DRoP is better for the worst class than rules of selection since",
          "not in the paper", Better("random+drop" + SMOOTHED, RULES), source="ours",
          note="with smoothed quotas; CCS, Moderate and DUAL with Beta, each alone"),
    Claim("O6", "... and than rules that select anew in each epoch at equal steps",
          "not in the paper", Better("random+drop" + SMOOTHED, ("infobatch", "rcap")),
          source="ours", note="InfoBatch and RCAP, which see more of the data"),
    Claim("O7", "DRoP is better for the worst group than rules of selection since",
          "not in the paper", Better("random+drop", (*RULES, "infobatch", "rcap")), data="groups",
          source="ours"),
    Claim("O8", "Quotas measured anew during training are better than quotas measured once",
          "not in the paper", Better("random+dynamicdrop" + SMOOTHED, "random+drop" + SMOOTHED),
          source="ours", note="at equal steps; what S4 describes, built as an experiment"),
    Claim("O9", "... and than drawing anew as often without a look at the classes",
          "not in the paper", Better("random+dynamicdrop" + SMOOTHED, "random+dynamicproportional"),
          source="ours"),
    Claim("O10", "A draw by a mixture's uncertainty inside DRoP's quotas is better than at random",
          "not in the paper", Better("mixture+drop" + SMOOTHED, "random+drop" + SMOOTHED),
          source="ours", note="what S3 describes, built as an experiment"),
]  # fmt: skip
