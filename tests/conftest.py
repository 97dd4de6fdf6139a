"""Settings shared by all tests."""

import os

from hypothesis import settings

# Examples are bounded by their number: a deadline would fail tests on a busy machine.
settings.register_profile("dropkit", deadline=None)
settings.load_profile("dropkit")

# Results must not depend on the cores; set before torch is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")
