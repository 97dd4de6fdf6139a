"""Settings shared by all tests."""

import gc
import os
import secrets
import warnings
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import providers

# Examples are bounded by their number: limits of time would fail tests on a busy machine. They are
# the same each time, so that a run fails for the change at hand: --hypothesis-profile=anew draws
# others.
PATIENT = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("dropkit", derandomize=True, **PATIENT)
settings.register_profile("anew", derandomize=False, **PATIENT)
settings.load_profile("dropkit")
# Else one draw in twenty is a number from the source of whichever modules are loaded by then.
providers._get_local_constants = providers.Constants

# Results must not depend on the cores; set before torch is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# What starts browsers, kernels or workers, installs the package, or trains images: `make quick`
# leaves it out. Folders, and files by their folder and name.
SLOW = {
    "book",
    "project/test_package.py",
    "project/test_public_names.py",
    "claims/test_verdicts.py",
    "datasets/test_waterbirds.py",
    "figures/test_explorers.py",
    "figures/test_quota_explorer.py",
    "figures/test_results_explorer.py",
    "models/test_architectures.py",
    "notebook/test_records.py",
    "scores/test_register.py",
    "store/test_faults.py",
    "study/test_distributed.py",
    "study/test_executors.py",
    "study/test_own_code.py",
    "study/test_query_models.py",
    "study/test_runner.py",
    "training/test_engine.py",
    "training/test_graphs.py",
}


def pytest_collection_modifyitems(items):
    """Mark what is slow."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            place = item.path.relative_to(here)
            if {str(place), place.parts[0]} & SLOW:
                item.add_marker("slow")


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
    from dropkit._common import machine

    monkeypatch.setattr(machine, "cores", lambda: 2)
    if request.param == "ray":
        request.getfixturevalue("ray")
    return request.param


@pytest.fixture
def calls(monkeypatch):
    """The seeds of each call of `training.train`, a list a call."""
    from dropkit.training import engine

    seen = []
    train = engine.train

    def counted(*args, seeds, **kwargs):
        seen.append(list(seeds))
        return train(*args, seeds=seeds, **kwargs)

    monkeypatch.setattr(engine, "train", counted)
    return seen
