"""``dropkit quotas``: what each class would keep at several densities."""

import argparse

from dropkit.commands import _data

HELP = "print what each class would keep"
DESCRIPTION = """\
Print how many samples DRoP would keep of each class at one or several densities, and choose none.

example:
  dropkit quotas --labels y.csv:label --recalls table.csv:class:recall --density 0.3 0.5 0.7
"""


def add_options(command: argparse.ArgumentParser) -> None:
    _data.add_options(command)
    about = "fractions to keep, each 0 < D <= 1"
    command.add_argument("--density", type=float, nargs="+", required=True, metavar="D", help=about)


def run(options: argparse.Namespace) -> None:
    """Print one column of counts a density."""
    from dropkit._common.checks import check_density

    for density in options.density:
        check_density(density, zero=False)
    with _data.progress(options.quiet) as bar:
        data = _data.read(options, bar)
        counts = {
            f"kept at {density:g}": _data.kept_of_each_class(data, options, density).counts
            for density in options.density
        }
    _data.print_classes(data, options, counts)
