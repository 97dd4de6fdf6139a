"""``dropkit quotas``: what each class would keep at several densities."""

import argparse

from dropkit.commands._data import (
    add_data_options,
    plain_warnings,
    print_table,
    progress,
    read,
    shown,
)

DESCRIPTION = """\
Print how many samples DRoP would keep of each class at one or several densities, and choose none.

example:
  dropkit quotas --labels y.csv:label --recalls recalls.npy --density 0.3 0.5 0.7
"""


def add(subparsers: argparse._SubParsersAction) -> None:
    """Register the command."""
    command = subparsers.add_parser(
        "quotas", help="print what each class would keep", description=DESCRIPTION
    )
    add_data_options(command)
    command.add_argument(
        "--density",
        type=float,
        nargs="+",
        required=True,
        metavar="D",
        help="fractions to keep, each 0 < D <= 1",
    )
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Print one column of counts a density."""
    from dropkit._common.checks import check_density
    from dropkit.pruning import class_table

    for density in options.density:
        check_density(density, zero=False)
    with progress() as bar, plain_warnings():
        data = read(options, bar)
        tables = [
            class_table(
                data.classes,
                data.sizes,
                data.recalls,
                density,
                smoothing=options.smoothing,
                val_sizes=data.val_sizes,
            )
            for density in options.density
        ]
    some = shown(data, options.rows)
    counts = [[str(count) for count in table.counts[some]] for table in tables]
    print_table(
        ["class", "size", "recall", *(f"kept at {density:g}" for density in options.density)],
        [
            [str(name) for name in data.classes[some]],
            [str(size) for size in data.sizes[some]],
            [f"{recall:.4f}" for recall in data.recalls[some]],
            *counts,
        ],
        hidden=data.classes.size - some.size,
    )
