"""The wheel and the sdist: what is in them, and that they work without the book's packages."""

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

import pytest

import dropkit

ROOT = Path(__file__).parents[2]
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
# The modules of what only the extras bring; matplotlib and tqdm are the core's own.
OPTIONAL = ["imblearn", "sklearn", "pandas", "pyarrow", "IPython", "papermill", "nbformat"]
OPTIONAL += ["psutil", "sphinx", "pytest", "hypothesis", "shtab", "ray", "playwright", "hatchling"]


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
def installed(built, tmp_path_factory):
    """A folder that holds the installed wheel and nothing else."""
    folder = tmp_path_factory.mktemp("installed")
    command = ["pip", "install", "--quiet", "--no-deps", "--no-index", "--target", folder, built[0]]
    subprocess.run([sys.executable, "-m", *map(str, command)], check=True, capture_output=True)
    return folder


def run_installed(folder: Path, code: str) -> subprocess.CompletedProcess:
    """Run code with the installed wheel, as if what only the extras bring were not there."""
    blocked = f"import sys; sys.modules.update(dict.fromkeys({OPTIONAL!r}))\n"
    path = f"sys.path.insert(0, {str(folder)!r})\n"
    command = [sys.executable, "-c", blocked + path + code]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


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
    for extra in EXTRAS:
        assert f"Provides-Extra: {extra}" in metadata


def test_installed_package_prunes_without_the_extras(installed):
    done = run_installed(
        installed,
        "import dropkit\n"
        "kept = dropkit.prune('random+drop', [0] * 4 + [1] * 4, 0.5, recalls=[1, 0.5])\n"
        "print(dropkit.__file__, kept.tolist())",
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split(maxsplit=1) == [
        str(installed / "dropkit" / "__init__.py"),
        "[4, 5, 6, 7]\n",
    ]


def test_installed_command_runs_without_the_extras(installed, tmp_path):
    (tmp_path / "t.csv").write_text("label,guess\n" + "a,a\na,a\nb,b\nb,a\n")
    files = f"'--labels={tmp_path}/t.csv:label', '--predictions={tmp_path}/t.csv:guess'"
    code = "from dropkit.commands import main\n"
    done = run_installed(
        installed,
        code + f"sys.exit(main(['prune', {files}, '--density=0.5', '--out={tmp_path}/k.npy']))",
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "k.npy").is_file()
    done = run_installed(
        installed,
        code + "sys.exit(main(['quotas', '--labels=t.parquet', '--recalls=r.npy', '--density=1']))",
    )
    assert done.returncode == 2
    assert "needs pyarrow to be read: pip install 'dropkit[parquet]'" in done.stderr
    assert (installed / "bin" / "dropkit").is_file()


def test_the_sampler_says_which_extra_it_needs(installed):
    done = run_installed(installed, "from dropkit import DRoPSampler")
    assert (
        "dropkit.DRoPSampler needs imbalanced-learn: pip install 'dropkit[sampler]'" in done.stderr
    )


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
    # Registered by an example, a score would be there for the tests that follow.
    from dropkit.scores import SCORES

    before = dict(SCORES)
    try:
        failed, tried = doctest.testmod(importlib.import_module(name))
    finally:
        SCORES.clear()
        SCORES.update(before)
    assert tried > 0
    assert failed == 0
