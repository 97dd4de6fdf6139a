"""Settings shared by all tests."""

import os

from hypothesis import settings

# Examples are bounded by their number: a deadline would fail tests on a busy machine. CI takes the
# same examples each time, so that it fails for the change at hand; elsewhere they are drawn anew.
settings.register_profile("dropkit", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("dropkit")

# Results must not depend on the cores; set before torch is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")
