"""Image sets that come as folders: their files in one order, with labels, splits and class names.

The order is that of the SHA-256 of the files' names. So a seed prunes the same images on every
machine, whichever way its folders list them, and scores that tie favour no class.
"""

import hashlib
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dropkit._common.errors import UserError
from dropkit.datasets.data import Data
from dropkit.datasets.decode import decoded

SUFFIXES = (".jpeg", ".jpg", ".png")


@dataclass(frozen=True, eq=False)
class Listing:
    """Image files by their paths inside a folder, labels (N,), and class names.

    The first `training` files are the training images, the others the published validation set.
    """

    folder: Path
    names: tuple[str, ...]
    y: np.ndarray
    training: int
    classes: tuple[str, ...]

    def data(self, name: str, resize: list[int] | None, side: int) -> Data:
        """The data set of this name, its images decoded once as ``decoded`` does."""
        digest = hashlib.sha256("\n".join(self.names).encode()).hexdigest()[:16]
        images = decoded(f"{name}-{digest}", self.folder, self.names, resize, side)
        return Data(images, self.y, *halved(self.y, self.training), self.classes)


def halved(labels: np.ndarray, training: int) -> list[np.ndarray]:
    """Training, validation and test indices of a pool whose first samples are for training.

    Of each class's other samples the first half is the validation split, for every seed, as in the
    authors' released code (Appendix A: half of the test set is reserved for validation).
    """
    test = np.arange(training, len(labels))
    halves = [np.array_split(test[labels[test] == k], 2) for k in range(labels.max() + 1)]
    return [np.arange(training), *map(np.concatenate, zip(*halves, strict=True))]


def arranged(
    folder: Path, parts: Sequence[Mapping[str, str]], classes: Mapping[str, str]
) -> Listing:
    """The listing of training and validation images: of each part the class by file.

    `classes` gives each class's name; their labels are in the order of their identifiers.
    """
    ordered = [sorted(part, key=_digest) for part in parts]
    labels = {identifier: label for label, identifier in enumerate(sorted(classes))}
    y = [labels[part[name]] for part, names in zip(parts, ordered, strict=True) for name in names]
    return Listing(
        folder,
        tuple(name for names in ordered for name in names),
        np.array(y, dtype=np.int64),
        len(parts[0]),
        tuple(classes[identifier] for identifier in labels),
    )


def _digest(name: str) -> bytes:
    return hashlib.sha256(name.rpartition("/")[2].encode()).digest()


def named_folder(root: str | Path, content: str) -> Path:
    """The folder that the user names for some data; one that is mistyped is not made."""
    if not Path(root).is_dir():
        raise UserError(
            f"there is no folder {root}: let --data or DROPKIT_DATA name one that has {content}"
        )
    return Path(root)


def published_folder(root: str | Path | None, folder: str, name: str) -> Path:
    """The published folder of a data set, in the folder of data sets that the user names."""
    if not root:
        raise UserError(
            f"{name} is not bundled: let DROPKIT_DATA name the folder that has {folder}"
        )
    return named_folder(root, folder) / folder


def entries(folder: Path, what: str, *, folders: bool = False) -> list[str]:
    """Names of the images in a folder, or of its folders, hidden ones left out."""
    try:
        with os.scandir(folder) as found:
            return sorted(
                entry.name
                for entry in found
                if not entry.name.startswith(".")
                and (entry.is_dir() if folders else entry.name.lower().endswith(SUFFIXES))
            )
    except OSError as error:
        raise UserError(f"{what} are looked for in {folder}: {error.strerror}") from error


def lines(file: Path) -> list[str]:
    """The lines of a list that lies beside the images."""
    try:
        return file.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{file} is no text in UTF-8: {error}") from error


def class_names(identifiers: Sequence[str], file: Path) -> dict[str, str]:
    """What people call each class: the first of the words that a line of the file gives it.

    A line is an identifier, a space or tab, and names with commas between them. A class keeps its
    identifier where there is no such file or line; where names are equal it stands behind them.
    """
    found = lines(file) if file.is_file() else []
    words = dict(fields for line in found if len(fields := line.split(maxsplit=1)) == 2)
    names = {key: words.get(key, "").split(",")[0].strip() or key for key in identifiers}
    count = Counter(names.values())
    return {key: name if count[name] == 1 else f"{name} ({key})" for key, name in names.items()}
