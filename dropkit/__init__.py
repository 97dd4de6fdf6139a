"""Class-robust data pruning: the code behind the companion to "DRoP: Distributionally Robust Data
Pruning" (Vysogorets, Ahuja and Kempe, ICLR 2025)."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dropkit.pruning import prune as prune
    from dropkit.sampler import DRoPSampler as DRoPSampler

__version__ = "0.1.0"

_HOMES = {"prune": "dropkit.pruning", "DRoPSampler": "dropkit.sampler"}


def __getattr__(name: str) -> Any:
    # On first use: the command line's --help needs no NumPy, and the core no scikit-learn.
    if name not in _HOMES:
        raise AttributeError(f"module 'dropkit' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
