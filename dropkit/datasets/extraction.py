"""Features of images or texts, by a frozen network, into one file; an interrupted run goes on.

Vectors are centred on the mean of the training set and divided by the root of its mean squared
length, so that one learning rate fits every network. The compact form keeps principal components of
the training set, in one byte each, all with the same step: later components, of less variance, then
take fewer bits of the file.
"""

import hashlib
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from dropkit._common.errors import UserError
from dropkit.datasets.data import Data, Images
from dropkit.datasets.features import SPLITS
from dropkit.models.frozen import TFIDF, Frozen, Sentences, frozen, takes, tfidf
from dropkit.store.records import write_atomically

BATCH = 32  # images or texts
CHUNK = 4096  # vectors that are in memory at once, as numbers of double precision


def extract(
    name: str,
    data: Data,
    network: str,
    out: Path,
    *,
    components: int = 0,
    device: str = "cpu",
    bfloat16: bool = False,
) -> None:
    """Write the features of a data set to a file that ``datasets.load`` reads.

    Parameters
    ----------
    name : str
        Of the data set.
    data : Data
        Its images, or texts, (N,) of str.
    network : str
        A name of ``models.frozen.frozen``, or "tfidf", which asks none.
    out : Path
        The ``.npz`` file; what is finished lies beside it until it is whole.
    components : int
        Principal components to keep, in one byte each; 0 keeps the vectors, as float16.
    device : str
        Where the network runs.
    bfloat16 : bool
        Whether products of a network of images are in bfloat16, which new processors and GPUs
        have instructions for.

    Raises
    ------
    ValueError
        For samples that the network does not take, a text that is empty or missing, or more
        components than the vectors have.
    """
    kind = kind_of(data)
    if kind != takes(network):
        raise UserError(f"{network} makes vectors of {takes(network)}: {name} has {kind}")
    if kind == "texts":
        _check_texts(name, data.x)
    see = tfidf(data.x[data.train]) if network == TFIDF else frozen(network, device)
    if bfloat16 and isinstance(see, Frozen):
        see = see._replace(precision=torch.bfloat16, weights=f"{see.weights}-bfloat16")
    digest = _digest(data)
    part = out.with_name(f"{out.name}.{see.weights}-{digest:.8}.part")
    vectors = _vectors(see, data.x, part, kind)
    if components > vectors.shape[1]:
        raise UserError(f"{network} has {vectors.shape[1]} features, not {components}")
    features, step = _compact(vectors, data.train, components)
    header = {"dataset": name, "network": network, "weights": see.weights, kind: digest}
    split = np.zeros(len(data.y), np.uint8)
    for code, indices in enumerate(SPLITS):
        split[getattr(data, indices)] = code
    arrays = {"features": features, "step": step, "split": split, "y": data.y.astype(np.int16),
              "classes": np.array(data.classes),
              "header": np.array(json.dumps(header | {"components": components}))}  # fmt: skip
    if data.groups is not None:
        arrays |= {"groups": data.groups.astype(np.int16), "group_names": data.group_names}
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)
    write_atomically(out, content.getvalue())
    part.unlink()


def kind_of(data: Data) -> str:
    """Return what the samples of a data set are: "images", "texts" or "numbers"."""
    if isinstance(data.x, Images):
        return "images"
    return "texts" if data.x.dtype.kind in "OTU" and data.x.ndim == 1 else "numbers"


def _check_texts(name: str, texts: np.ndarray) -> None:
    for row, text in enumerate(texts):
        if not isinstance(text, str) or not text.strip():
            raise UserError(f"sample {row} of {name} is {text!r}: it must be a text with words")


def _digest(data: Data) -> str:
    """The SHA-256 of all pixels, or of all texts, a line each, in the order of the pool."""
    if not isinstance(data.x, Images):
        return hashlib.sha256("\n".join(data.x).encode()).hexdigest()
    digest = hashlib.sha256()
    for rows in _chunks(len(data.y)):
        digest.update(np.ascontiguousarray(data.x.pixels[rows]))
    return digest.hexdigest()


def _chunks(count: int) -> Iterator[slice]:
    return (slice(start, start + CHUNK) for start in range(0, count, CHUNK))


def _vectors(see: Frozen | Sentences, x: np.ndarray | Images, part: Path, kind: str) -> np.ndarray:
    """The vectors (N, d) of all samples, float16, read from a file that is filled by batches."""
    from tqdm import tqdm

    width = see.vectors(x[:1]).shape[1]
    with open(part, "ab") as file:
        done = file.tell() // (2 * width)
        file.truncate(2 * width * done)
        with tqdm(total=len(x), initial=done, desc="features", unit=kind[:-1]) as bar:
            for start in range(done, len(x), BATCH):
                file.write(see.vectors(x[start : start + BATCH]).astype(np.float16))
                bar.update(min(BATCH, len(x) - start))
        os.fsync(file.fileno())
    return np.memmap(part, np.float16, "r", shape=(len(x), width))


def _compact(
    vectors: np.ndarray, train: np.ndarray, components: int
) -> tuple[np.ndarray, np.float32]:
    """Centred and scaled vectors, float16; or their components in bytes, and the bytes' step."""
    parts = [train[rows] for rows in _chunks(len(train))]
    mean = sum(vectors[part].sum(axis=0, dtype=float) for part in parts) / len(train)
    gram = sum(centred.T @ centred for centred in (vectors[part] - mean for part in parts))
    scale = np.sqrt(np.trace(gram) / len(train))
    basis = np.eye(len(mean))
    if components:
        basis = np.linalg.eigh(gram)[1][:, : -components - 1 : -1]
        basis *= np.sign(basis[np.abs(basis).argmax(axis=0), np.arange(components)])
    projected = [(vectors[rows] - mean) @ (basis / scale) for rows in _chunks(len(vectors))]
    found = np.concatenate([part.astype(np.float32) for part in projected])
    if not components:
        return found.astype(np.float16), np.float32(1)
    step = np.abs(found).max() / 127
    return np.rint(found / step).astype(np.int8), step
