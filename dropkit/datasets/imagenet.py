"""ImageNet (ILSVRC 2012) from folders of one class each, as torchvision's ImageFolder reads it.

``imagenet/train/<class>/*.JPEG`` and ``imagenet/val/<class>/*.JPEG``, a class being its WordNet
identifier. Names of the classes are those in ``imagenet/LOC_synset_mapping.txt`` or
``imagenet/words.txt`` where there is one. Half of the published validation set is our test split.

The shorter side of an image is resized to 256 pixels and a square of 224 is kept, as is usual for
evaluation; training shifts and flips the same pixels (Appendix A). All images take 200 GB.
"""

from functools import lru_cache
from pathlib import Path

from dropkit._common.errors import UserError
from dropkit.datasets import image_folders
from dropkit.datasets.data import Data

FOLDER = "imagenet"
WORDS = ("LOC_synset_mapping.txt", "words.txt")
CLASSES, TRAINING, VALIDATION = 1000, 1_281_167, 50_000
SIDE, SHORT = 224, 256  # pixels that are kept, of an image whose shorter side has so many


def load(seed: int, root: str | None) -> Data:
    """Load the data set; its splits are the same for every seed."""
    return read(root).data("imagenet", [SHORT], SIDE)


@lru_cache(maxsize=2)
def read(root: str | None) -> image_folders.Listing:
    """List the images in the folder ``imagenet`` of `root`, and check that they are all there."""
    folder = image_folders.published_folder(root, FOLDER, "imagenet")
    parts = [_part(folder, half) for half in ("train", "val")]
    keys, others = (set(part.values()) for part in parts)
    if keys != others:
        raise UserError(
            f"{folder} has images of {min(keys ^ others)} in only one of train and val: each must "
            "have one folder a class"
        )
    found = len(keys), *map(len, parts)
    expected = CLASSES, TRAINING, VALIDATION
    if found != expected:
        raise UserError(
            "{} has {} classes, {:,} training and {:,} validation images; ImageNet has {}, {:,} "
            "and {:,}".format(folder, *found, *expected)
        )
    words = next((file for name in WORDS if (file := folder / name).is_file()), folder / WORDS[0])
    return image_folders.arranged(folder, parts, image_folders.class_names(sorted(keys), words))


def _part(folder: Path, half: str) -> dict[str, str]:
    """The class of each image of a half."""
    keys = image_folders.entries(folder / half, "the classes of ImageNet", folders=True)
    if not keys:
        raise UserError(f"{folder / half} has no folders: each class must have one of its own")
    return {
        f"{half}/{key}/{name}": key
        for key in keys
        for name in image_folders.entries(folder / half / key, "images")
    }
