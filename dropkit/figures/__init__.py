"""One house style, and one function a figure or table of the book."""

from typing import TYPE_CHECKING

from dropkit._common.faces import attach

if TYPE_CHECKING:
    from dropkit.figures.curves import (
        BY_COUNTS as BY_COUNTS,
        COLOURS as COLOURS,
        METRICS as METRICS,
        STYLE as STYLE,
        Curves as Curves,
        against_density as against_density,
        canvas as canvas,
        legend as legend,
        look as look,
        name as name,
        pooled as pooled,
        tradeoff as tradeoff,
        tradeoffs as tradeoffs,
        words as words,
    )

__getattr__, __dir__, __all__ = attach(__name__, __file__)
