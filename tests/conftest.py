"""Settings shared by all tests."""

import gc
import os
import secrets
import warnings

import pytest
from hypothesis import settings

# Examples are bounded by their number: a deadline would fail tests on a busy machine. CI takes the
# same examples each time, so that it fails for the change at hand; elsewhere they are drawn anew.
settings.register_profile("dropkit", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("dropkit")

# Results must not depend on the cores; set before torch is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def ray():
    """Ray with a small cluster of this process, which the executor uses as it finds it."""
    # Not the token in the home of whoever runs the tests.
    os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # else a FutureWarning
    ray = pytest.importorskip("ray", reason="Ray is an extra: pip install 'dropkit[ray]'")
    for attempt in range(3):
        try:
            ray.init(
                "local",
                num_cpus=2,
                num_gpus=1,  # by name alone: what jobs are granted is seen without one
                object_store_memory=80 * 2**20,
                include_dashboard=False,
                log_to_driver=False,
                logging_level="ERROR",
            )
            break
        except Exception:  # on a busy machine it may not start within its half minute
            if attempt == 2:
                raise
        ray.shutdown()
        with warnings.catch_warnings(action="ignore", category=ResourceWarning):
            gc.collect()  # what was started says that it still runs
    yield ray
    ray.shutdown()


@pytest.fixture(params=["processes", "ray"])
def in_workers(request, monkeypatch):
    """The name of each executor that has workers, with two."""
    from dropkit import executors

    monkeypatch.setattr(executors, "cores", lambda: 2)
    if request.param == "ray":
        request.getfixturevalue("ray")
    return request.param
