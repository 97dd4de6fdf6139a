"""The names that users import: each is there, and says in one sentence what it needs and lacks."""

import importlib
import json
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import dropkit
from dropkit._common.errors import EXTRAS

ROOT = Path(__file__).parents[2]

# What a release may not take away: first what needs NumPy and SciPy alone.
METHOD = """
dropkit: keep prune quotas pruning metrics scores theory sampler datasets models training study
dropkit: store figures claims notebook
dropkit.quotas: drop_densities strategy_densities variance_densities class_counts at_least
dropkit.pruning: prune parse class_table
dropkit.metrics: class_recalls group_recalls bias worst paired_difference
dropkit.scores: el2n grand forgetting dynamic_uncertainty k_center ssp register
dropkit.theory: GaussianMixture
dropkit.theory.samples: sample fitted_thresholds
dropkit.theory.limits: limit_threshold risk_ratios
dropkit.datasets: load register Data Images
dropkit.training: Recipe DEFAULTS
dropkit.study: Trial grid
dropkit.store: Store key
dropkit.store.merging: merge
dropkit.store.tidy_table: to_csv
dropkit.figures.tables: number
dropkit.commands: main
"""
SAMPLER = """
dropkit: DRoPSampler DRoPClassifier advise
dropkit.sampler: DRoPSampler
"""
TRAIN = """
dropkit.sampler.pytorch: labels_of measure pruned sample_weights DRoPSubsetSampler
dropkit.models: build
dropkit.training: train
dropkit.study: run
dropkit.figures: tradeoff
"""
OTHERS = """
dropkit.claims: CLAIMS
dropkit.notebook: settings table glue
"""


def pairs(listed: str) -> list[tuple[str, str]]:
    """Modules and names of lists."""
    rows = [line.split(": ") for line in listed.split("\n") if line]
    return [(module, name) for module, names in rows for name in names.split()]


def packages() -> list[str]:
    """Names of the package's public folders."""
    found = pkgutil.walk_packages(dropkit.__path__, "dropkit.")
    return ["dropkit", *(each.name for each in found if each.ispkg and "._" not in each.name)]


@pytest.mark.parametrize(("module", "name"), pairs(METHOD + SAMPLER + TRAIN + OTHERS))
def test_what_users_import_is_there(module, name):
    assert hasattr(importlib.import_module(module), name)


@pytest.mark.parametrize("package", packages())
def test_a_face_finds_what_it_lists_and_no_name_is_that_of_a_file(package):
    face = importlib.import_module(package)
    files = {module.name for module in pkgutil.iter_modules(face.__path__)}
    for name in getattr(face, "__all__", []):
        found = getattr(face, name)
        # Two things of one name: which it is would hang on what was imported before.
        assert name not in files or found is sys.modules[f"{package}.{name}"], name


@pytest.fixture(scope="module")
def without_extras() -> dict[str, str]:
    """What comes of importing each public name where no extra is installed: "", or the error."""
    names = pairs(METHOD + SAMPLER + TRAIN + OTHERS)
    for package in packages():
        listed = getattr(importlib.import_module(package), "__all__", [])
        names += [(package, name) for name in listed]
    script = f"""
import importlib, json, sys

class Absent:
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in {set(EXTRAS)!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent)
found = {{}}
for module, name in {names!r}:
    try:
        getattr(importlib.import_module(module), name)
        found[f"{{module}}.{{name}}"] = ""
    except Exception as error:
        found[f"{{module}}.{{name}}"] = f"{{type(error).__name__}}: {{error}}"
print(json.dumps(found))
"""
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.mark.parametrize(("module", "name"), pairs(METHOD))
def test_the_method_needs_no_extra(without_extras, module, name):
    assert without_extras[f"{module}.{name}"] == ""


@pytest.mark.parametrize(
    ("module", "name", "extra"),
    [
        (*pair, extra)
        for extra, names in (("sampler", SAMPLER), ("train", TRAIN))
        for pair in pairs(names)
    ],
)
def test_what_needs_an_extra_names_it(without_extras, module, name, extra):
    assert without_extras[f"{module}.{name}"].endswith(f"(or dropkit's extra {extra})")


def test_whatever_is_lacking_is_said_in_one_sentence(without_extras):
    for name, error in without_extras.items():
        asked = rf"{re.escape(name)}|{re.escape(name.rpartition('.')[0])}"
        form = rf"MissingExtra: (?:{asked}) needs ([\w-]+): pip install \1 \(or .* extra (\w+)\)"
        match = re.fullmatch(form, error)
        assert not error or match and match.groups() in EXTRAS.values(), error
