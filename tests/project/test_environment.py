"""pyproject.toml, requirements.lock, environment.yml and their neighbours say the same."""

import json
import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

import dropkit

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCK = (ROOT / "requirements.lock").read_text()
UNLOCKED = ("ray", "text", "lightning")
# One entry: "name==version ; marker \" and its hashes on the lines after it.
ENTRIES = [entry.split() for entry in re.split(r"\n(?=\S)", LOCK.replace("\\\n", ""))]


def locked() -> list[tuple[str, str]]:
    return [(canonicalize_name(name), v) for name, v in (entry[0].split("==") for entry in ENTRIES)]


def direct() -> list[Requirement]:
    extras = PROJECT["optional-dependencies"]
    locked = [packages for extra, packages in extras.items() if extra not in UNLOCKED]
    return [Requirement(each) for each in sum(locked, PROJECT["dependencies"])]


@pytest.mark.parametrize("requirement", direct(), ids=str)
def test_direct_dependency_is_locked_within_its_bounds(requirement: Requirement) -> None:
    versions = [v for name, v in locked() if name == canonicalize_name(requirement.name)]
    assert versions, f"{requirement.name} is not locked: make lock"
    assert all(requirement.specifier.contains(v) for v in versions)


@pytest.mark.parametrize(
    ("name", "last"),
    [
        ("torch", "2.5.1"),  # CVE-2025-32434: weights_only executes
        ("pillow", "12.3.0"),  # CVE-2026-25990 and later ones
        ("ray", "2.53.0"),  # CVE-2026-27482
    ],
)
def test_no_version_with_a_known_hole_is_allowed(name: str, last: str) -> None:
    every = sum(PROJECT["optional-dependencies"].values(), PROJECT["dependencies"])
    (allowed,) = (r.specifier for r in map(Requirement, every) if r.name == name)
    assert not allowed.contains(last)


def test_every_locked_package_has_hashes() -> None:
    for entry in ENTRIES:
        hashes = [word for word in entry if word.startswith("--hash=")]
        assert hashes, entry[0]
        assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", each) for each in hashes), entry[0]


@pytest.mark.parametrize("name", ["requirements.lock", "environment.yml", "pyproject.toml"])
def test_no_address_of_a_package_index(name: str) -> None:
    text = (ROOT / name).read_text()
    assert not re.search(r"https?:|file:|--(extra-)?index-url|--find-links|\s@\s", text)


def test_conda_environment_is_thin_and_follows_the_lock() -> None:
    packages = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    assert packages == [
        f"python{PROJECT['requires-python']}",
        "pip",
        {"pip": ["-r requirements.lock"]},
    ]


def test_workflow_runs_the_supported_pythons() -> None:
    workflow = yaml.safe_load((ROOT / ".github/workflows/book.yml").read_text())
    versions = workflow["jobs"]["test"]["strategy"]["matrix"]["python"]
    supported = SpecifierSet(PROJECT["requires-python"])
    assert all(supported.contains(version) for version in versions)
    oldest = PROJECT["requires-python"].removeprefix(">=")
    assert oldest in versions
    assert f"Python {oldest}" in (ROOT / "README.md").read_text()


def test_one_version_everywhere() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert dropkit.__version__ == PROJECT["version"] == citation["version"]


def test_what_archives_read_says_what_the_project_says() -> None:
    codemeta, zenodo = (
        json.loads((ROOT / name).read_text()) for name in ("codemeta.json", ".zenodo.json")
    )
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    (paper,) = citation["preferred-citation"]["identifiers"]
    (author,) = PROJECT["authors"]
    assert codemeta["name"] == PROJECT["name"]
    assert codemeta["softwareRequirements"] == PROJECT["dependencies"]
    assert codemeta["runtimePlatform"] == f"Python {PROJECT['requires-python']}"
    assert codemeta["referencePublication"]["name"] == citation["preferred-citation"]["title"]
    assert codemeta["referencePublication"]["identifier"] == paper["value"]
    assert zenodo["title"] == citation["title"]
    assert zenodo["related_identifiers"][0]["identifier"] == paper["value"]
    assert zenodo["license"] == citation["license"] == PROJECT["license"]
    assert codemeta["license"].endswith(f"/{PROJECT['license']}")
    for each in (codemeta, zenodo):
        assert each["version"] == PROJECT["version"]
        assert each["description"] == PROJECT["description"]
    names = {codemeta["author"][0]["name"], zenodo["creators"][0]["name"], author["name"]}
    assert names == {one["name"] for one in citation["authors"]}


def test_the_image_has_the_oldest_python_and_the_lock() -> None:
    text = (ROOT / ".github/Dockerfile").read_text()
    oldest = PROJECT["requires-python"].removeprefix(">=")
    assert re.search(rf"^FROM python:{re.escape(oldest)}-", text, re.MULTILINE)
    assert "--require-hashes -r requirements.lock" in text
    modules = re.findall(r"python -m ([\w.]+)", text)
    assert modules and all((ROOT / f"{m.replace('.', '/')}.py").exists() for m in modules)
    copied = re.findall(r"^COPY --chown=1000 (\S+)", text, re.MULTILINE)
    assert copied and all((ROOT / name).exists() for name in copied)


def test_what_installs_and_builds_is_locked_too() -> None:
    """Make's own uv by its hashes, and the package by the locked hatchling."""
    recipe = (ROOT / "Makefile").read_text()
    assert 'sed -n "/^uv==/,/[^\\\\\\\\]$$/p" requirements.lock' in recipe
    assert all("--require-hashes" in line for line in recipe.splitlines() if "-m pip" in line)
    files = ["Makefile", ".binder/postBuild", ".github/Dockerfile", "environment.yml"]
    for line in sum((((ROOT / name).read_text().splitlines()) for name in files), []):
        assert "-e ." not in line or "--no-build-isolation" in line
    assert {"uv", "hatchling"} <= {name for name, _ in locked()}
    (of_uv,) = [entry for entry in ENTRIES if entry[0].startswith("uv==")]
    assert sum(part.startswith("--hash=sha256:") for part in of_uv) > 10
