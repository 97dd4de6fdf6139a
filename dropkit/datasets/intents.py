"""Requests by intent: CLINC150 (Larson et al., 2019) and banking77 (Casanueva et al., 2020).

``oos-eval`` is CLINC150's published repository: its ``data/data_imbalanced.json`` has 25 to 100
training requests of each of 150 intents, ``data/data_full.json`` 100 of each, those of the former
among them. Both have the same 20 for validation and 30 for the test; requests of no intent are left
out. ``task-specific-datasets`` is banking77's: two tables, for training and for the test.
"""

import csv
import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path

import numpy as np

from dropkit._common.errors import UserError
from dropkit.datasets.data import Data
from dropkit.datasets.image_folders import published_folder

PARTS = ("train", "val", "test")
COLUMNS = ["text", "category"]
EVERY = 5  # request of an intent of banking77 is for validation

Row = tuple[str, str]  # text and intent


def clinc150(name: str, file: str, root: str | None) -> Data:
    """Load CLINC150 with the training set of a file, texts as an array of str."""
    path = published_folder(root, "oos-eval", name) / "data" / file
    with _published("CLINC150", path):
        found = json.loads(path.read_text(encoding="utf-8"))
        return _data({part: [(text, intent) for text, intent in found[part]] for part in PARTS})


def banking77(root: str | None) -> Data:
    """Load banking77; of each intent's training requests every fifth is for validation."""
    folder = published_folder(root, "task-specific-datasets", "banking77") / "banking_data"
    parts = {part: _table(folder / f"{part}.csv") for part in ("train", "test")}
    by_intent = sorted(_ordered(parts["train"]), key=lambda row: row[1])
    train, val = [], []
    for _, rows in groupby(by_intent, key=lambda row: row[1]):
        for place, row in enumerate(rows, start=1):
            (val if place % EVERY == 0 else train).append(row)
    with _published("banking77", folder):
        return _data({"train": train, "val": val, "test": parts["test"]})


def _table(path: Path) -> list[Row]:
    with _published("banking77", path), path.open(encoding="utf-8", newline="") as file:
        header, *rows = list(csv.reader(file)) or [[]]
        if header != COLUMNS:
            raise ValueError(f"its columns are {header}, not {COLUMNS}")
        return [(text, intent) for text, intent in rows]


@contextmanager
def _published(name: str, path: Path) -> Iterator[None]:
    """Say in one sentence that a file is missing, or not as published."""
    try:
        yield
    except OSError as error:
        raise UserError(f"{name} needs {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, csv.Error) as error:
        raise UserError(f"{path} is not {name} as published: {error}") from error


def _data(parts: Mapping[str, list[Row]]) -> Data:
    """The data set of three splits, each in an order that favours no intent when scores tie."""
    rows = [row for part in PARTS for row in _ordered(parts[part])]
    for row in rows:
        if not all(isinstance(cell, str) and cell.strip() for cell in row):
            raise ValueError(f"{list(row)} is no text with its intent")
    texts, intents = zip(*rows, strict=True)
    classes, y = np.unique(intents, return_inverse=True)
    splits = np.split(np.arange(len(y)), np.cumsum([len(parts[part]) for part in PARTS])[:-1])
    for part, indices in zip(PARTS, splits, strict=True):
        if len(lacking := np.setdiff1d(classes, classes[y[indices]])):
            raise ValueError(f"{part} has no request of {str(lacking[0])!r}")
    return Data(np.array(texts), y, *splits, tuple(map(str, classes)))


def _ordered(rows: list[Row]) -> list[Row]:
    """In the order of the digests of the texts."""
    return sorted(rows, key=lambda row: hashlib.sha256(str(row[0]).encode()).digest())
