"""Decode image files once into a memory-mapped file of bytes; an interrupted run goes on."""

import io
import os
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dropkit._common.errors import UserError
from dropkit.datasets.data import Images

if TYPE_CHECKING:  # what reads files comes with an extra, and the sizes of data sets do not need it
    from PIL import Image

# Mean and deviation of ImageNet's channels, as torchvision's pretrained weights expect them.
IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

Fit = Callable[["Image.Image"], "Image.Image"]

_WORKERS = max(2, os.cpu_count() or 1)
_BATCH = 32 * _WORKERS  # images between two writes: what an interrupted run loses


def default_cache() -> Path:
    """Return the folder of decoded images: ``$DROPKIT_IMAGES``, or ``~/.cache/dropkit-images``."""
    chosen = os.environ.get("DROPKIT_IMAGES")
    return Path(chosen) if chosen else Path.home() / ".cache" / "dropkit-images"


def resized(image: "Image.Image", size: tuple[int, int]) -> "Image.Image":
    """Return the image with another width and height, bilinear as torchvision's default."""
    from PIL import Image

    return image.resize(size, Image.Resampling.BILINEAR)


def centre(image: "Image.Image", side: int) -> "Image.Image":
    """Return the square of `side` pixels in the middle of an image, by torchvision's rounding."""
    left, top = (round((full - side) / 2.0) for full in image.size)
    return image.crop((left, top, left + side, top + side))


def decoded(
    name: str,
    folder: Path,
    files: Sequence[str],
    fit: Fit,
    side: int,
) -> Images:
    """Return N images of `side` x `side` pixels, decoded once into ``default_cache()``.

    The cache is memory-mapped, 3 x side x side bytes an image.

    Parameters
    ----------
    name : str
        Of the cache's file: it must name the files and their order, for an image that is replaced
        under the same name is not noticed.
    folder : path
        Of the image files.
    files : sequence of N str
        Paths inside `folder`.
    fit : callable
        From an image in RGB to one of `side` x `side` pixels.
    side : int
        Of the decoded images, in pixels.

    Raises
    ------
    ValueError
        If an image is missing or cannot be decoded, if the disk has too little space, or if the
        cache is damaged or cannot be written.
    """
    from filelock import FileLock

    target = default_cache() / f"{name}-{side}x{side}x3.npy"
    shape = (len(files), side, side, 3)
    try:
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(target.with_suffix(".lock")):  # of several processes one decodes
                if not target.exists():
                    _fill(target, folder, files, fit, shape)
        status = target.stat()
    except OSError as error:
        raise UserError(f"the decoded images cannot be kept in {target}: {error}") from error
    found = _opened(target, (status.st_mtime_ns, status.st_size))
    if found.pixels.shape != shape or found.pixels.dtype != np.uint8:
        held = f"{found.pixels.dtype} {found.pixels.shape}"
        raise UserError(f"{target} holds other images ({held}): delete it")
    return found


@lru_cache(maxsize=4)  # one set of images is one object, held on a GPU once
def _opened(target: Path, stamp: tuple[int, int]) -> Images:
    try:
        return Images(np.load(target, mmap_mode="r"), *IMAGENET)
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"the decoded images in {target} are damaged: delete the file") from error


def _fill(
    target: Path, folder: Path, files: Sequence[str], fit: Fit, shape: tuple[int, ...]
) -> None:
    """Decode all images, in order, into a file that gets its name when it is complete."""
    from tqdm import tqdm

    for name in files:
        if not os.path.isfile(f"{folder}/{name}"):
            raise UserError(f"the image {folder / name} is missing")
    header, size = _header(shape), int(np.prod(shape[1:]))
    part = target.with_suffix(".part")
    part.touch()
    with open(part, "r+b") as file, ThreadPoolExecutor(_WORKERS) as pool:
        same = file.read(len(header)) == header
        done = max(0, part.stat().st_size - len(header)) // size if same else 0
        _check_space(target.parent, (len(files) - done) * size)
        file.seek(0)
        file.write(header)
        file.seek(len(header) + done * size)
        with tqdm(total=len(files), initial=done, desc="decoding", unit="image") as bar:
            for start in range(done, len(files), _BATCH):
                batch = files[start : start + _BATCH]
                for image in pool.map(lambda name: _decoded(folder / name, fit, shape[1]), batch):
                    file.write(image)
                    bar.update()
                file.flush()
        os.fsync(file.fileno())
    os.replace(part, target)


def _check_space(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise UserError(
            f"decoded images take {needed / 1e9:.3g} GB more and {folder} has {free / 1e9:.3g} GB "
            "free: let DROPKIT_IMAGES name a folder on a larger disk"
        )


def _header(shape: tuple[int, ...]) -> bytes:
    """What an ``.npy`` file of images begins with."""
    head = io.BytesIO()
    layout = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(head, layout)
    return head.getvalue()


def _decoded(file: Path, fit: Fit, side: int) -> bytes:
    from PIL import Image

    try:
        with Image.open(file) as image:
            fitted = fit(image.convert("RGB"))
    except Exception as error:  # Pillow's readers raise what they like
        raise UserError(f"the image {file} cannot be decoded: {error}") from error
    if fitted.size != (side, side):
        raise UserError(
            f"the image {file} has {fitted.width} x {fitted.height} pixels, not {side} x {side}"
        )
    return fitted.tobytes()
