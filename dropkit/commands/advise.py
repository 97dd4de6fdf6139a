"""``dropkit advise``: whether to prune one's own data, and how."""

import argparse

from dropkit.commands import _output

HELP = "say whether pruning, balancing or class weights help"
DESCRIPTION = """\
Train a classifier on the full data, with class weights, and on data that are pruned at random,
balanced, or pruned by DRoP; compare average accuracy and worst class on the same folds, and say in
a sentence what to do.

example:
  dropkit advise train.csv:label --density 0.3 0.5
  dropkit advise labels.npy --features vectors.npy --estimator forest --json
"""


def add_options(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    about = "labels; the other columns of the table that are numbers are the features"
    add("data", metavar="FILE", help=about)
    add("--features", metavar="FILE.npy", help="(n, d) features, in place of other columns")
    about = "fractions to keep (default: 0.3 0.5 0.7)"
    add("--density", type=float, nargs="+", default=[0.3, 0.5, 0.7], metavar="D", help=about)
    about = "logistic regression, on scaled features, or a random forest (default: logistic)"
    add("--estimator", choices=["logistic", "forest"], default="logistic", help=about)
    add("--repeats", type=int, default=2, metavar="N", help="of five folds (default: 2)")
    add("--seed", type=int, default=0, help="of folds and choices (default: 0)")
    _output.add_options(command)


def run(options: argparse.Namespace) -> None:
    """Print the table and the verdict."""
    import json

    from sklearn.ensemble import RandomForestClassifier

    from dropkit.commands._columns import array, column, features
    from dropkit.commands._output import print_rows
    from dropkit.sampler.advice import advise

    labels = column(options.data)[:]
    X = array(options.features) if options.features else features(options.data)
    forest = RandomForestClassifier(random_state=options.seed)
    found = advise(
        X,
        labels,
        forest if options.estimator == "forest" else None,
        densities=options.density,
        repeats=options.repeats,
        seed=options.seed,
    )
    if options.json:
        rows = [row._asdict() for row in found.table]
        print(json.dumps({"verdict": found.verdict, "table": rows}))
        return
    heads = ("method", "density", "average", "worst class", "against the full data's")
    cells = [
        (row.method, f"{row.density:g}", *map(_percent, (row.average, row.worst, row.gain)))
        for row in found.table
    ]
    print_rows([heads, *cells])
    print(found.verdict)


def _percent(triple: tuple[float, float, float]) -> str:
    value, low, high = (100 * each for each in triple)
    return f"{value:.1f} [{low:.1f}, {high:.1f}]"
