"""Grids of trials: which are done, which are missing, and what runs those."""

from typing import TYPE_CHECKING

from dropkit._common.faces import attach

if TYPE_CHECKING:
    from dropkit.study.curves import (
        Curves as Curves,
        arrange as arrange,
        by_protocol as by_protocol,
    )
    from dropkit.study.measures import (
        COMPARED as COMPARED,
        MEASURES as MEASURES,
        between as between,
        compare as compare,
        contrast as contrast,
        difference as difference,
        gain as gain,
    )
    from dropkit.study.preparation import keep as keep, scores_of as scores_of
    from dropkit.study.runner import EXECUTORS as EXECUTORS, missing as missing, run as run
    from dropkit.study.trials import Trial as Trial, chosen as chosen, grid as grid

__getattr__, __dir__, __all__ = attach(__name__, __file__)
