"""CIFAR-10 and CIFAR-100 (Krizhevsky, 2009), from any of the forms they are kept in.

Images are brought to one order, that of the SHA-256 of their pixels. So a seed prunes the same
images wherever they were read from, scores that tie favour no class, and a checksum over all images
tells a damaged copy.
"""

import hashlib
from functools import lru_cache
from pathlib import Path

import numpy as np

from dropkit._common.errors import UserError
from dropkit.datasets.data import Data, Images
from dropkit.datasets.image_folders import halved, named_folder

# SHA-256 of pixels and labels (uint8) in this module's order, training images first.
CHECKSUMS = {
    "cifar10": "d18dc1c99625b4366501f2cbb71b0d5beb083fe01406508a233fe7f05ec45562",
    "cifar100": "e97d670ef699cc41f826ea59aa1cf1cd8fff480fa9b46b886e22c2e5fd06feb3",
}

# Of the training images, scaled to 0 .. 1.
NORMALISATION = {
    "cifar10": ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
    "cifar100": ((0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762)),
}

# The 20 superclasses of CIFAR-100, five classes each.
SUPERCLASSES = {
    "aquatic mammals": "beaver dolphin otter seal whale",
    "fish": "aquarium_fish flatfish ray shark trout",
    "flowers": "orchid poppy rose sunflower tulip",
    "food containers": "bottle bowl can cup plate",
    "fruit and vegetables": "apple mushroom orange pear sweet_pepper",
    "household electrical devices": "clock keyboard lamp telephone television",
    "household furniture": "bed chair couch table wardrobe",
    "insects": "bee beetle butterfly caterpillar cockroach",
    "large carnivores": "bear leopard lion tiger wolf",
    "large man-made outdoor things": "bridge castle house road skyscraper",
    "large natural outdoor scenes": "cloud forest mountain plain sea",
    "large omnivores and herbivores": "camel cattle chimpanzee elephant kangaroo",
    "medium-sized mammals": "fox porcupine possum raccoon skunk",
    "non-insect invertebrates": "crab lobster snail spider worm",
    "people": "baby boy girl man woman",
    "reptiles": "crocodile dinosaur lizard snake turtle",
    "small mammals": "hamster mouse rabbit shrew squirrel",
    "trees": "maple_tree oak_tree palm_tree pine_tree willow_tree",
    "vehicles 1": "bicycle bus motorcycle pickup_truck train",
    "vehicles 2": "lawn_mower rocket streetcar tank tractor",
}

Raw = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, tuple[str, ...]]


@lru_cache(maxsize=2)
def read(name: str, root: str | None) -> tuple[Images, np.ndarray, list[np.ndarray], tuple]:
    """Return images, labels (N,), training, validation and test indices, and class names.

    The data are looked for in `root` as NAME.npz, in two packed parts NAME_part0.npz and
    NAME_part1.npz, or as torchvision keeps them; torchvision downloads what is not there, to
    ``~/.cache/dropkit-data`` where `root` is None.
    """
    content = f"{name}.npz or torchvision's copy, or make it and torchvision downloads it there"
    folder = named_folder(root, content) if root else Path.home() / ".cache" / "dropkit-data"
    where, raw = _find(name, folder)
    x_train, y_train, x_test, y_test, classes = _checked(raw, where)
    train, test = _order(x_train, y_train), _order(x_test, y_test)
    pixels = np.concatenate([x_train[train], x_test[test]])
    labels = np.concatenate([y_train[train], y_test[test]]).astype(np.int64)
    content = pixels.tobytes() + labels.astype(np.uint8).tobytes()
    if hashlib.sha256(content).hexdigest() != CHECKSUMS[name]:
        raise UserError(f"{where} is damaged: its images are not those of {name}, fetch it again")
    return Images(pixels, *NORMALISATION[name]), labels, halved(labels, len(train)), classes


