"""How the executed pages are compared with a fresh run; loaded by ``-p tests.nbval_plugin``.

Texts, tables and glued numbers are compared exactly. Pictures are not: fonts and processors draw
them differently in ways that nobody sees.
"""

import os

from dropkit.pages import KERNEL_ENVIRONMENT


def pytest_configure() -> None:
    os.environ.update(KERNEL_ENVIRONMENT)


def pytest_collectstart(collector) -> None:
    if hasattr(collector, "skip_compare"):
        collector.skip_compare += ("image/svg+xml",)
