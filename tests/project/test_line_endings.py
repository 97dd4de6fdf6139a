"""A clone on a system that changes line endings holds the same records."""

import subprocess
import warnings
from pathlib import Path

import pytest

from dropkit.store import Store

ROOT = Path(__file__).parents[2]


def git(*arguments):
    return subprocess.run(["git", *map(str, arguments)], check=True, capture_output=True).stdout


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="no clone to clone")
def test_windows_usual_setting_changes_no_byte_of_a_record(tmp_path):
    git("clone", "-q", "--no-checkout", ROOT, tmp_path / "clone")
    clone = ("-C", tmp_path / "clone", "-c", "core.autocrlf=true")
    # As the files stand now, so that what is not committed yet counts too.
    (tmp_path / "clone" / ".gitattributes").write_bytes((ROOT / ".gitattributes").read_bytes())
    git(*clone, "add", ".gitattributes")
    git(*clone, "checkout", "HEAD", "--", "book/results", "book/data", "Makefile")
    for file in (tmp_path / "clone").rglob("book/*/*.*"):
        committed = git("-C", ROOT, "show", f"HEAD:{file.relative_to(tmp_path / 'clone')}")
        assert file.read_bytes() == committed
    assert b"\r" not in (tmp_path / "clone" / "Makefile").read_bytes()
    with warnings.catch_warnings(action="error"):
        assert len(Store(tmp_path / "clone" / "book" / "results")) > 0
