"""Read the records that all pages read, in the process that the pages' kernels are forked from."""

import gc
import warnings
from contextlib import suppress

from dropkit._common.errors import UserError
from dropkit.notebook.larger_scales import FOLDER
from dropkit.store import records
from dropkit.store.folder import Store

records.remember()
with warnings.catch_warnings(), suppress(OSError, UserError):
    warnings.simplefilter("ignore")  # each page says itself what is wrong with a store
    Store(also=[FOLDER])
gc.freeze()  # a search for garbage would copy all this into each kernel
