"""What the paper says about pruning a balanced set by a score: Sections 1 to 3."""

from dropkit.claims.class_comparisons import LosesAClass, SacrificesTheHard
from dropkit.claims.comparisons import WORST, Beaten, Better, LevelOf
from dropkit.claims.trials import SCORES
from dropkit.claims.verdicts import Claim

RIVALS = ("random", *SCORES)
LOW, HIGH = (0.0, 0.3), (0.4, 0.99)
ALL = (*WORST, "gap", "std")
NAMED = Better("el2n", "full", within=(0.8, 0.9))  # what Section 2 names of "several"

BIAS = [
    Claim("B0", "No method is uniformly the best",
          "Section 2, Figure 1", Beaten(RIVALS, "average"), rule="any",
          note="each has a worse average than another one at some density; the paper compares "
               "data sets too"),
    Claim("B1", "Pruning by a score leaves a worse worst class than training on all data",
          "Abstract, Section 2, Figure 1", Better("full", SCORES),
          note="the mean over densities of each score"),
    Claim("B1a", "... and larger disparities across classes",
          "Sections 2 and 5, Figure 10", Better("full", SCORES, ("gap", "std")),
          note="gap and deviation of recalls; the paper says: often"),
    Claim("B2", "Several scores improve ever so slightly over the full data",
          "Section 2, Figure 1", (Better(SCORES, "full", over="some"), NAMED), rule="any",
          note="read as: one score at one density; B17 implies it"),
    Claim("B3", "Dynamic Uncertainty has the best average accuracy",
          "Sections 1 and 2, Figures 1 and 10",
          Better("dynunc", ("random", "el2n", "grand", "forgetting", "coreset"), "average"),
          note="the paper says: arguably, of VGG-19 on CIFAR-100 and ResNet-50 on ImageNet"),
    Claim("B4", "... and yet it fails miserably in worst-class accuracy",
          "Sections 1 and 2, Figures 1 and 10",
          Better(("random", "full"), "dynunc", margin=-5),
          note="said of the same two; read as: more than 5 points behind Random and the full "
               "data"),
    Claim("B5", "... across all robustness metrics",
          "Section 2, Figure 10", Better("full", "dynunc", ALL),
          note="read as: worse than the full data in each"),
    Claim("B6", "Dynamic Uncertainty removes entire classes at 10 % of the data",
          "Section 2, Figure 2", LosesAClass("dynunc", 0.1),
          note="said of CIFAR-100 and its hundred classes; read as: in most seeds"),
    Claim("B7", "At low densities Dynamic Uncertainty prunes the harder classes more",
          "Section 2, Figures 2 and 13", LevelOf("dynunc", "starves", within=LOW),
          note="a positive correlation over classes"),
    Claim("B7a", "... and sacrifices them to retain strong performance on the easier ones",
          "Section 2", SacrificesTheHard("dynunc", "random", LOW),
          note="the paper says: it seems plausible; tested as: above Random in the easier half of "
               "the classes, below it in the harder"),
    Claim("B8", "... in contrast to the other scores, which prune the easier classes more",
          "Sections 2 and 3, Figure 13",
          LevelOf(("el2n", "grand", "forgetting", "coreset"), "spares", within=LOW)),
    Claim("B9", "EL2N and GraNd have a comparatively low bias",
          "Section 2, Figure 1",
          Better(("el2n", "grand"), ("dynunc", "coreset"), ALL, over="each"),
          note="read as: lower than that of Dynamic Uncertainty and CoreSet at each density, by "
               "worst class, gap and deviation"),
    Claim("B10", "... closely followed by Forgetting",
          "Section 2, Figure 1", Better("forgetting", ("dynunc", "coreset"), ALL, over="each"),
          note="read as B9"),
    Claim("B11", "Forgetting has a substantially better average than EL2N and GraNd",
          "Section 2, Figure 1", Better("forgetting", ("el2n", "grand"), "average"),
          note="read as: a better one, by however much"),
    Claim("B12", "Forgetting's average is above Random's while at least 40 % are kept",
          "Section 2, Figure 1", Better("forgetting", "random", "average", within=HIGH),
          note="said of CIFAR-100, in the words of the next line: it falls short only below"),
    Claim("B13", "... and falls short of it below",
          "Section 2, Figure 1", Better("random", "forgetting", "average", within=(0.0, 0.39))),
    Claim("B14",
          "At low densities Forgetting's sets are more balanced than those of EL2N and GraNd",
          "Section 2, Figure 14", Better("forgetting", ("el2n", "grand"), "even", within=LOW)),
    Claim("B15", "Forgetting prunes easier classes more aggressively than all other scores",
          "Section 2, Figure 13",
          Better("forgetting", ("el2n", "grand", "dynunc", "coreset"), "spares")),
    Claim("B16",
          "Scores rarely improve the worst class over the original data, though they prune easy "
          "classes more",
          "Section 3", Better("full", SCORES, over="each", margin=2),
          note="read as: a score at a density gains less than 2 points over the full data"),
    Claim("B17", "EL2N that keeps 80 to 90 % improves the classes that did worst",
          "Section 2, citing Pote et al. (2023)", NAMED,
          note="tested on the worst class"),
    Claim("B18", "Random pruning is a notoriously strong baseline when much is pruned",
          "Section 2", Better("random", SCORES, "average", within=LOW),
          note="read as: a better average than every score at d up to 0.3"),
    Claim("B19", "CoreSet methods are not too effective in practice",
          "Section 2, citing Feldman (2020) and Paul et al. (2021)",
          Better("random", "coreset", "average"), note="read as: a worse average than Random"),
]  # fmt: skip
