"""``dropkit prune``: which samples of one's own data to keep."""

import argparse
import sys

from dropkit.commands import _data

HELP = "choose which samples of a data set to keep"
DESCRIPTION = """\
Choose the samples to train on: at random, with more of the classes that are hard to predict
(Random+DRoP). Prints what each class keeps and writes the indices of the samples, counted from 0
in the order of the labels.

example:
  dropkit prune --labels y.npy --predictions p.npy --density 0.5 --out kept.npy
  zcat t.csv.gz | dropkit prune --labels -:label --predictions -:guess --density 0.5 --out -
"""


def add_options(command: argparse.ArgumentParser) -> None:
    _data.add_options(command)
    add = command.add_argument
    add("--density", type=float, required=True, metavar="D", help="fraction to keep, 0 < D <= 1")
    about = "where to write the indices kept; - is standard output, one a line"
    add("--out", required=True, metavar="FILE.npy", help=about)
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

    check_density(options.density, zero=False)
    inputs = [options.labels, options.predictions, options.recalls, options.val_labels]
    check_target(options.out, inputs)
    with _data.progress() as bar:
        data = _data.read(options, bar)
        table = _data.kept_of_each_class(
            data, options, options.density, minimum=options.minimum, below=options.below
        )
        kept = kept_at_random(data.labels, data.encode, data.sizes, table.counts, options.seed)
        write_indices(options.out, kept, int(table.counts.sum()))
    file = sys.stderr if options.out == "-" else sys.stdout
    _data.print_classes(data, options, {"density": table.densities, "kept": table.counts}, file)
    if not options.json:
        place = "standard output" if options.out == "-" else options.out
        kept_in = f"{table.counts.sum():,} of {len(data.labels):,} samples kept in {place}"
        print(kept_in, file=file)
