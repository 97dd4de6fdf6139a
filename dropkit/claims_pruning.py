"""What the paper says about pruned balanced sets: Sections 1, 2, 4 and Appendices C to F."""

from dropkit.claim_tests import (
    WORST,
    beaten,
    better,
    close,
    costs_more,
    each,
    level_of,
    loses_a_class,
    moves,
)
from dropkit.verdicts import Claim

SCORES = ("el2n", "grand", "forgetting", "dynunc", "coreset")
RIVALS = ("random", *SCORES)
STRATEGIES = ("el2n", "grand", "forgetting")
MIXED = [f"{s}+drop" for s in STRATEGIES] + [f"random+{s}q" for s in STRATEGIES]  # Figure 5
LOW, HIGH = (0.0, 0.3), (0.4, 0.99)
ALL = (*WORST, "gap", "std")

BIAS = [
    Claim(
        "B0",
        "No method is uniformly the best",
        "Section 2, Figure 1",
        beaten(RIVALS, "average"),
        rule="any",
        note="each has a worse average than another one at some density; the paper compares data "
        "sets too",
    ),
    Claim(
        "B1",
        "Pruning by a score leaves a worse worst class than training on all data",
        "Abstract, Section 2, Figure 1",
        better("full", SCORES),
        note="the mean over densities of each score",
    ),
    Claim(
        "B2",
        "Several scores improve ever so slightly over the full data",
        "Section 2, Figure 1",
        better(SCORES, "full", over="some"),
        rule="any",
        note="read as: one score at one density",
    ),
    Claim(
        "B3",
        "Dynamic Uncertainty has the best average accuracy",
        "Sections 1 and 2, Figures 1 and 10",
        better("dynunc", ("random", "el2n", "grand", "forgetting", "coreset"), ["average"]),
        note="the paper says: arguably, of VGG-19 on CIFAR-100 and ResNet-50 on ImageNet",
    ),
    Claim(
        "B4",
        "... and yet it fails in worst-class accuracy",
        "Sections 1 and 2, Figures 1 and 10",
        better(("random", "el2n", "grand", "forgetting", "coreset"), "dynunc"),
        note="said of the same two; read as: a worse worst class than every other method",
    ),
    Claim(
        "B5",
        "... across all robustness metrics",
        "Section 2, Figure 10",
        better("full", "dynunc", ALL),
        note="read as: worse than the full data in each",
    ),
    Claim(
        "B6",
        "Dynamic Uncertainty removes entire classes at 10 % of the data",
        "Section 2, Figure 2",
        loses_a_class("dynunc", 0.1),
        note="said of CIFAR-100 and its hundred classes; read as: in most seeds",
    ),
    Claim(
        "B7",
        "At low densities Dynamic Uncertainty prunes the harder classes more",
        "Section 2, Figures 2 and 13",
        level_of("dynunc", "starves", within=LOW),
        note="a positive correlation over classes",
    ),
    Claim(
        "B8",
        "... in contrast to the other scores, which prune the easier classes more",
        "Sections 2 and 3, Figure 13",
        level_of(("el2n", "grand", "forgetting", "coreset"), "spares", within=LOW),
    ),
    Claim(
        "B9",
        "EL2N and GraNd have a comparatively low bias",
        "Section 2, Figure 1",
        better(("el2n", "grand"), ("dynunc", "coreset")),
        note="read as: a better worst class than Dynamic Uncertainty and CoreSet",
    ),
    Claim(
        "B10",
        "... closely followed by Forgetting",
        "Section 2, Figure 1",
        better("forgetting", ("dynunc", "coreset")),
        note="read as B9",
    ),
    Claim(
        "B11",
        "Forgetting has a substantially better average than EL2N and GraNd",
        "Section 2, Figure 1",
        better("forgetting", ("el2n", "grand"), ["average"]),
        note="read as: a better one, by however much",
    ),
    Claim(
        "B12",
        "Forgetting's average is above Random's while at least 40 % are kept",
        "Section 2, Figure 1",
        better("forgetting", "random", ["average"], within=HIGH),
        note="said of CIFAR-100, in the words of the next line: it falls short only below",
    ),
    Claim(
        "B13",
        "... and falls short of it below",
        "Section 2, Figure 1",
        better("random", "forgetting", ["average"], within=(0.0, 0.39)),
    ),
    Claim(
        "B14",
        "At low densities Forgetting's sets are more balanced than those of EL2N and GraNd",
        "Section 2, Figure 14",
        better("forgetting", ("el2n", "grand"), ["even"], within=LOW),
    ),
    Claim(
        "B15",
        "Forgetting prunes easier classes more aggressively than all other scores",
        "Section 2, Figure 13",
        better("forgetting", ("el2n", "grand", "dynunc", "coreset"), ["spares"]),
    ),
    Claim(
        "B16",
        "Scores rarely improve the worst class over the original data, though they prune easy "
        "classes more",
        "Section 3",
        better("full", SCORES, over="each"),
        note="read as: the full data are better at each density",
    ),
    Claim(
        "B17",
        "EL2N that keeps 80 to 90 % improves the classes that did worst",
        "Section 2, citing Pote et al. (2023)",
        better("el2n", "full", within=(0.8, 0.9)),
    ),
    Claim(
        "B18",
        "Random pruning is a notoriously strong baseline when much is pruned",
        "Section 2",
        better("random", SCORES, ["average"], within=LOW),
        note="read as: a better average than every score at d up to 0.3",
    ),
]

