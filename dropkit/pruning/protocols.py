"""A protocol's name, parsed. The names are the paper's, and those added later in their grammar.

With S a score, and R what selects: "random", a score S, whose highest are kept, a rule by its name,
or "rule:S" for a rule by another score than its own:

    full            keep everything
    R               one cut through the whole data set
    R+drop          class counts by DRoP, R inside each class
    R+dynamicdrop   the same, with recalls measured anew during training (experimental)
    R+dynamicproportional  the control: drawn anew as often, without recalls
    infobatch, rcap  drawn anew after every epoch, by the losses of the moment
    R+balance       equal class counts as far as the classes reach
    R+proportional  the same density of every class
    R+Sq            class counts that S's global cut induces
    R+NAME          class counts by a rule that `dropkit.quotas.register` knows
    R+hardness:S    class counts in proportion to the classes' mean S
    P+cdbw          P, and the final model trains with the CDB-W loss
    cdbw+P          P, from a query model trained with the CDB-W loss
"""

import reprlib
from dataclasses import dataclass

from dropkit._common.own_quotas import QUOTAS as OWN
from dropkit.pruning.by_losses import BY_LOSSES
from dropkit.pruning.rules import RULES
from dropkit.scores.registry import RESERVED, SCORES, names as score_names

SMOOTHED = " (smoothed)"  # ends the label of a protocol whose quotas are smoothed
HARDNESS = "hardness:"  # begins a quota by the classes' mean score
DYNAMIC = ("dynamicdrop", "dynamicproportional")
QUOTAS = ("global", "drop", "balance", "proportional", *DYNAMIC)  # those that need no scores


def strategies() -> frozenset[str]:
    """Return the names that S may stand for: "random" and every registered score."""
    return frozenset({"random"}) | score_names()


@dataclass(frozen=True)
class Protocol:
    """What a protocol's name says: how to rank, how to share out, which losses to train with.

    Parameters
    ----------
    ranking : str
        A strategy, or "full".
    quota : str
        "global" (one cut through all classes), "drop", "balance", "proportional", one that is set
        anew during training, "dynamicdrop", "dynamicproportional", "infobatch" or "rcap", the
        strategy whose global cut sets the class counts, "hardness:" and the strategy whose class
        means do, or a quota of one's own.
    query_loss, loss : {"ce", "cdbw"}
        Of the query model and of the final model.
    rule : str
        Which rule selects by the ranking; "" keeps the highest.
    """

    ranking: str
    quota: str = "global"
    query_loss: str = "ce"
    loss: str = "ce"
    rule: str = ""

    @property
    def strategies(self) -> tuple[str, ...]:
        """The strategies whose scores the protocol needs: its rule's, then its quota's."""
        others = RULES[self.rule].scores or () if self.rule else ()
        quota = (
            ()
            if self.quota in {*QUOTAS, *BY_LOSSES, *OWN}
            else (self.quota.removeprefix(HARDNESS),)
        )
        found = dict.fromkeys((self.ranking, *others[1:], *quota))
        return tuple(name for name in found if name not in ("full", "random"))

    @property
    def needs_scores(self) -> bool:
        """Whether `prune` needs scores."""
        return bool(self.strategies)

    @property
    def needs_recalls(self) -> bool:
        """Whether `prune` needs validation recalls."""
        needs = self.quota in OWN and OWN[self.quota].needs
        return self.quota in ("drop", "dynamicdrop") or bool(needs)

    @property
    def dynamic(self) -> bool:
        """Whether the quotas change during training."""
        return self.quota in DYNAMIC or self.by_losses

    @property
    def by_losses(self) -> bool:
        """Whether samples are selected by the losses of the moment."""
        return self.quota in BY_LOSSES


def parse(protocol: str, *, scored: bool = False) -> Protocol:
    """Return what a protocol's name means.

    Parameters
    ----------
    protocol : str
        A name of the paper's grammar, which the head of this module lists.
    scored : bool
        Whether scores are at hand, and S may be any name.

    Raises
    ------
    ValueError
        For any other name; the sentence lists the valid forms.

    Examples
    --------
    >>> parse("random+el2nq")
    Protocol(ranking='random', quota='el2n', query_loss='ce', loss='ce', rule='')
    >>> parse("ccs:el2n+drop").rule
    'ccs'
    """
    if not isinstance(protocol, str):
        raise TypeError(
            f"protocol is {reprlib.repr(protocol)}: it must be a name such as 'random+drop'"
        )
    query_loss = "cdbw" if protocol.startswith("cdbw+") else "ce"
    loss = "cdbw" if protocol.endswith("+cdbw") else "ce"
    if protocol in BY_LOSSES:
        return Protocol("random", protocol)
    base = protocol.removeprefix("cdbw+").removesuffix("+cdbw")
    first, plus, second = base.partition("+")
    known = score_names()
    if scored:
        words = {part for word in base.replace(":", "+").split("+") for part in (word, word[:-1])}
        known |= {word for word in words if word.isidentifier()} - {*RESERVED, *RULES}
    ranking, rule = ("full", "") if base == "full" else _selecting(first, known)
    quota = _quota(second, known) if plus else "global"
    # S+Sq would name S's global cut twice.
    if ranking and quota and quota != first:
        parsed = Protocol(ranking, quota, query_loss, loss, rule)
        # A query loss without a query model would name one protocol twice.
        if query_loss == "ce" or parsed.needs_scores or parsed.needs_recalls:
            return parsed
    raise ValueError(
        f"protocol {protocol!r} is not known: use full, infobatch, rcap, S, S+drop, S+balance, S+"
        "proportional, S+dynamicdrop, S+dynamicproportional, random+Sq or random+hardness:S, S of "
        f"{', '.join(sorted(strategies()))} (for Sq and hardness:S any but random), with a rule of "
        f"{', '.join(sorted(RULES))} or rule:S in place "
        "of S or random before the +, followed by +cdbw to train with that loss, or after cdbw+ to "
        "score with a query model trained by it"
    )


def version(protocol: str) -> str:
    """Return what tells apart what users registered of a protocol; "" where nothing is theirs.

    Parameters
    ----------
    protocol : str
        A name that `parse` knows.
    """
    plan = parse(protocol)
    found = [SCORES[name].version() for name in plan.strategies]
    found += [RULES[plan.rule].version()] if plan.rule else []
    found += [f"quota.{OWN[plan.quota].version()}"] if plan.quota in OWN else []
    return "+".join(filter(None, found))


def _selecting(name: str, known: frozenset[str]) -> tuple[str, str]:
    """The ranking and the rule that the part before the + names, "" for what is not known."""
    if name == "random" or name in known:
        return name, ""
    rule, colon, score = name.partition(":")
    if rule not in RULES or (colon and (score not in known or RULES[rule].scores == ())):
        return "", ""
    own = RULES[rule].scores
    if own is None and not colon:
        return "", ""
    return score or (own[0] if own else "random"), rule


def _quota(name: str, known: frozenset[str]) -> str:
    """The quota that the part after the + names, "" for what is not known."""
    induced = name.removesuffix("q")
    if (
        name in QUOTAS[1:]
        or name in OWN
        or name.removeprefix(HARDNESS) in known
        and HARDNESS in name
    ):
        return name
    return induced if induced != name and induced in known else ""
