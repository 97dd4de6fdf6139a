"""DRoP for scikit-learn and imbalanced-learn."""

from typing import TYPE_CHECKING

from dropkit._common.faces import attach

if TYPE_CHECKING:
    from dropkit.sampler.classifier import DRoPClassifier as DRoPClassifier
    from dropkit.sampler.under_sampler import DRoPSampler as DRoPSampler

__getattr__, __dir__, __all__ = attach(__name__, __file__)
