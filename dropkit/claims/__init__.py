"""What the paper states, and whether stored records bear it out."""

from typing import TYPE_CHECKING

from dropkit._common.faces import attach

if TYPE_CHECKING:
    from dropkit.claims.statements import (
        CLAIMS as CLAIMS,
        COMPARISON as COMPARISON,
        POINTS as POINTS,
        SECTIONS as SECTIONS,
        compare as compare,
        comparison_rows as comparison_rows,
        marks as marks,
        points as points,
        signed as signed,
        verdict as verdict,
    )
    from dropkit.claims.verdicts import (
        Claim as Claim,
        Effect as Effect,
        Verdict as Verdict,
    )
    from dropkit.study.curves import (
        arrange as arrange,
    )

__getattr__, __dir__, __all__ = attach(__name__, __file__)
