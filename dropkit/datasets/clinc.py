"""CLINC150 with its imbalanced training set (Larson et al., 2019): requests of 150 intents.

``oos-eval`` is the published repository; its ``data/data_imbalanced.json`` has 25 to 100 training
requests of each intent, 20 for validation and 30 for the test. Those of no intent are left out.
"""

import hashlib
import json

import numpy as np

from dropkit._common.errors import UserError
from dropkit.datasets.data import Data
from dropkit.datasets.image_folders import published_folder

FOLDER, FILE = "oos-eval", "data_imbalanced.json"
PARTS = ("train", "val", "test")


def load(seed: int, root: str | None) -> Data:
    """Load the data set, texts as an array of str; its splits are the same for every seed."""
    path = published_folder(root, FOLDER, "clinc150") / "data" / FILE
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        # In an order that favours no intent when scores tie: that of a digest.
        parts = [sorted(map(tuple, found[part]), key=_digest) for part in PARTS]
        texts, intents = zip(*sum(parts, []), strict=True)
        classes, y = np.unique(intents, return_inverse=True)
        splits = np.split(np.arange(len(y)), np.cumsum([len(part) for part in parts])[:-1])
        for part, rows in zip(PARTS, splits, strict=True):
            if len(lacking := np.setdiff1d(classes, classes[y[rows]])):
                raise ValueError(f"{part} has no request of {str(lacking[0])!r}")
    except OSError as error:
        raise UserError(f"clinc150 needs {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path} is not CLINC150 as published: {error}") from error
    return Data(np.array(texts), y, *splits, tuple(map(str, classes)))


def _digest(row: tuple[str, str]) -> bytes:
    return hashlib.sha256(row[0].encode()).digest()
