"""For pytest's ``-p``: nbval's kernels are forked, as those that make the book are.

The pages take half of the time that they take otherwise; ``pytest --nbval book`` does without.
"""

import os
from collections.abc import Callable
from functools import wraps
from typing import Any
from unittest import mock

import pytest
from jupyter_client.provisioning import KernelProvisionerFactory
from nbval import kernel

from book._ext import kernels


def pytest_configure(config: pytest.Config) -> None:
    kernel.start_new_kernel = _forked(kernel.start_new_kernel)


def _forked(start: Callable[..., Any]) -> Callable[..., Any]:
    """Return `start` for kernels that are forked; other tests' kernels start as always."""

    @wraps(start)
    def started(*arguments: Any, **named: Any) -> Any:
        factory = KernelProvisionerFactory.instance()
        usual = factory.default_provisioner_name
        with mock.patch.dict(os.environ):
            kernels.use(reading=True)
            try:
                return start(*arguments, **named)
            finally:
                factory.default_provisioner_name = usual

    return started
