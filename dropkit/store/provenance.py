"""Where a record comes from: versions, commit, device and time."""

import functools
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import dropkit
from dropkit._common import machine
from dropkit._common.text import made_plain


def provenance(device: str = "cpu", package: str = "torch") -> dict[str, str | None]:
    """Return dropkit's version and that of the package that trained, commit, device and UTC time.

    The commit is None outside a checkout; `device` is "cpu", or what PyTorch calls an accelerator.
    """
    return {
        "dropkit": dropkit.__version__,
        "commit": _commit(),
        package: _version(package),
        "device": made_plain(machine.processor() if device == "cpu" else _accelerator(device)),
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _version(package: str) -> str:
    if package != "torch":
        return version(package)
    import torch

    return torch.__version__  # with its build, such as +cu130, which the metadata lack


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


def _accelerator(device: str) -> str:
    import torch

    return torch.cuda.get_device_name(device) if device.startswith("cuda") else device
