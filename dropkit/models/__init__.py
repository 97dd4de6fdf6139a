"""The architectures of Table 1 and the small ones, by name."""

from typing import TYPE_CHECKING

from dropkit._common.faces import attach

if TYPE_CHECKING:
    from dropkit.models.architectures import (
        build as build,
        initialise as initialise,
        names as names,
        register as register,
    )
    from dropkit.models.pretrained import (
        PRETRAINED as PRETRAINED,
        version as version,
    )

__getattr__, __dir__, __all__ = attach(__name__, __file__)
