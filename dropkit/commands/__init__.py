"""The command line, installed as ``dropkit``: one module a subcommand.

A module has ``HELP`` and ``DESCRIPTION``, ``add_options(command)`` for its parser, and
``run(options)``, which returns the exit status or None for 0. It imports at its top only what is
quick, so that ``--help`` and completion answer at once, and raises ValueError or OSError with one
sentence for what the user can mend: `main` prints it and exits with 2.
"""

import argparse
import importlib
import io
import os
import sys
from collections.abc import Sequence

from dropkit import __version__
from dropkit._common import own_code
from dropkit._common.errors import MissingExtra, needed_by
from dropkit._common.text import printable
from dropkit.commands._output import plain_warnings

# Modules of dropkit.commands, in the order in which --help lists them.
COMMANDS = ("advise", "prune", "quotas", "scores", "features", "estimate", "run", "store")


def parser() -> argparse.ArgumentParser:
    """Return the parser with every subcommand."""
    root = argparse.ArgumentParser(
        "dropkit",
        description="Prune training data without giving up the worst classes (DRoP).",
        epilog="Shell completion: pip install shtab, then put what 'shtab --shell bash "
        "dropkit.commands.parser' prints where your shell looks (or zsh, fish, tcsh, powershell).",
    )
    root.add_argument("--version", action="version", version=f"dropkit {__version__}")
    subparsers = root.add_subparsers(
        title="commands", dest="command", metavar="COMMAND", required=True
    )
    for name in COMMANDS:
        module = importlib.import_module(f"dropkit.commands.{name}")
        command = subparsers.add_parser(
            name,
            help=module.HELP,
            description=module.DESCRIPTION,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_options(command)
        command.set_defaults(run=module.run)
    return root


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0; 2 for what the user can mend, in one sentence; 130 when interrupted."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # names that the terminal lacks end no run
            stream.reconfigure(errors="backslashreplace")
    words = list(sys.argv[1:] if arguments is None else arguments)
    for place in reversed(range(1, len(words))):
        if words[place].startswith("-:"):  # a column of standard input, not an option
            words[place - 1 : place + 1] = [f"{words[place - 1]}={words[place]}"]
    options = parser().parse_args(words)
    if options.quiet:
        os.environ["TQDM_DISABLE"] = "1"  # which tqdm reads when it is imported
    try:
        with needed_by(f"dropkit {options.command}"), plain_warnings():
            if files := getattr(options, "files", None):
                own_code.declare(files)
            return options.run(options) or 0
    except BrokenPipeError:  # the reader of our output, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (ValueError, OSError, MemoryError, MissingExtra) as error:
        print(f"dropkit: error: {printable(_sentence(error))}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("dropkit: interrupted", file=sys.stderr)
        return 130


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return str(error)
