"""Waterbirds as published by Sagawa et al. (2020): check its table, decode its images once.

The published folder ``waterbird_complete95_forest2water2`` holds the images and ``metadata.csv``.
More than one draw of the data is in circulation; the checksum of the table tells which one it is.
"""

import csv
import hashlib
import io
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING

import numpy as np

from dropkit._common.errors import UserError
from dropkit.datasets import decode, image_folders
from dropkit.datasets.data import Data, Images

if TYPE_CHECKING:
    from PIL import Image

FOLDER = "waterbird_complete95_forest2water2"
COLUMNS = ("img_id", "img_filename", "y", "split", "place", "place_filename")
CLASSES = ("landbird", "waterbird")
GROUPS = ("landbird on land", "landbird on water", "waterbird on land", "waterbird on water")
SPLITS = ("training", "validation", "test")
SIDE = 224
RESIZED = (256, 256)  # the published transform makes images square, whatever their aspect


@dataclass(frozen=True)
class Table:
    """The rows of ``metadata.csv``: image files, labels, split codes 0 to 2 and places, (N,) each.

    Files are paths inside `folder`; ``sha256`` is that of the table and names the draw of the data.
    """

    folder: Path
    files: list[str]
    y: np.ndarray
    split: np.ndarray
    place: np.ndarray
    sha256: str

    @property
    def groups(self) -> np.ndarray:
        """Indices into ``GROUPS``, (N,)."""
        return 2 * self.y + self.place

    @property
    def splits(self) -> list[np.ndarray]:
        """The official training, validation and test rows."""
        return [np.flatnonzero(self.split == code) for code in range(len(SPLITS))]


def load(seed: int, root: str | None) -> Data:
    """Load the data set; its splits are the published ones, whatever the seed."""
    table = read(root)
    return Data(images(table), table.y, *table.splits, CLASSES, table.groups, GROUPS)


def read(root: str | Path | None) -> Table:
    """Read and check the table of the data set in the folder `root`.

    Raises
    ------
    ValueError
        If the file cannot be read, its columns are others, a label or place is neither 0 nor 1, a
        split code is outside 0 .. 2, an image lies outside the folder, or a split has no rows.
    """
    path = image_folders.published_folder(root, FOLDER, "waterbirds") / "metadata.csv"
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
    files, codes = [], []
    for line, row in enumerate(rows, start=2):
        file, *numbers = _row(header, row, f"{path}, line {line}")
        files.append(file)
        codes.append(numbers)
    y, split, place = np.array(codes, dtype=np.int64).reshape(-1, 3).T
    for code, name in enumerate(SPLITS):
        if code not in split:
            raise UserError(f"{path} has no row with split {code}, so no {name} samples")
    return Table(path.parent, files, y, split, place, hashlib.sha256(content).hexdigest())


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
    """Return the images, 224 x 224 pixels, decoded once as ``decode.decoded`` does.

    Each image is resized to 256 x 256 and cropped to its centre, as Sagawa et al. (2020) do; 150 kB
    an image. The cache belongs to one ``metadata.csv``.

    Raises
    ------
    ValueError
        If an image is missing or cannot be decoded, or the cache is damaged or cannot be written.
    """
    name = f"waterbirds-{table.sha256[:16]}"
    return decode.decoded(name, table.folder, table.files, _fit, SIDE)


def _fit(image: "Image.Image") -> "Image.Image":
    return decode.centre(decode.resized(image, RESIZED), SIDE)
