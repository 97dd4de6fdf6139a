"""Waterbirds as published by Sagawa et al. (2020): check its table, decode its images once.

The published folder ``waterbird_complete95_forest2water2`` holds the images and ``metadata.csv``.
More than one draw of the data is in circulation; the checksum of the table tells which one it is.
"""

import csv
import hashlib
import io
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath

import numpy as np
from PIL import Image
from tqdm import tqdm

FOLDER = "waterbird_complete95_forest2water2"
COLUMNS = ("img_id", "img_filename", "y", "split", "place", "place_filename")
CLASSES = ("landbird", "waterbird")
GROUPS = ("landbird on land", "landbird on water", "waterbird on land", "waterbird on water")
SPLITS = ("training", "validation", "test")
SHAPE = (3, 224, 224)
RESIZED = (256, 256)  # the published transform makes images square, whatever their aspect

_BATCH = 64  # images between two writes: what an interrupted run loses
_WORKERS = max(2, os.cpu_count() or 1)


@dataclass(frozen=True)
class Table:
    """The rows of ``metadata.csv``: image files, labels, split codes 0 to 2 and places, (N,) each.

    ``sha256`` is that of the file and names the draw of the data.
    """

    files: list[Path]
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


def read(root: str | Path | None) -> Table:
    """Read and check the table of the data set in the folder `root`.

    Raises
    ------
    ValueError
        If the file cannot be read, its columns are others, a label or place is neither 0 nor 1, a
        split code is outside 0 .. 2, an image lies outside the folder, or a split has no rows.
    """
    if not root:
        raise ValueError(f"waterbirds is not bundled: root must name the folder that has {FOLDER}")
    path = Path(root) / FOLDER / "metadata.csv"
    try:
        content = path.read_bytes()
        reader = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""))
        header, *rows = list(reader) or [[]]
    except OSError as error:
        raise ValueError(f"waterbirds needs {path}: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} is no table of comma-separated text: {error}") from error
    if sorted(header) != sorted(COLUMNS):
        raise ValueError(
            f"{path} has the columns {', '.join(header) or '(none)'}: "
            f"they must be {', '.join(COLUMNS)}"
        )
    files, codes = [], []
    for line, row in enumerate(rows, start=2):
        file, *numbers = _row(header, row, f"{path}, line {line}")
        files.append(path.parent / file)
        codes.append(numbers)
    y, split, place = np.array(codes, dtype=np.int64).reshape(-1, 3).T
    for code, name in enumerate(SPLITS):
        if code not in split:
            raise ValueError(f"{path} has no row with split {code}, so no {name} samples")
    return Table(files, y, split, place, hashlib.sha256(content).hexdigest())


def _row(header: list[str], row: list[str], where: str) -> tuple[str, int, int, int]:
    """Image file, label, split and place of one row."""
    if len(row) != len(header):
        raise ValueError(f"{where}: {len(row)} fields, expected {len(header)}")
    fields = dict(zip(header, row, strict=True))
    file = fields["img_filename"]
    # Windows' rules also find what leaves a folder by POSIX rules.
    path = PureWindowsPath(file)
    if not file or path.anchor or ".." in path.parts:
        raise ValueError(f"{where}: img_filename {file!r} is no path inside the data set's folder")
    numbers = []
    for column, allowed in (("y", "01"), ("split", "012"), ("place", "01")):
        value = fields[column]
        if value not in tuple(allowed):
            raise ValueError(f"{where}: {column} is {value!r}, expected {' or '.join(allowed)}")
        numbers.append(int(value))
    return file, *numbers


def default_cache() -> Path:
    """Where decoded images are kept: ``$DROPKIT_IMAGES``, else ``~/.cache/dropkit-images``."""
    chosen = os.environ.get("DROPKIT_IMAGES")
    return Path(chosen) if chosen else Path.home() / ".cache" / "dropkit-images"


def images(table: Table, cache: str | Path | None = None) -> np.memmap:
    """Return the images (N, 3, 224, 224) uint8, decoded once into a memory-mapped cache.

    Each image is resized to 256 x 256 and cropped to its centre, as Sagawa et al. (2020) do; 150 kB
    an image. An interrupted run goes on where it stopped. The cache belongs to one
    ``metadata.csv``: an image file replaced under the same name is not noticed.

    Raises
    ------
    ValueError
        If an image is missing or cannot be decoded, or the cache is damaged or cannot be written.
    """
    target = Path(cache or default_cache()) / f"waterbirds-224-{table.sha256[:16]}.npy"
    if not target.exists():
        try:
            _fill(target, table)
        except OSError as error:
            raise ValueError(f"the decoded images cannot be kept in {target}: {error}") from error
    try:
        found = np.load(target, mmap_mode="r")
    except (OSError, ValueError, EOFError) as error:
        raise ValueError(f"the decoded images in {target} are damaged: delete the file") from error
    if found.shape != (len(table.files), *SHAPE) or found.dtype != np.uint8:
        raise ValueError(f"{target} holds other images ({found.dtype} {found.shape}): delete it")
    return found


def _fill(target: Path, table: Table) -> None:
    """Decode all images, in order, into a file that gets its name when it is complete."""
    lines = [f"metadata.csv, line {line}" for line in range(2, len(table.files) + 2)]
    for line, file in zip(lines, table.files, strict=True):
        if not file.is_file():
            raise ValueError(f"{line}: the image {file} is missing")
    header = _header(len(table.files))
    size = int(np.prod(SHAPE))
    part = target.with_suffix(".part")
    target.parent.mkdir(parents=True, exist_ok=True)
    part.touch()
    # Every image has its place in the file: two processes at once write the same bytes.
    with open(part, "r+b") as file, ThreadPoolExecutor(_WORKERS) as pool:
        same = file.read(len(header)) == header
        done = max(0, part.stat().st_size - len(header)) // size if same else 0
        file.seek(0)
        file.write(header)
        file.seek(len(header) + done * size)
        with tqdm(total=len(lines), initial=done, desc="decoding", unit="image") as bar:
            for start in range(done, len(lines), _BATCH):
                batch = slice(start, start + _BATCH)
                for image in pool.map(_decoded, table.files[batch], lines[batch]):
                    file.write(image)
                    bar.update()
                file.flush()
        os.fsync(file.fileno())
    with suppress(FileNotFoundError):  # the other process was first
        os.replace(part, target)


def _header(count: int) -> bytes:
    """What an ``.npy`` file of `count` images begins with."""
    head = io.BytesIO()
    layout = {"descr": "|u1", "fortran_order": False, "shape": (count, *SHAPE)}
    np.lib.format.write_array_header_1_0(head, layout)
    return head.getvalue()


def _decoded(file: Path, where: str) -> bytes:
    try:
        with Image.open(file) as image:
            square = image.convert("RGB").resize(RESIZED, Image.Resampling.BILINEAR)
    except Exception as error:  # Pillow's readers raise what they like
        raise ValueError(f"{where}: the image {file} cannot be decoded: {error}") from error
    margins = [(full - kept) // 2 for full, kept in zip(RESIZED, SHAPE[1:], strict=True)]
    left, top = margins
    centre = square.crop((left, top, left + SHAPE[2], top + SHAPE[1]))
    return np.asarray(centre).transpose(2, 0, 1).tobytes()
