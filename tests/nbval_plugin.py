"""How the executed pages are compared with a fresh run; loaded by the repository's `conftest.py`.

Texts, tables and glued numbers are compared exactly. Pictures are not: fonts and processors draw
them differently in ways that nobody sees.
"""

import os

import pytest
from nbval import kernel

from book._ext.kernels import ENVIRONMENT, PATIENCE, despite_taken_ports


def pytest_configure(config: pytest.Config) -> None:
    os.environ.update(ENVIRONMENT)
    kernel.start_new_kernel = despite_taken_ports(kernel.start_new_kernel)
    config.option.nbval_kernel_startup_timeout = PATIENCE
    config.option.nbval_cell_timeout = 24 * 3600  # CI has limits of its own


def pytest_itemcollected(item: pytest.Item) -> None:
    if hasattr(item, "output_timeout"):
        item.output_timeout = PATIENCE


def pytest_collectstart(collector) -> None:
    if hasattr(collector, "skip_compare"):
        collector.skip_compare += ("image/svg+xml",)
