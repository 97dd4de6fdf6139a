"""What the paper says about DRoP on balanced sets: Section 4, Appendices D and F."""

from dropkit.claims.class_comparisons import keeps_the_hardest
from dropkit.claims.comparisons import WORST, better, close, costs_more, each, moves, trades_better
from dropkit.claims.paper.bias import LOW, RIVALS, SCORES
from dropkit.claims.verdicts import Claim

STRATEGIES = ("el2n", "grand", "forgetting")
MIXED = [f"{s}+drop" for s in STRATEGIES] + [f"random+{s}q" for s in STRATEGIES]  # Figure 5

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
        moves("random+drop", (0.5, 0.3), 0.9),
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
        "D12a",
        "... and trace a better trade-off of average and worst class",
        "Section 4, Figure 5",
        each(*(trades_better(f"{s}+drop", s) for s in ("grand", "forgetting", "el2n"))),
        note="the paper says: often, much better; a better worst class at equal average",
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
        "D13b",
        "... and improves the average as well",
        "Section 4, citing Ayed and Hayou (2023)",
        each(*(better(f"random+{s}q", s, ["average"]) for s in STRATEGIES)),
        note="said of methods that mix random samples into scored ones; tested on "
        "Random+StrategyQ above Strategy",
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
        "D16a",
        "... and leaves the more difficult classes intact",
        "Section 4, Figure 6",
        keeps_the_hardest("random+drop", (0.3, 0.9)),
        note="tested on the class of least full-data accuracy, in most seeds at each density",
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
    Claim(
        "D21",
        "Random+DRoP traces the best trade-off of average and worst class among all pruning "
        "algorithms and related baselines",
        "Section 5",
        trades_better("random+drop", (*RIVALS, *MIXED, "el2n+cdbw", "cdbw+el2n")),
        note="tested as: a better worst class at equal average than each of them; CDB-W on the "
        "full data is one point and no line, see C2 and C7",
    ),
]
