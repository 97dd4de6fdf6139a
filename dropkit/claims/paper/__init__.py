"""Every statement that is checked, by section: of the paper, of ours, and of summaries."""

from dropkit.claims.paper.algorithm import ALGORITHM
from dropkit.claims.paper.beyond import COST, GROUPS, LATER, OURS, TAIL
from dropkit.claims.paper.bias import BIAS
from dropkit.claims.paper.drop import DROP
from dropkit.claims.paper.pruned_mixture import MIXTURE
from dropkit.claims.paper.summaries import NOTES
from dropkit.claims.paper.theory import THEORY
from dropkit.claims.verdicts import Claim

SECTIONS: dict[str, list[Claim]] = {
    "What pruning by score does": BIAS,
    "Two Gaussians, and the algorithm": [*THEORY, *MIXTURE, *ALGORITHM],
    "What DRoP does": DROP,
    "Against a weighted loss": COST,
    "Long tails": TAIL,
    "Groups": [*GROUPS, *LATER],
    "What the paper leaves open": OURS,
    "What summaries of the paper say": NOTES,
}
CLAIMS = [claim for section in SECTIONS.values() for claim in section]
# True of every mixture or quota by algebra, whatever is trained.
IDENTITIES = frozenset(
    ("T3", "T4", "T4a", "T4b", "T4c", "T5", "T6", "T6a", "T6b", "T7", "T10a", "T19", "T21", "T21b")
)


def scored(claim: Claim) -> bool:
    """Whether a claim counts in the headline: what the paper says and could be otherwise."""
    return claim.source == "paper" and claim.key not in IDENTITIES