DROP = [
    Claim(
        "D1",
        "Random+DRoP consistently has a better worst class than Random",
        "Section 4, Figure 5",
        better("random+drop", "random", over="each"),
    ),
    Claim(
        "D2",
        "Random+DRoP improves the worst class over the full data",
        "Abstract, Section 4, Figure 5",
        better("random+drop", "full", over="some"),
        rule="any",
        note="read as: at some density",
    ),
    Claim(
        "D3",
        "... and the other robustness metrics too",
        "Section 4, Figures 11 and 12",
        better("random+drop", "full", ["gap", "std"], over="some"),
        rule="any",
        note="read as: at some density",
    ),
    Claim(
        "D4",
        "Keeping half with Random+DRoP improves the worst class over the full data",
        "Section 4",
        better("random+drop", "full", within=(0.5, 0.5)),
        note="said of VGG-19 on CIFAR-100",
    ),
    Claim(
        "D5",
        "... at a price of less than 6 points of average accuracy",
        "Section 4",
        better("random+drop", "full", ["average"], within=(0.5, 0.5), margin=6),
    ),
    Claim(
        "D5a",
        "... which for VGG-19 on CIFAR-100 is 45.4 % in place of 35.8 %, 9.6 points",
        "Section 4",
        close("random+drop", "full", ["worst"], value=9.6, margin=2, at=[0.5]),
        only="cifar100",
        note="within 2 points",
    ),
    Claim(
        "D6",
        "Global random pruning has a slightly better average than Random+DRoP",
        "Section 4, Figure 5",
        better("random", "random+drop", ["average"]),
    ),
    Claim(
        "D7",
        "At low densities Random+DRoP has a better average than every other pruning method",
        "Section 4, Figure 5",
        better("random+drop", SCORES, ["average"], within=LOW),
    ),
    Claim(
        "D8",
        "All other protocols have their best worst class at high densities (80 to 90 %)",
        "Section 4, Figure 5",
        moves(("random", *STRATEGIES, *MIXED), (0.9,), 0.5),
        note="the paper says: arguably; tested as: better at d = 0.9 than at 0.5",
    ),
    Claim(
        "D9",
        "Random+DRoP goes on reducing the bias as more is pruned, down to d = 0.3 to 0.4",
        "Abstract, Section 4, Figure 5",
        moves("random+drop", (0.5, 0.3), 0.9, by=ALL[:2]),
        note="30 to 40 % is said of TinyImageNet; tested as: better at 0.5 and 0.3 than at 0.9",
    ),
    Claim(
        "D10",
        "Random+DRoP has a better worst class than every score",
        "Section 4, Figures 1 and 5",
        better("random+drop", SCORES),
    ),
    Claim(
        "D11",
        "Random+DRoP consistently beats all other protocols in gap and deviation of recalls",
        "Appendix D, Figure 11",
        better("random+drop", ("random", *STRATEGIES, *MIXED), ["gap", "std"], over="each"),
    ),
    Claim(
        "D12",
        "DRoP's quotas improve the strategies (Strategy+DRoP above Strategy)",
        "Section 4, Figure 5",
        each(*(better(f"{s}+drop", s) for s in ("grand", "forgetting", "el2n"))),
        note="the paper says: often, and names GraNd and Forgetting",
    ),
    Claim(
        "D13",
        "Chance inside a strategy's class sizes is better than the strategy "
        "(Random+StrategyQ above Strategy)",
        "Sections 3 and 4, Figure 5",
        each(*(better(f"random+{s}q", s) for s in ("grand", "forgetting", "el2n"))),
        note="the paper says: often, and names GraNd and Forgetting",
    ),
    Claim(
        "D13a",
        "... and fares similarly well as DRoP's quotas do (Random+StrategyQ beside Strategy+DRoP)",
        "Section 4, Figure 5",
        each(*(close(f"random+{s}q", f"{s}+drop", WORST, margin=5) for s in STRATEGIES)),
        note="tested as: within 5 points at every density",
    ),
    Claim(
        "D14",
        "Inside DRoP's quotas chance is better than cherry-picking (Random+DRoP above "
        "Strategy+DRoP)",
        "Section 4, Figure 5",
        better("random+drop", ("el2n+drop", "grand+drop", "forgetting+drop")),
    ),
    Claim(
        "D15",
        "DRoP's quotas are better than the strategy's (Random+DRoP above Random+StrategyQ)",
        "Section 4, Figure 5",
        better("random+drop", ("random+el2nq", "random+grandq", "random+forgettingq")),
    ),
    Claim(
        "D16",
        "DRoP produces exceptionally unbalanced sets unless the density is very low",
        "Section 4, Figure 6",
        better("random+drop", SCORES, ["uneven"], within=(0.3, 0.9)),
        note="tested as: a larger deviation of class densities than every score",
    ),
    Claim(
        "D17",
        "DRoP's correlation of class density and accuracy is more negative than any score's",
        "Section 4, Figures 6 and 13",
        better("random+drop", SCORES, ["spares"]),
    ),
    Claim(
        "D18",
        "DRoP is as good after ten query epochs as after more",
        "Appendix F, Figure 15",
        better(
            "random+drop",
            ("random+drop, query of 20 epochs", "random+drop, query of 40 epochs"),
            margin=2,
        ),
        note="tested as: a longer query gains less than 2 points",
    ),
    Claim(
        "D19",
        "... and a single epoch is not enough",
        "Appendix F, Figure 15",
        better("random+drop", "random+drop, query of 1 epoch"),
        note="not stated: read from Figure 15, in which the curves rise before they saturate",
    ),
    Claim(
        "D20",
        "... and the more is kept, the less a short query costs",
        "Appendix F, Figure 15",
        costs_more("random+drop", "random+drop, query of 1 epoch", 0.4, 0.8),
        note="tested on a query of one epoch, at d = 0.4 and 0.8",
    ),
]
