"""What the book's notebooks call: parameters, glued numbers and tables."""

from typing import TYPE_CHECKING

from dropkit._common.faces import attach

if TYPE_CHECKING:
    from dropkit.notebook.parameter_checks import (
        ParameterError as ParameterError,
    )
    from dropkit.notebook.parameters import (
        declared as declared,
        glue as glue,
        settings as settings,
        table as table,
    )

__getattr__, __dir__, __all__ = attach(__name__, __file__)
