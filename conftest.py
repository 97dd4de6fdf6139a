"""What every test has, those of docstrings and pages too.

Loads what compares the pages, so that a plain ``pytest --nbval book`` does as `make test`.
"""

import pytest

pytest_plugins = ["tests.nbval_plugin"]


@pytest.fixture(autouse=True)
def registries():
    """What a test registers is gone after it."""
    from dropkit._common import own_quotas
    from dropkit.datasets import loading
    from dropkit.models import architectures, pretrained
    from dropkit.pruning import RULES
    from dropkit.scores import SCORES

    tables = [SCORES, RULES, own_quotas.QUOTAS, own_quotas.SCORES, loading._LOADERS]
    tables += [loading._VERSIONS, architectures._BUILDERS, pretrained.OWN]
    before = [table.copy() for table in tables]
    yield
    for table, rows in zip(tables, before, strict=True):
        if table != rows:
            table.clear()
            table.update(rows)
