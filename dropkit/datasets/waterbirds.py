"""Waterbirds as published by Sagawa et al. (2020): check its table, decode its images once.

The published folder ``waterbird_complete95_forest2water2`` holds the images and ``metadata.csv``.
More than one draw of the data is in circulation; the checksum of the table tells which one it is.
"""

import csv
import hashlib
import io
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath

import numpy as np

from dropkit._common.errors import UserError
from dropkit.datasets.data import Data, Images
from dropkit.datasets.decode import decoded
from dropkit.datasets.image_folders import published_folder

FOLDER = "waterbird_complete95_forest2water2"
COLUMNS = ("img_id", "img_filename", "y", "split", "place", "place_filename")
CLASSES = ("landbird", "waterbird")
GROUPS = ("landbird on land", "landbird on water", "waterbird on land", "waterbird on water")
SPLITS = ("training", "validation", "test")
SIDE = 224
RESIZED = [256, 256]  # the published transform makes images square, whatever their aspect


@dataclass(frozen=True)
class Table:
    """What ``metadata.csv`` says: paths inside `folder`, labels, groups and split codes, (N,) each.

    Its ``sha256`` names the draw of the data.
    """

    folder: Path
    files: list[str]
    y: np.ndarray
    groups: np.ndarray
    split: np.ndarray
    sha256: str


def load(seed: int, root: str | None) -> Data:
    """Load the data set; its splits are the published ones, whatever the seed."""
    table = read(root)
    splits = (np.flatnonzero(table.split == code) for code in range(len(SPLITS)))
    return Data(images(table), table.y, *splits, CLASSES, table.groups, GROUPS)


def read(root: str | Path | None) -> Table:
    """Read and check the table of the data set in the folder `root`."""
    path = published_folder(root, FOLDER, "waterbirds") / "metadata.csv"
    try:
        content = path.read_bytes()
        reader = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""))
        header, *rows = list(reader) or [[]]
    except OSError as error:
        raise UserError(f"waterbirds needs {path}: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} is no table of comma-separated text: {error}") from error
    if sorted(header) != sorted(COLUMNS):
        raise UserError(
            f"{path} has the columns {', '.join(header) or '(none)'}: "
            f"they must be {', '.join(COLUMNS)}"
        )
    found = [_row(header, row, f"{path}, line {line}") for line, row in enumerate(rows, start=2)]
    files = [file for file, *_ in found]
    _check_once(files, path)
    y, split, place = np.array([codes for _, *codes in found], dtype=np.int64).reshape(-1, 3).T
    for code, name in enumerate(SPLITS):
        if code not in split:
            raise UserError(f"{path} has no row with split {code}, so no {name} samples")
    digest = hashlib.sha256(content).hexdigest()
    return Table(path.parent, files, y, 2 * y + place, split, digest)


def _check_once(files: list[str], path: Path) -> None:
    """A picture that is there twice may be trained on and tested with."""
    first: dict[str, int] = {}
    for line, file in enumerate(files, start=2):
        if (before := first.setdefault(file, line)) != line:
            raise UserError(f"{path}, line {line}: {file!r} is in line {before} too")


def _row(header: list[str], row: list[str], where: str) -> tuple[str, int, int, int]:
    """Image file, label, split and place of one row."""
    if len(row) != len(header):
        raise UserError(f"{where}: {len(row)} fields, expected {len(header)}")
    fields = dict(zip(header, row, strict=True))
    file = fields["img_filename"]
    # Windows' rules also find what leaves a folder by POSIX rules.
    path = PureWindowsPath(file)
    if not file or path.anchor or ".." in path.parts:
        raise UserError(f"{where}: img_filename {file!r} is no path inside the data set's folder")
    numbers = []
    for column, allowed in (("y", "01"), ("split", "012"), ("place", "01")):
        value = fields[column]
        if value not in tuple(allowed):
            raise UserError(f"{where}: {column} is {value!r}, expected {' or '.join(allowed)}")
        numbers.append(int(value))
    return file, *numbers


def images(table: Table) -> Images:
    """Return the images, decoded once as ``decoded`` does; the cache belongs to one table.

    Each is resized to 256 x 256 and cropped to its centre, as Sagawa et al. (2020) do.
    """
    return decoded(f"waterbirds-{table.sha256[:16]}", table.folder, table.files, RESIZED, SIDE)
