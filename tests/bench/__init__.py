"""What the project promises about speed and memory: ``python -m tests.bench [topic ...]``."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple


class Row(NamedTuple):
    """One measurement beside its target."""

    what: str
    value: float
    unit: str
    target: str
    met: bool


@contextmanager
def one_thread() -> Iterator[None]:
    """PyTorch on one thread, and then on as many as before."""
    import torch  # here, for most topics do without

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
