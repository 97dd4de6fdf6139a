"""What the paper states, and whether stored records bear it out."""

from typing import TYPE_CHECKING

from dropkit._common.faces import attach

if TYPE_CHECKING:
    from dropkit.claims.page import shown as shown
    from dropkit.claims.paper import CLAIMS as CLAIMS, SECTIONS as SECTIONS
    from dropkit.claims.verdicts import Claim as Claim, Effect as Effect, Verdict as Verdict

__getattr__, __dir__, __all__ = attach(__name__, __file__)
