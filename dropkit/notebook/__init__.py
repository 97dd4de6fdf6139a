"""What the book's notebooks call: parameters, glued numbers and tables."""

from typing import TYPE_CHECKING

from dropkit._common.faces import attach

if TYPE_CHECKING:
    from dropkit.notebook.answers import (
        moves as moves,
        percent as percent,
        percents as percents,
        standing as standing,
    )
    from dropkit.notebook.chapters import chapter as chapter
    from dropkit.notebook.parameter_checks import ParameterError as ParameterError
    from dropkit.notebook.parameters import declared as declared, settings as settings
    from dropkit.notebook.shown import glue as glue, glue_all as glue_all, table as table

__getattr__, __dir__, __all__ = attach(__name__, __file__)
