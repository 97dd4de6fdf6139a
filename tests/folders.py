"""What tests of image sets that come as folders share."""

import shutil
from pathlib import Path
from types import ModuleType

import pytest


def copied(
    published: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, module: ModuleType, **counts
) -> Path:
    """A copy that a test may damage, a cache of its own, and counts that the copy fulfils."""
    monkeypatch.setenv("DROPKIT_IMAGES", str(folder / "cache"))
    for name, count in counts.items():
        monkeypatch.setattr(module, name, count)
    shutil.copytree(published, folder / "data")
    return folder / "data"
