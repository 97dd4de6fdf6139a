"""``python -m dropkit.commands``, where the command ``dropkit`` is not on the path."""

import sys

from dropkit.commands import main

sys.exit(main())
