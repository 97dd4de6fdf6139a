"""Data sets as one pool of samples with three splits, by name."""

from typing import TYPE_CHECKING

from dropkit._common.faces import attach

if TYPE_CHECKING:
    from dropkit.datasets.data import Data as Data, Images as Images
    from dropkit.datasets.loading import (
        load as load,
        names as names,
        register as register,
        version as version,
    )
    from dropkit.datasets.long_tail import load_imbalanced as load_imbalanced

__getattr__, __dir__, __all__ = attach(__name__, __file__)
