"""What the project promises about speed and memory: ``python -m tests.bench [topic ...]``."""

from typing import NamedTuple


class Row(NamedTuple):
    """One measurement beside its target."""

    what: str
    value: float
    unit: str
    target: str
    met: bool
