"""``dropkit quotas``: what each class would keep at several densities."""

import argparse

from dropkit.commands._data import (
    add_data_options,
    kept_of_each_class,
    print_classes,
    progress,
    read,
)
from dropkit.commands._output import plain_warnings

HELP = "print what each class would keep"
DESCRIPTION = """\
Print how many samples DRoP would keep of each class at one or several densities, and choose none.

example:
  dropkit quotas --labels y.csv:label --recalls recalls.npy --density 0.3 0.5 0.7
"""


def add_options(command: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    add_data_options(command)
    command.add_argument(
        "--density",
        type=float,
        nargs="+",
        required=True,
        metavar="D",
        help="fractions to keep, each 0 < D <= 1",
    )


def run(options: argparse.Namespace) -> None:
    """Print one column of counts a density."""
    from dropkit._common.checks import check_density

    for density in options.density:
        check_density(density, zero=False)
    with progress() as bar, plain_warnings():
        data = read(options, bar)
        counts = {
            f"kept at {density:g}": kept_of_each_class(data, options, density).counts
            for density in options.density
        }
    print_classes(data, options.rows, counts)
