"""Protocols and labels as the paper writes them."""

from dropkit import pruning
from dropkit.pruning import SMOOTHED

NAMES = {
    "full": "Full data",
    "random": "Random",
    "el2n": "EL2N",
    "grand": "GraNd",
    "forgetting": "Forgetting",
    "dynunc": "Dynamic Uncertainty",
    "coreset": "CoreSet",
    "ssp": "SSP",
    "aum": "AUM",
    "dual": "DUAL",
    "supproto": "Prototypes",
    "selfproto": "k-means prototypes",
    "ccs": "CCS",
    "stratified": "Strata",
    "moderate": "Moderate",
    "median": "Median",
    "easy": "Easy",
    "beta": "DUAL with Beta",
    "mixture": "Mixture",
    "infobatch": "InfoBatch",
    "rcap": "RCAP",
}
QUOTAS = {
    "drop": "DRoP",
    "dynamicdrop": "dynamic DRoP",
    "dynamicproportional": "drawn anew",
    "balance": "balanced",
    "proportional": "proportional",
    "cdbw": "CDB-W",
}
BY_COUNTS = "random+drop, by counts"  # the label of DRoP's quotas read as class counts


def name(protocol: str) -> str:
    """Return a protocol or label as the paper writes it: "random+drop" is "Random+DRoP".

    Parameters
    ----------
    protocol : str
        As ``pruning.parse`` takes it, or a label of ``study.by_protocol``.
    """
    protocol, comma, note = protocol.partition(", ")
    base, smoothed = protocol.removesuffix(SMOOTHED), protocol.endswith(SMOOTHED)
    parts = []
    for part in base.split("+"):
        strategy, (rule, colon, score) = part.removesuffix("q"), part.partition(":")
        if part in QUOTAS:
            parts.append(QUOTAS[part])
        elif colon:  # a rule or quota by a score
            parts.append(f"{NAMES.get(rule, rule)}({NAMES.get(score, score)})")
        elif part != strategy and strategy in pruning.strategies():
            parts.append(NAMES.get(strategy, strategy) + "Q")
        else:
            parts.append(NAMES.get(part, part))
    return "+".join(parts) + SMOOTHED * smoothed + comma + note
