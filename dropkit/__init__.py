"""Class-robust data pruning: the code behind the companion to "DRoP: Distributionally Robust Data
Pruning" (Vysogorets, Ahuja and Kempe, ICLR 2025)."""

from typing import TYPE_CHECKING

from dropkit._common.faces import attach

if TYPE_CHECKING:
    from dropkit import (
        claims as claims,
        datasets as datasets,
        figures as figures,
        metrics as metrics,
        models as models,
        notebook as notebook,
        pruning as pruning,
        quotas as quotas,
        sampler as sampler,
        scores as scores,
        store as store,
        study as study,
        theory as theory,
        training as training,
    )
    from dropkit.pruning import prune as prune
    from dropkit.sampler.advice import Advice as Advice, advise as advise
    from dropkit.sampler.classifier import DRoPClassifier as DRoPClassifier
    from dropkit.sampler.keeping import Kept as Kept, keep as keep
    from dropkit.sampler.under_sampler import DRoPSampler as DRoPSampler

__version__ = "0.2.0"
__getattr__, __dir__, __all__ = attach(__name__, __file__)
