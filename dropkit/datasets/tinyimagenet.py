"""TinyImageNet (Le & Yang, 2015) from its published folder, ``tiny-imagenet-200``.

The archive is at http://cs231n.stanford.edu/tiny-imagenet-200.zip. Its test images have no labels
and are not used: half of the published validation set is our test split.
"""

from collections import Counter
from functools import lru_cache
from pathlib import Path

from dropkit._common.errors import UserError
from dropkit.datasets import image_folders
from dropkit.datasets.data import Data

FOLDER = "tiny-imagenet-200"
CLASSES, TRAINING, VALIDATION = 200, 500, 50  # classes, and images of each
SIDE = 64


def load(seed: int, root: str | None) -> Data:
    """Load the data set; its splits are the same for every seed."""
    return read(root).data("tinyimagenet", None, SIDE)


@lru_cache(maxsize=2)
def read(root: str | None) -> image_folders.Listing:
    """List the images in the folder ``tiny-imagenet-200`` of `root`; check them and its lists."""
    folder = image_folders.published_folder(root, FOLDER, "tinyimagenet")
    classes = "the classes of TinyImageNet"
    identifiers = image_folders.entries(folder / "train", classes, folders=True)
    listed = sorted(fields[0] for _, fields in _rows(folder / "wnids.txt", 1))
    if listed != identifiers:
        odd = min(set(listed) ^ set(identifiers), default=listed[-1])
        raise UserError(
            f"{folder / 'train'} has not one folder for each line of wnids.txt, see {odd!r}: "
            "unpack the published archive anew"
        )
    training = {
        f"train/{key}/images/{name}": key
        for key in identifiers
        for name in image_folders.entries(folder / "train" / key / "images", "training images")
    }
    validation = _annotated(folder, set(identifiers))
    if len(identifiers) != CLASSES:
        raise UserError(f"{folder} has {len(identifiers)} classes, TinyImageNet has {CLASSES}")
    _check_complete(folder, identifiers, training, "training", TRAINING)
    _check_complete(folder, identifiers, validation, "validation", VALIDATION)
    names = image_folders.class_names(identifiers, folder / "words.txt")
    return image_folders.arranged(folder, [training, validation], names)


def _rows(file: Path, least: int) -> list[tuple[str, list[str]]]:
    """Where each line of a list is, and its fields, `least` of them or more."""
    lines = enumerate(image_folders.lines(file), start=1)
    rows = [(f"{file}, line {at}", line.split("\t")) for at, line in lines]
    for where, fields in rows:
        if len(fields) < least or not all(fields[:least]):
            raise UserError(f"{where}: expected {least} fields or more with tabs between them")
    if not rows:
        raise UserError(f"{file} is empty: unpack the published archive anew")
    return rows


def _annotated(folder: Path, identifiers: set[str]) -> dict[str, str]:
    """The class of each validation image, as ``val_annotations.txt`` has it."""
    images = set(image_folders.entries(folder / "val" / "images", "validation images"))
    found: dict[str, str] = {}
    for where, (name, key, *_) in _rows(folder / "val" / "val_annotations.txt", 2):
        if key not in identifiers:
            raise UserError(f"{where}: {key!r} is no class of wnids.txt")
        if name not in images:  # also whatever would lead out of the folder
            raise UserError(f"{where}: there is no image {name!r} in {folder / 'val' / 'images'}")
        if f"val/images/{name}" in found:
            raise UserError(f"{where}: {name!r} is named twice")
        found[f"val/images/{name}"] = key
    return found


def _check_complete(
    folder: Path, identifiers: list[str], images: dict[str, str], what: str, expected: int
) -> None:
    counts = Counter(images.values())
    for key in identifiers:
        if counts[key] != expected:
            raise UserError(
                f"{folder} has {counts[key]} {what} images of {key}, TinyImageNet has {expected}: "
                "unpack the published archive anew"
            )
