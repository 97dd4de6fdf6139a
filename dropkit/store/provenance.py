"""Where a record comes from: versions, commit, device and time."""

import functools
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import torch

import dropkit
from dropkit._common import machine


def provenance(device: str = "cpu") -> dict[str, str | None]:
    """Versions, git commit (None outside a checkout), device and time (UTC) of a run."""
    return {
        "dropkit": dropkit.__version__,
        "commit": _commit(),
        "torch": torch.__version__,
        "device": machine.processor() if device == "cpu" else accelerator(device),
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
    }


@functools.cache
def _commit() -> str | None:
    here = Path(__file__)

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments], cwd=here.parent, capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        # An environment installed inside another project's checkout is not of its commits.
        git("ls-files", "--error-unmatch", here.name)
        return git("rev-parse", "HEAD")
    except (OSError, subprocess.CalledProcessError):
        return None


def accelerator(device: str) -> str:
    """The name of a GPU."""
    return torch.cuda.get_device_name(device) if device.startswith("cuda") else device
