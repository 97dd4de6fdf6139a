"""The subcommands of ``python -m dropkit``, one module each.

A module has ``add(subparsers)``, which adds its parser and sets ``run``, a function of the parsed
options that returns the exit status or None for 0. It imports at its top only what is quick, so
that ``--help`` and completion answer at once, and raises ValueError or OSError with one sentence
for what the user can mend: `dropkit.__main__` prints it and exits with 2.
"""
