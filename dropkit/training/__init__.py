"""How networks are trained: recipes, and one engine for stacks of networks."""

from typing import TYPE_CHECKING

from dropkit._common.faces import attach

if TYPE_CHECKING:
    from dropkit.training.engine import predict as predict, stack_size as stack_size, train as train
    from dropkit.training.recipes import (
        DEFAULTS as DEFAULTS,
        DIGITS as DIGITS,
        Recipe as Recipe,
        defaults as defaults,
    )

__getattr__, __dir__, __all__ = attach(__name__, __file__)
