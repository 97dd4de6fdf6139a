"""What ``prune`` and ``quotas`` share: the options that name the data, and recalls from them."""

import argparse
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, NamedTuple, Protocol, TextIO

from dropkit.commands._output import print_rows

if TYPE_CHECKING:
    import numpy as np

    from dropkit.commands._chunks import Column, Encoder
    from dropkit.pruning import ClassTable

FILE_FORMATS = """\
files:
  FILE is .npy (one axis), .csv or .tsv (the first row names the columns), .jsonl (an object a
  line) or .parquet; text may be packed as .gz, and - is standard input, which may be any of them
  but .parquet. Of a table with several columns, name one after a colon: train.csv:label, -:label.
  Labels are whole numbers or text; labels and predictions must be of one kind. Files of .npy are
  read a part at a time, so that they may be larger than the memory. Groups may take the place of
  classes, with --recalls.

recalls:
  Measure them on samples that the predicting model was not trained on: predictions for a
  validation set (--val-labels), or cross-validated predictions for the training set itself.
  Of a table, --recalls table.csv:class:recall takes them by the names of the classes, in any
  order; a list without names is in the order of the sorted classes.
"""


class Data(NamedTuple):
    """Labels and what is known of each class; arrays have one entry a class."""

    labels: "Column"
    encode: "Encoder"
    classes: "np.ndarray"
    sizes: "np.ndarray"
    recalls: "np.ndarray"
    val_sizes: "np.ndarray"


def add_options(command: argparse.ArgumentParser) -> None:
    """Add the options that `read` uses and `class_table` takes."""
    command.epilog = FILE_FORMATS
    add = command.add_argument
    add("--labels", required=True, metavar="FILE", help="class of each training sample")
    source = command.add_mutually_exclusive_group(required=True)
    about = "predicted classes, of --val-labels or else --labels"
    source.add_argument("--predictions", metavar="FILE", help=about)
    about = "validation recalls in place of predictions, one a class: by name, or as sorted"
    source.add_argument("--recalls", metavar="FILE", help=about)
    add("--val-labels", metavar="FILE", help="true classes of the samples that were predicted")
    about = "pseudo-count in the recalls; 0 is the paper's rule, which deletes a class of recall 1"
    about += " (default: 1, Laplace's)"
    add("--smoothing", type=float, default=1.0, metavar="A", help=about)
    about = "classes in the printed table, those of lowest recall; 0 for all (default: 40)"
    add("--rows", type=int, default=40, metavar="N", help=about)
    about = "print one object a class and line, all of them, which --recalls reads as .jsonl"
    add("--json", action="store_true", help=about)


class Bar(Protocol):
    """What is told how many labels were gone through, of how many in all."""

    total: float | None

    def update(self, n: int) -> object: ...


class Watched:
    """A column that tells a bar what is read of it."""

    def __init__(self, column: "Column", bar: Bar):
        self.column, self.bar = column, bar

    def __len__(self) -> int:
        return len(self.column)

    def __getitem__(self, part: slice) -> "np.ndarray":
        found = self.column[part]
        self.bar.update(len(found))
        return found


def read(options: argparse.Namespace, bar: Bar) -> Data:
    """Return the classes of the labels and their recalls; ValueError for data that do not fit."""
    from dropkit._common.labels import check_predictions
    from dropkit.commands._chunks import CHUNK, classes_of, encoder, recalls_of
    from dropkit.commands._columns import column, recalls as read_recalls

    if options.rows < 0:
        raise ValueError(f"--rows is {options.rows}: it must be a number of classes, or 0 for all")
    if options.val_labels and options.recalls:
        raise ValueError("--val-labels go with --predictions: recalls are already measured")
    labels = Watched(column(options.labels), bar)
    measured = options.predictions and not options.val_labels
    bar.total = len(labels) * (4 if measured else 3)  # how often a whole run reads them
    classes, sizes = classes_of(labels)
    encode = encoder(classes, options.labels)
    if options.recalls:
        recalls = read_recalls(options.recalls, classes)
        if recalls.shape != classes.shape:
            raise ValueError(
                f"{options.recalls} has {recalls.size} recalls and {options.labels} "
                f"{classes.size} classes: expected one recall a class"
            )
        return Data(labels, encode, classes, sizes, recalls, sizes)
    truth, known = labels, encode
    if options.val_labels:
        truth, known = column(options.val_labels), encoder(classes, options.val_labels)
    predictions = column(options.predictions)
    recalls, val_sizes = recalls_of(truth, predictions, known, classes.size)
    check_predictions(predictions[:CHUNK], classes)
    return Data(labels, encode, classes, sizes, recalls, val_sizes)


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


def kept_of_each_class(
    data: Data, options: argparse.Namespace, density: float, **minimum
) -> "ClassTable":
    """Return what each class keeps at a density; the `minimum` is that of ``class_table``."""
    from dropkit.pruning import class_table

    return class_table(
        data.classes,
        data.sizes,
        data.recalls,
        density,
        smoothing=options.smoothing,
        val_sizes=data.val_sizes,
        **minimum,
    )


def print_classes(
    data: Data,
    options: argparse.Namespace,
    columns: Mapping[str, "np.ndarray"],
    file: TextIO | None = None,
) -> None:
    """Print what is known of the `--rows` classes of lowest recall, 0 for all, and the columns."""
    import numpy as np

    shown = {"class": data.classes, "size": data.sizes, "recall": data.recalls, **columns}
    if options.json:
        for row in zip(*(values.tolist() for values in shown.values()), strict=True):
            known = [None if value != value else value for value in row]  # JSON has no NaN
            names = [name.replace(" ", "_") for name in shown]
            print(json.dumps(dict(zip(names, known, strict=True))), file=file)
        return
    some = np.arange(data.classes.size)
    if 0 < options.rows < some.size:
        unknown_first = np.nan_to_num(data.recalls, nan=-1)
        some = np.argsort(unknown_first, kind="stable")[: options.rows]
    cells = [
        [f"{value:.4f}" if isinstance(value, float) else value for value in values[some].tolist()]
        for values in shown.values()
    ]
    print_rows([list(shown), *zip(*cells, strict=True)], file=file)
    if hidden := data.classes.size - some.size:
        print(f"... and {hidden:,} classes of higher recall (--rows 0 prints all)", file=file)
