"""Provenance against what git's own files, the packages and the machine say."""

import platform
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import torch

import dropkit
from dropkit._common.machine import processor
from dropkit.store import provenance as module
from dropkit.store.provenance import provenance


@pytest.fixture(autouse=True)
def forget():
    """Nothing found in one test is remembered in the next."""
    yield
    module._commit.cache_clear()
    processor.cache_clear()


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """A folder that the package seems to lie in."""
    monkeypatch.setattr(module, "__file__", str(tmp_path / "provenance.py"))
    module._commit.cache_clear()
    return tmp_path


def test_versions_and_time():
    before = datetime.now(UTC).replace(microsecond=0)
    origin = provenance()
    assert origin.keys() == {"dropkit", "commit", "torch", "device", "time"}
    assert origin["dropkit"] == dropkit.__version__
    assert origin["torch"] == torch.__version__
    assert origin["device"] == processor()
    time = datetime.fromisoformat(origin["time"])
    assert time.utcoffset() == timedelta(0)
    assert before <= time <= datetime.now(UTC)


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_commit_is_that_of_the_checkout(elsewhere):
    def git(*arguments):
        who = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
        subprocess.run(["git", *who, *arguments], cwd=elsewhere, check=True, capture_output=True)

    git("init", "--initial-branch=main")
    git("commit", "--allow-empty", "--message=another project's")
    (elsewhere / "provenance.py").touch()
    assert provenance()["commit"] is None
    module._commit.cache_clear()
    git("add", "provenance.py")
    git("commit", "--message=ours")
    written = (elsewhere / ".git" / "refs" / "heads" / "main").read_text().strip()
    assert len(written) in (40, 64)
    assert provenance()["commit"] == written


def test_no_commit_outside_a_checkout(elsewhere, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(elsewhere.parent))
    assert provenance()["commit"] is None


def test_no_commit_without_git(elsewhere, monkeypatch):
    monkeypatch.setenv("PATH", str(elsewhere))
    assert provenance()["commit"] is None


@pytest.mark.parametrize(
    ("cpuinfo", "expected"),
    [
        ("processor\t: 0\nmodel name\t: Fast One @ 3: GHz\n", "Fast One @ 3"),
        ("processor\t: 0\nFeatures\t: fp asimd\n", None),
        (None, None),
    ],
)
def test_processor(monkeypatch, cpuinfo, expected):
    def read(path, *arguments, **options):
        assert path == Path("/proc/cpuinfo")
        if cpuinfo is None:
            raise FileNotFoundError(path)
        return cpuinfo

    processor.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_text", read)
        found = processor()
    assert found == (expected or platform.processor() or platform.machine())