def load(name: str, root: str | None, *, coarse: bool = False) -> Data:
    """Load "cifar10" or "cifar100", whose classes are its superclasses where `coarse`."""
    x, y, splits, classes = read(name, root)
    if coarse:
        y, classes = superclasses(y, classes)
    return Data(x, y, *splits, classes)


def superclasses(
    labels: np.ndarray, classes: tuple[str, ...]
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return CIFAR-100's labels and class names as superclasses."""
    members = {fine: k for k, names in enumerate(SUPERCLASSES.values()) for fine in names.split()}
    return np.array([members[fine] for fine in classes])[labels], tuple(SUPERCLASSES)


def _order(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """By the digest of the pixels, and by class where two images are the same."""
    digests = np.array([hashlib.sha256(image).hexdigest() for image in np.ascontiguousarray(x)])
    return np.lexsort((y, digests))


def _find(name: str, folder: Path) -> tuple[Path, Raw]:
    for end, read_file in ((".npz", _read_whole), ("_part0.npz", _read_parts)):
        if (file := folder / f"{name}{end}").is_file():
            try:
                return file, read_file(file)
            except UserError:
                raise
            except Exception as error:  # readers of archives raise what they like
                raise UserError(f"{file} cannot be read as CIFAR: {error}") from error
    return folder, _from_torchvision(name, folder)


def _read_whole(file: Path) -> Raw:
    with file.open("rb") as stream, np.load(stream, allow_pickle=False) as data:
        arrays = [data[key] for key in ("x_train", "y_train", "x_test", "y_test")]
        return *arrays, tuple(map(str, data["classes"]))


def _read_parts(file: Path) -> Raw:
    """Two archives of JPEG XL mosaics, lossless, with the order of their tiles."""
    parts: dict[str, np.ndarray] = {}
    for number in (1, 0):
        part = file.with_name(file.name.replace("part0", f"part{number}"))
        with part.open("rb") as stream, np.load(stream, allow_pickle=False) as data:
            parts |= dict(data)
    mosaics = [_decode(parts[key].tobytes()) for key in sorted(parts) if key[1:].isdigit()]
    tiles = [
        mosaic.reshape(len(mosaic) // 32, 32, -1, 32, 3).swapaxes(1, 2).reshape(-1, 32, 32, 3)
        for mosaic in mosaics
    ]
    order, y_train = parts["order"], parts["y_train"]
    x = np.empty((len(order), 32, 32, 3), np.uint8)
    x[order] = np.concatenate(tiles)[: len(order)]
    split = len(y_train)
    return x[:split], y_train, x[split:], parts["y_test"], tuple(map(str, parts["classes"]))


def _decode(content: bytes) -> np.ndarray:
    try:
        import imagecodecs
    except ImportError as error:
        raise UserError(
            "the packed form needs a decoder of JPEG XL: install it by `pip install imagecodecs`"
        ) from error
    return imagecodecs.jpegxl_decode(content)


def _from_torchvision(name: str, folder: Path) -> Raw:
    """torchvision's copy; it compares the files with published checksums before it reads them."""
    from torchvision import datasets

    kind = {"cifar10": datasets.CIFAR10, "cifar100": datasets.CIFAR100}[name]
    try:
        train, test = (kind(str(folder), train=flag, download=True) for flag in (True, False))
    except (OSError, RuntimeError) as error:
        raise UserError(
            f"{name} is not in {folder} and cannot be downloaded there ({error}): "
            f"let DROPKIT_DATA name a folder that has {name}.npz or torchvision's copy"
        ) from error
    arrays = [part for half in (train, test) for part in (half.data, np.array(half.targets))]
    return *arrays, tuple(train.classes)


def _checked(raw: Raw, where: Path) -> Raw:
    for x, y in (raw[:2], raw[2:4]):
        if x.dtype != np.uint8 or x.shape[1:] != (32, 32, 3) or y.shape != x.shape[:1]:
            raise UserError(
                f"{where} holds images {x.dtype} {x.shape} with labels {y.shape}: "
                "they must be uint8 (n, 32, 32, 3) with as many labels"
            )
    return raw
