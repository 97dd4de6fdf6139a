"""Data sets by name: those of the package, and those that users register."""

import os
import re
from collections.abc import Callable
from functools import partial

from dropkit._common.checks import check_whole
from dropkit._common.errors import UserError, needed_by
from dropkit._common.fingerprint import pinned
from dropkit.datasets import (
    cifar,
    corrupted,
    digits,
    features,
    imagenet,
    intents,
    tinyimagenet,
    waterbirds,
)
from dropkit.datasets.data import Data, Loader


def load(name: str, seed: int = 0, root: str | None = None) -> Data:
    """Load the data set `name`.

    Parameters
    ----------
    name : str
        One of ``names()``.
    seed : int
        Draws the split where a data set has none of its own (the digits). The pool is the same for
        every seed.
    root : str, optional
        Folder of data sets that do not come with a package; default: ``$DROPKIT_DATA``.

    Raises
    ------
    MissingExtra
        Where a package is not installed that it is read with.
    ValueError
        For an unknown name, a seed that is no integer or negative, or files that are missing or
        damaged.
    """
    if name not in _LOADERS:
        raise UserError(f"unknown data set {name!r}; known are {', '.join(names())}")
    check_whole(seed, "seed")
    with needed_by(f"the data set {name!r}"):
        return _LOADERS[name](seed, root or os.environ.get("DROPKIT_DATA"))


def version(name: str, root: str | None = None) -> str:
    """Return what names the draw of a data set where more than one goes by its name; else "".

    Parameters
    ----------
    name, root : str
        As in ``load``, which raises the same errors.
    """
    if name not in _VERSIONS:
        return ""
    with needed_by(f"the data set {name!r}"):
        return _VERSIONS[name](root or os.environ.get("DROPKIT_DATA"))


def identity(name: str) -> tuple[object, ...]:
    """Return what a name stands for here and now: the user's folder, the draw, and the loader."""
    draw = "" if is_own(name) else version(name)  # whose loader is another when it changes
    return os.environ.get("DROPKIT_DATA"), draw, _LOADERS.get(name)


def names() -> list[str]:
    """Return the names that ``load`` knows."""
    return sorted(_LOADERS)


def is_own(name: str) -> bool:
    """Return whether the data set is, or would be, one that a user registers.

    Parameters
    ----------
    name : str
        Any.
    """
    return name not in _BUNDLED


def register(name: str, loader: Loader, *, version: str | None = None) -> None:
    """Let ``load`` and the studies know a data set of one's own.

    Registering one's own name again replaces it. ``recipes.DEFAULTS[name]`` may name the model and
    the recipe that it is trained with; a grid that is given both needs none.

    Parameters
    ----------
    name : str
        Lower-case letters, digits, dots and hyphens.
    loader : callable
        From a seed and a folder (or None), as ``load`` takes them, to a Data. Its pool should be
        the same for every seed.
    version : str, optional
        Tells trials on other draws of the data apart; default: a digest of the loader's source and
        of the values that it takes with it. Files that it reads are not among them.

    Raises
    ------
    ValueError
        If the name is one of dropkit's own or has other characters than lower-case letters,
        digits, dots and hyphens, or if the loader depends on what no value tells apart, such as a
        generator, and has no version; and from ``load``, if the loader returns no sound Data.
    """
    if name in _BUNDLED or not re.fullmatch(r"[a-z0-9][a-z0-9.-]*", name):
        raise ValueError(
            f"the data set name {name!r} cannot be used: it must be lower-case letters, digits, "
            f"dots and hyphens, and none of {', '.join(sorted(_BUNDLED))}"
        )

    def checked(seed: int, root: str | None) -> Data:
        data = loader(seed, root)
        if not isinstance(data, Data):
            raise ValueError(f"the loader of {name!r} returned {type(data).__name__}, not Data")
        try:
            return data.sound()
        except ValueError as error:
            raise ValueError(f"the loader of {name!r}: {error}") from error

    named = pinned(loader, f"the loader of {name!r}", version)
    _LOADERS[name] = checked
    _VERSIONS[name] = lambda root: named()


_LOADERS: dict[str, Loader] = {
    # A clean set: recalls near 1, where the literal DRoP rule deletes classes.
    "digits": digits.seen(lambda images: images),
    # A poor sensor: 8 x 8 pixels averaged to 2 x 4. Real pixels with a real class bias.
    "digits-2x4": digits.seen(lambda images: images.reshape(-1, 2, 4, 4, 2).mean(axis=(2, 4))),
    # A narrow sensor: the three middle rows of every image.
    "digits-3rows": digits.seen(lambda images: images[:, 3:6]),
    # The background gives the label away in training, not in the test: groups, as in Waterbirds.
    "digits-on-photos": digits.on_photos,
    "waterbirds": waterbirds.load,
    "clinc150": lambda seed, root: intents.clinc150("clinc150", "data_imbalanced.json", root),
    # Its balanced twin: the same intents and tests.
    "clinc150-balanced": lambda seed, root: intents.clinc150(
        "clinc150-balanced", "data_full.json", root
    ),
    "banking77": lambda seed, root: intents.banking77(root),
    "tinyimagenet": tinyimagenet.load,
    "imagenet": imagenet.load,
    "cifar10": lambda seed, root: cifar.load("cifar10", root),
    "cifar100": lambda seed, root: cifar.load("cifar100", root),
    # Test images corrupted.
    corrupted.NAME: lambda seed, root: corrupted.load(root),
    # The 20 superclasses of CIFAR-100.
    "cifar100-coarse": lambda seed, root: cifar.load("cifar100", root, coarse=True),
}

# By the folder that the user may name; of sets of which more than one draw goes by the name.
_VERSIONS: dict[str, Callable[[str | None], str]] = {
    "waterbirds": lambda root: f"metadata.csv {waterbirds.read(root).sha256[:16]}"
}

_images = ("waterbirds", "cifar10", "cifar100", corrupted.NAME, "tinyimagenet", "imagenet")
_other_networks = ("waterbirds-lite1", "waterbirds-lite2", "waterbirds-resnet50")
_texts = ("clinc150", "clinc150-balanced", "banking77")
for _name in (*_images, *_other_networks, *_texts, *(f"{name}-tfidf" for name in _texts)):
    _seen = _name + features.SUFFIX  # by a frozen network
    _LOADERS[_seen] = lambda seed, root, name=_seen: features.load(name, root)
    _VERSIONS[_seen] = partial(features.version, _seen)

_CORRUPTED = corrupted.NAME + features.SUFFIX
for _kind in corrupted.KINDS:  # each a test of its own, of one file
    _part = f"{corrupted.NAME}-{_kind}{features.SUFFIX}"
    _LOADERS[_part] = lambda seed, root, kind=_kind: corrupted.only(
        kind, features.load(_CORRUPTED, root)
    )
    _VERSIONS[_part] = partial(features.version, _CORRUPTED)

_BUNDLED = frozenset(_LOADERS)
