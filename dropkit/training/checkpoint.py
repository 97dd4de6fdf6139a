"""Where a training stands, in a file that is there whole or not at all, and never executed."""

import io
import warnings
from pathlib import Path
from typing import Any

import torch

from dropkit.store.records import CHECKSUM, DamagedRecord, checksum, write_atomically


def save(file: Path, content: dict[str, Any]) -> None:
    """Replace the file at once by tensors, numbers, texts, and lists and dictionaries of these.

    Raises
    ------
    StoreError
        If the folder cannot be written.
    """
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_atomically(file, buffer.getvalue() + checksum(buffer.getvalue()))


def read(file: Path) -> bytes:
    """Return the file's content for ``load``; nothing, with a warning if it is damaged, if none."""
    if not file.exists():
        return b""
    whole = file.read_bytes()
    if checksum(whole[:-CHECKSUM]) != whole[-CHECKSUM:]:
        warnings.warn(f"{file} is damaged; training begins anew", DamagedRecord, 2)
        return b""
    return whole[:-CHECKSUM]


def load(content: bytes) -> dict[str, Any]:
    """Return what was saved, its tensors on the processor.

    Raises
    ------
    pickle.UnpicklingError
        For anything that is no plain data.
    """
    return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
