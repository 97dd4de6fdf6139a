"""Decode image files once into a memory-mapped file of bytes; an interrupted run goes on."""

import io
import os
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from dropkit._common.errors import UserError
from dropkit.datasets.data import Images
from dropkit.models.pretrained import IMAGENET

_WORKERS = max(2, os.cpu_count() or 1)
_MOST_PIXELS = 50_000_000  # ImageNet's largest image has 40 million
_MOST_ELONGATED = 50
_BATCH = 32 * _WORKERS  # images between two writes: what an interrupted run loses


def default_cache() -> Path:
    """Return the folder of decoded images: ``$DROPKIT_IMAGES``, or ``~/.cache/dropkit-images``."""
    chosen = os.environ.get("DROPKIT_IMAGES")
    return Path(chosen) if chosen else Path.home() / ".cache" / "dropkit-images"


def decoded(
    name: str, folder: Path, files: Sequence[str], resize: list[int] | None, side: int
) -> Images:
    """Return N images of `side` x `side` pixels, decoded once into ``default_cache()``.

    Images are resized and their centre is kept, as torchvision's functions do: `resize` is the
    length of the shorter side or (height, width); None leaves images as they are. The cache is
    memory-mapped, 3 x side x side bytes an image. Its `name` must name the files and their order,
    for an image that is replaced under the same name is not noticed.
    """
    from filelock import FileLock

    target = default_cache() / f"{name}-{side}x{side}x3.npy"
    shape = (len(files), side, side, 3)
    try:
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(target.with_suffix(".lock")):  # of several processes one decodes
                if not target.exists():
                    _fill(target, folder, files, resize, shape)
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
    target: Path, folder: Path, files: Sequence[str], resize: list[int] | None, shape: tuple
) -> None:
    """Decode all images, in order, into a file that gets its name when it is complete."""
    from tqdm import tqdm

    for name in files:
        if not os.path.isfile(f"{folder}/{name}"):
            raise UserError(f"the image {folder / name} is missing")
    header, size = _header(shape), int(np.prod(shape[1:]))
    part, count = target.with_suffix(".part"), target.with_suffix(".count")
    part.touch()
    with open(part, "r+b") as file, ThreadPoolExecutor(_WORKERS) as pool:
        same = file.read(len(header)) == header
        there = max(0, part.stat().st_size - len(header)) // size if same else 0
        done, failed = _counted(count, there)
        # First what could not be decoded the last time.
        left = [*failed, *range(done, len(files))]
        _check_space(target.parent, len(left) * size)
        file.seek(0)
        file.write(header)
        decode = partial(_tried, resize=resize, side=shape[1])
        known = len(files) - len(left)
        with tqdm(total=len(files), initial=known, desc="decoding", unit="image") as bar:
            for start in range(0, len(left), _BATCH):
                batch = left[start : start + _BATCH]
                images = pool.map(decode, (folder / files[index] for index in batch))
                for index, image in zip(batch, images, strict=True):
                    failed.pop(index, None)
                    if isinstance(image, UserError):
                        failed[index], image = image, bytes(size)
                    file.seek(len(header) + index * size)
                    file.write(image)
                    bar.update()
                file.flush()
                os.fsync(file.fileno())  # before it counts: a loss of power may leave zeros
                done = max(done, batch[-1] + 1)
                count.write_text(" ".join(map(str, [done, *failed])))
    if failed:
        raise _of_all([each for each in failed.values() if each], len(files))
    os.replace(part, target)
    count.unlink(missing_ok=True)


def _counted(file: Path, there: int) -> tuple[int, dict[int, UserError | None]]:
    """How many images an interrupted run has certainly written, and which it could not decode."""
    try:
        done, *failed = map(int, file.read_text().split())
    except (OSError, ValueError):
        return 0, {}
    done = min(done, there)
    return done, dict.fromkeys(index for index in failed if 0 <= index < done)


def _tried(file: Path, resize: list[int] | None, side: int) -> bytes | UserError:
    try:
        return _decoded(file, resize, side)
    except UserError as error:
        return error


def _of_all(errors: Sequence[UserError], images: int) -> UserError:
    """One sentence of all images that cannot be decoded."""
    if len(errors) == 1:
        return errors[0]
    named = "; ".join(map(str, errors[:5]))
    more = f"; and {len(errors) - 5:,} more" * (len(errors) > 5)
    return UserError(
        f"{len(errors):,} of {images:,} images cannot be decoded, the others are: {named}{more}"
    )


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


def _check_size(width: int, height: int) -> None:
    """Refuse what would take gigabytes when decoded, or when its shorter side is resized."""
    longer, shorter = max(width, height), min(width, height)
    if width * height > _MOST_PIXELS or longer > _MOST_ELONGATED * shorter:
        raise ValueError(
            f"it has {width} x {height} pixels: at most {_MOST_PIXELS:,} are decoded, the longer "
            f"side at most {_MOST_ELONGATED} times the shorter"
        )


def _decoded(file: Path, resize: list[int] | None, side: int) -> bytes:
    from PIL import Image
    from torchvision.transforms import functional

    try:
        # Other formats are programs, such as PostScript, or have readers that nobody needs here.
        with Image.open(file, formats=("JPEG", "PNG")) as image:
            _check_size(*image.size)
            fitted = image.convert("RGB")
        if resize is not None:
            fitted = functional.center_crop(functional.resize(fitted, resize), side)
    except Exception as error:  # Pillow's readers raise what they like
        raise UserError(f"the image {file} cannot be decoded: {error}") from error
    if fitted.size != (side, side):
        raise UserError(
            f"the image {file} has {fitted.width} x {fitted.height} pixels, not {side} x {side}"
        )
    return fitted.tobytes()
