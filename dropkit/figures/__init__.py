"""One house style, and one function a figure or table of the book."""

from typing import TYPE_CHECKING

from dropkit._common.faces import attach

if TYPE_CHECKING:
    from dropkit.figures.contrasts import forest as forest, strips as strips
    from dropkit.figures.curves import (
        against_density as against_density,
        pooled as pooled,
        sets_against_density as sets_against_density,
        tail_tradeoff as tail_tradeoff,
        tails_against_density as tails_against_density,
        tradeoff as tradeoff,
        tradeoffs as tradeoffs,
    )
    from dropkit.figures.names import BY_COUNTS as BY_COUNTS, name as name
    from dropkit.figures.panels import worst_panels as worst_panels
    from dropkit.figures.style import (
        COLOURS as COLOURS,
        STYLE as STYLE,
        canvas as canvas,
        legend as legend,
        look as look,
        words as words,
    )

__getattr__, __dir__, __all__ = attach(__name__, __file__)
