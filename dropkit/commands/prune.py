"""``dropkit prune``: which samples of one's own data to keep."""

import argparse
import sys
from typing import TYPE_CHECKING

from dropkit.commands import _data

if TYPE_CHECKING:
    import numpy as np

    from dropkit.pruning import Protocol

HELP = "choose which samples of a data set to keep"
DESCRIPTION = """\
Choose the samples to train on: at random, with more of the classes that are hard to predict
(Random+DRoP), or by scores of your own. Prints what each class keeps and writes the indices of the
samples, counted from 0 in the order of the labels.

example:
  dropkit prune --labels y.npy --predictions p.npy --density 0.5 --out kept.npy
  zcat t.csv.gz | dropkit prune --labels -:label --predictions -:guess --density 0.5 --out -
  dropkit prune --labels y.npy --scores el2n.npy --protocol el2n --density 0.5 --out kept.npy
"""


def add_options(command: argparse.ArgumentParser) -> None:
    _data.add_options(command, recalls=False)
    add = command.add_argument
    add("--density", type=float, required=True, metavar="D", help="fraction to keep, 0 < D <= 1")
    about = "where to write the indices kept; - is standard output, one a line"
    add("--out", required=True, metavar="FILE.npy", help=about)
    about = "scores of the training samples, such as dropkit scores writes: the highest are kept"
    add("--scores", metavar="FILE", help=about)
    about = "random+drop (default), or of scores S: S+drop (default with --scores), S, S+balance, "
    about += "random+Sq; for S any name, or a rule of selection by one, such as ccs:S"
    add("--protocol", metavar="P", help=about)
    about = "fewest samples that a class should keep (default: 1)"
    add("--minimum", type=int, default=1, metavar="N", help=about)
    about = "for a class under the minimum: warn, stop, or keep the minimum (default: warn)"
    add("--below", choices=["warn", "raise", "keep"], default="warn", help=about)
    add("--seed", type=int, default=0, help="of the random choice (default: 0)")


def run(options: argparse.Namespace) -> None:
    """Prune, print the table and write the indices."""
    from dropkit._common.checks import check_density
    from dropkit.commands._chunks import kept_at_random
    from dropkit.commands._columns import check_target, write_indices
    from dropkit.pruning import parse

    check_density(options.density, zero=False)
    protocol = options.protocol or ("scores+drop" if options.scores else "random+drop")
    plan = parse(protocol, scored=options.scores is not None)
    _check_needs(options, protocol, plan)
    named = ("labels", "predictions", "recalls", "val_labels", "groups", "val_groups", "scores")
    check_target(options.out, [getattr(options, name) for name in named])
    with _data.progress(options.quiet) as bar:
        data = _data.read(options, bar)
        densities, counts = {}, None
        if plan.quota == "drop":
            table = _data.kept_of_each_class(
                data, options, options.density, minimum=options.minimum, below=options.below
            )
            densities, counts = {"density": table.densities}, table.counts
        if counts is not None and plan.ranking == "random" and not plan.rule:
            kept = kept_at_random(data.labels, data.encode, data.sizes, counts, options.seed)
        else:
            chosen, counts = _ranked(data, options, protocol, plan, counts)
            kept = iter([chosen])
        write_indices(options.out, kept, int(counts.sum()))
    if options.quiet and not options.json:
        return
    file = sys.stderr if options.out == "-" else sys.stdout
    _data.print_classes(data, options, densities | {"kept": counts}, file)
    if not options.json:
        place = "standard output" if options.out == "-" else options.out
        print(f"{counts.sum():,} of {len(data.labels):,} samples kept in {place}", file=file)


def _check_needs(options: argparse.Namespace, protocol: str, plan: "Protocol") -> None:
    if plan.needs_scores != bool(options.scores):
        takes = "needs --scores" if plan.needs_scores else "takes no --scores"
        raise ValueError(f"the protocol {protocol!r} {takes}")
    if len(plan.strategies) > 1:
        raise ValueError(f"the protocol {protocol!r} needs several scores: use dropkit.prune")
    if plan.dynamic:
        raise ValueError(f"the protocol {protocol!r} selects during training: use dropkit run")
    if plan.needs_recalls and not (options.predictions or options.recalls):
        raise ValueError(f"the protocol {protocol!r} needs --predictions or --recalls")
    if plan.quota == "global" and options.below == "keep":
        raise ValueError(f"the protocol {protocol!r} sets no class counts: --below keep needs some")


def _ranked(
    data: _data.Data,
    options: argparse.Namespace,
    protocol: str,
    plan: "Protocol",
    counts: "np.ndarray | None",
) -> tuple["np.ndarray", "np.ndarray"]:
    """Return the indices kept by scores, of class counts unless the protocol sets them, and these.

    All of the labels are in memory.
    """
    import numpy as np

    from dropkit._common.checks import check_scores
    from dropkit._common.ranking import random_keys, top_in_class
    from dropkit.commands._columns import numbers
    from dropkit.pruning import RULES, held, prune

    codes = data.encode(data.labels[:])
    scores = numbers(options.scores) if options.scores else None
    if counts is not None:
        ranks = check_scores(scores, codes.size)
        if plan.rule:
            return RULES[plan.rule](ranks, codes, counts, random_keys(options.seed)), counts
        return top_in_class(ranks, codes, counts), counts
    least = options.minimum if options.below == "keep" else 0
    chosen = prune(
        protocol, codes, options.density, scores=scores, minimum=least, seed=options.seed
    )
    counts = np.bincount(codes[chosen], minlength=data.classes.size)
    held(data.classes, data.sizes, counts, options.density, options.minimum, options.below)
    return chosen, counts
