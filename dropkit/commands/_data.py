"""What ``prune`` and ``quotas`` share: the options that name the data, and recalls from them."""

import argparse
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    import numpy as np

    from dropkit.commands._chunks import Column, Encoder

FILE_FORMATS = """\
files:
  FILE is .npy (one axis), .csv (the first row names the columns) or .parquet. Of a table with
  several columns, name one after a colon: train.csv:label. Labels are whole numbers or text;
  labels and predictions must be of one kind. Files of .npy are read a part at a time, so that
  they may be larger than the memory. Groups may take the place of classes, with --recalls.

recalls:
  Measure them on samples that the predicting model was not trained on: predictions for a
  validation set (--val-labels), or cross-validated predictions for the training set itself.
"""


class Data(NamedTuple):
    """Labels and what is known of each class; arrays have one entry a class."""

    labels: "Column"
    encode: "Encoder"
    classes: "np.ndarray"
    sizes: "np.ndarray"
    recalls: "np.ndarray"
    val_sizes: "np.ndarray"


def add_data_options(command: argparse.ArgumentParser) -> None:
    """Add the options that `read` uses and `class_table` takes."""
    command.formatter_class = argparse.RawDescriptionHelpFormatter
    command.epilog = FILE_FORMATS
    add = command.add_argument
    add("--labels", required=True, metavar="FILE", help="class of each training sample")
    source = command.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--predictions", metavar="FILE", help="predicted classes, of --val-labels or else --labels"
    )
    source.add_argument(
        "--recalls",
        metavar="FILE",
        help="validation recalls in place of predictions, one a class"
        " in the order of the sorted classes",
    )
    add("--val-labels", metavar="FILE", help="true classes of the samples that were predicted")
    add(
        "--smoothing",
        type=float,
        default=1.0,
        metavar="A",
        help="pseudo-count in the recalls; 0 is the paper's rule, which deletes a class of recall 1"
        " (default: 1, Laplace's)",
    )
    add(
        "--rows",
        type=int,
        default=40,
        metavar="N",
        help="classes in the printed table, those of lowest recall; 0 for all (default: 40)",
    )


class Bar(Protocol):
    """What is told how many labels were gone through, of how many in all."""

    total: float | None

    def update(self, n: int) -> object: ...


def read(options: argparse.Namespace, bar: Bar) -> Data:
    """Return the classes of the labels and their recalls; ValueError for data that do not fit."""
    from dropkit._common.labels import check_predictions
    from dropkit.commands._chunks import CHUNK, class_sizes, classes_of, encoder, recalls_of
    from dropkit.commands._columns import column, numbers

    if options.rows < 0:
        raise ValueError(f"--rows is {options.rows}: it must be a number of classes, or 0 for all")
    if options.val_labels and options.recalls:
        raise ValueError("--val-labels go with --predictions: recalls are already measured")
    labels = column(options.labels)
    bar.total = 4 * len(labels)  # the passes of a whole run
    classes = classes_of(labels, bar.update)
    encode = encoder(classes, options.labels)
    if options.predictions and not options.val_labels:
        predictions = column(options.predictions)
        recalls, sizes = recalls_of(labels, predictions, encode, classes.size, bar.update)
        check_predictions(predictions[:CHUNK], classes)
        return Data(labels, encode, classes, sizes, recalls, sizes)
    sizes = class_sizes(labels, encode, classes.size, bar.update)
    if options.predictions:
        truth, predictions = column(options.val_labels), column(options.predictions)
        known = encoder(classes, options.val_labels)
        recalls, val_sizes = recalls_of(truth, predictions, known, classes.size)
        check_predictions(predictions[:CHUNK], classes)
        return Data(labels, encode, classes, sizes, recalls, val_sizes)
    recalls = numbers(options.recalls)
    if recalls.shape != classes.shape:
        raise ValueError(
            f"{options.recalls} has {recalls.size} recalls and {options.labels} "
            f"{classes.size} classes: expected one recall a class"
        )
    return Data(labels, encode, classes, sizes, recalls, sizes)


@contextmanager
def progress() -> Iterator[Bar]:
    """A bar on stderr, where it is a terminal and the work takes longer than a second.

    tqdm draws it, and nothing does where only what is needed is installed.
    """
    try:
        from tqdm import tqdm
    except ModuleNotFoundError:
        yield SimpleNamespace(total=None, update=lambda n: None)
        return
    with tqdm(disable=None, delay=1, unit=" labels", unit_scale=True, leave=False) as bar:
        yield bar


@contextmanager
def plain_warnings() -> Iterator[None]:
    """Print warnings to stderr as one sentence each."""
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = lambda message, *_: print(f"warning: {message}", file=sys.stderr)
        yield


def shown(data: Data, rows: int) -> "np.ndarray":
    """Return the indices of the classes to print: all in order, or the `rows` of lowest recall."""
    import numpy as np

    if rows == 0 or rows >= data.classes.size:
        return np.arange(data.classes.size)
    unknown_first = np.nan_to_num(data.recalls, nan=-1)
    return np.argsort(unknown_first, kind="stable")[:rows]


def print_table(headers: list[str], columns: list[list[str]], hidden: int) -> None:
    """Print columns, the first to the left and the others to the right."""
    widths = [max(map(len, [head, *cells])) for head, cells in zip(headers, columns, strict=True)]
    for row in [headers, *zip(*columns, strict=True)]:
        first, *others = (
            cell.rjust(width) if i else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        print("  ".join([first, *others]).rstrip())
    if hidden:
        print(f"... and {hidden:,} classes of higher recall (--rows 0 prints all)")
