"""The wheel and the sdist: what is in them, and that they work where no extra is installed."""

import doctest
import importlib
import pkgutil
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import numpy as np
import pytest
from packaging.requirements import Requirement

import dropkit
from dropkit._common.errors import EXTRAS
from tests.bare import Bare

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Wheel and sdist, built without a network from a copy of the sources."""
    source = tmp_path_factory.mktemp("source")
    for name in ("dropkit", "tests"):
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, source / name, ignore=ignore)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build"], cwd=source, check=True, capture_output=True
    )
    wheel, sdist = (next((source / "dist").glob(pattern)) for pattern in ("*.whl", "*.tar.gz"))
    return wheel, sdist


@pytest.fixture(scope="module")
def bare(built, tmp_path_factory):
    """An environment with what ``pip install dropkit`` brings, and nothing else."""
    return Bare(tmp_path_factory.mktemp("bare"), built[0], ["numpy", "scipy"])


@pytest.fixture(scope="module")
def with_sampler(built, tmp_path_factory):
    """The same of ``pip install '.[sampler]'``."""
    needed = PROJECT["dependencies"] + PROJECT["optional-dependencies"]["sampler"]
    names = [Requirement(each).name for each in needed]
    return Bare(tmp_path_factory.mktemp("sampler"), built[0], names, "[sampler]")


def test_wheel_holds_every_module_the_type_marker_and_nothing_else(built):
    with zipfile.ZipFile(built[0]) as archive:
        names = archive.namelist()
    package = {name for name in names if name.startswith("dropkit/")}
    sources = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "dropkit").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert package == sources
    assert "dropkit/py.typed" in package
    others = {name.split("/")[0] for name in names} - {"dropkit"}
    assert others == {f"dropkit-{dropkit.__version__}.dist-info"}


def test_sdist_holds_the_tests_and_the_licence(built):
    with tarfile.open(built[1]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "LICENSE", "README.md", "tests/project/test_package.py"} <= names


def test_metadata_name_the_command_and_the_extras(built):
    folder = f"dropkit-{dropkit.__version__}.dist-info"
    with zipfile.ZipFile(built[0]) as archive:
        entry_points = archive.read(f"{folder}/entry_points.txt").decode()
        metadata = archive.read(f"{folder}/METADATA").decode()
    assert "dropkit = dropkit.commands:main" in entry_points
    for extra in PROJECT["optional-dependencies"]:
        assert f"Provides-Extra: {extra}" in metadata


def test_extras_bring_what_the_sentences_say():
    extras = {
        extra: {Requirement(each).name for each in packages}
        for extra, packages in PROJECT["optional-dependencies"].items()
    }
    for package, extra in EXTRAS.values():
        assert package in extras[extra]


def test_bare_environment_holds_nothing_else(bare):
    script = "from importlib import metadata; print(*(d.name for d in metadata.distributions()))"
    listed = bare.run("python", "-c", script).stdout.split()
    assert {"dropkit", "numpy", "scipy"} <= set(listed)
    assert set(listed) <= {"dropkit", "numpy", "scipy", "pip", "setuptools"}
    for module in EXTRAS:
        done = bare.run("python", "-c", f"import {module}")
        assert "ModuleNotFoundError" in done.stderr, module


def test_bare_package_prunes_by_measured_recalls(bare):
    done = bare.run(
        "python",
        "-c",
        "import numpy as np\n"
        "import dropkit\n"
        "from dropkit.metrics import class_recalls\n"
        "labels = np.repeat([0, 1], 4)\n"
        "recalls = class_recalls(labels, np.array([0, 0, 0, 0, 1, 1, 0, 0]), 2)\n"
        "kept = dropkit.prune('random+drop', labels, 0.5, recalls=recalls)\n"
        "print(kept.tolist(), dropkit.quotas.drop_densities([100, 100], [0.9, 0.7], 0.4))",
    )
    assert done.stdout == "[4, 5, 6, 7] [0.2 0.6]\n", done.stderr


def test_bare_theory_scores_and_records(bare):
    done = bare.run(
        "python",
        "-c",
        "from pathlib import Path\n"
        "from dropkit import scores, study, theory\n"
        "from dropkit.store import Store\n"
        "print(theory.GaussianMixture(0, 4, 1, 3, 0.5).worst_class_minimizer())\n"
        "print(scores.forgetting([[True, False], [False, True], [True, True]]).tolist())\n"
        "trials = study.grid('cifar10', model='mini', protocols=['full'], densities=[1], seeds=1)\n"
        f"store = Store('empty', also=[{str(ROOT / 'book' / 'results')!r}])\n"
        "print([trial.key in store for trial in trials], len(store[trials[0].key]['recalls']))",
    )
    # Equal risks where (t - 0) / 1 = (4 - t) / 3; the first sample is forgotten once.
    assert done.stdout == "1.0\n[1.0, 0.0]\n[True] 10\n", done.stderr


def test_bare_commands_are_those_of_the_library(bare, tmp_path):
    labels, guesses = np.repeat([3, 5], 50), np.repeat([3, 5, 3], [50, 20, 30])
    np.save(tmp_path / "y.npy", labels)
    np.save(tmp_path / "p.npy", guesses)
    files = ["--labels=y.npy", "--predictions=p.npy", "--density=0.5"]
    done = bare.run("dropkit", "prune", *files, "--out=kept.npy", "--seed=7", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    options = {"recalls": [1.0, 0.4], "smoothing": 10.0, "seed": 7}
    expected = dropkit.prune("random+drop", (labels == 5).astype(int), 0.5, **options)
    assert np.load(tmp_path / "kept.npy").tolist() == expected.tolist()
    table = bare.run("dropkit", "quotas", *files, cwd=tmp_path).stdout.split()
    assert table[-2:] == ["0.4000", str(int((expected >= 50).sum()))]
    correct = np.array([[True, False], [False, True]])
    np.save(tmp_path / "correct.npy", correct)
    scores = ["scores", "forgetting", "--correct=correct.npy", "--out=scores.npy"]
    assert bare.run("dropkit", *scores, cwd=tmp_path).returncode == 0
    assert np.load(tmp_path / "scores.npy").tolist() == [1.0, 0.0]


@pytest.mark.parametrize(
    ("command", "package", "extra"),
    [
        (["run", "cifar10-mini"], "torch", "train"),
        (["estimate", "cifar10-mini"], "torch", "train"),
        (["scores", "coreset", "--features=x.npy", "--out=s.npy"], "torch", "train"),
        (["quotas", "--labels=t.parquet", "--recalls=r.npy", "--density=1"], "pyarrow", "parquet"),
    ],
)
def test_bare_command_names_the_extra_that_it_needs(bare, tmp_path, command, package, extra):
    np.save(tmp_path / "x.npy", np.eye(3))
    done = bare.run("dropkit", *command, cwd=tmp_path)
    sentence = f"dropkit {command[0]} needs {package}: pip install {package} "
    sentence += f"(or dropkit's extra {extra})"
    assert (done.returncode, done.stderr) == (2, f"dropkit: error: {sentence}\n")


def test_sampler_comes_with_its_extra_alone(bare, with_sampler):
    script = (
        "import sys\n"
        "import numpy as np\n"
        "from dropkit import DRoPSampler, datasets\n"
        "y = np.repeat(['easy', 'hard'], 100)\n"
        "sampler = DRoPSampler(0.5, recalls={'easy': 0.95, 'hard': 0.65}, random_state=0)\n"
        "sampler.fit(np.zeros((200, 1)), y)\n"
        "print(sampler.sampling_strategy_, len(datasets.load('digits').y))"
    )
    # (100 (1 - r) + 10) / 120 gives weights 15 : 45, which share 100 samples.
    assert with_sampler.run("python", "-c", script).stdout == "{'easy': 25, 'hard': 75} 1797\n"
    said = bare.run("python", "-c", script).stderr.splitlines()[-1]
    assert said.endswith(
        "dropkit.DRoPSampler needs imbalanced-learn: pip install imbalanced-learn "
        "(or dropkit's extra sampler)"
    )


@pytest.mark.parametrize(
    "code",
    [
        "import dropkit.quotas",
        "from dropkit import DRoPSampler",
        "from dropkit.commands import parser; parser().format_help()",
    ],
)
def test_what_a_practitioner_starts_loads_no_network_library(code):
    end = "import sys; print(sorted({'torch', 'torchvision', 'matplotlib'} & set(sys.modules)))"
    command = [sys.executable, "-c", f"{code}\n{end}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_short_names_are_those_of_their_modules():
    from dropkit.pruning import prune
    from dropkit.sampler import DRoPSampler

    assert dropkit.prune is prune
    assert dropkit.DRoPSampler is DRoPSampler
    with pytest.raises(AttributeError, match="module 'dropkit' has no attribute 'pruned'"):
        dropkit.pruned  # noqa: B018


def modules_with_examples():
    for module in pkgutil.walk_packages(dropkit.__path__, "dropkit."):
        path = Path(ROOT, *module.name.split(".")).with_suffix(".py")
        if path.is_file() and ">>> " in path.read_text():
            yield module.name


@pytest.mark.parametrize("name", list(modules_with_examples()))
def test_examples_in_docstrings(name):
    # Registered by an example, it would be there for the tests that follow.
    from dropkit._common.own_quotas import QUOTAS
    from dropkit.pruning import RULES
    from dropkit.scores import SCORES

    before = [(table, dict(table)) for table in (SCORES, RULES, QUOTAS)]
    try:
        failed, tried = doctest.testmod(importlib.import_module(name))
    finally:
        for table, rows in before:
            table.clear()
            table.update(rows)
    assert tried > 0
    assert failed == 0
