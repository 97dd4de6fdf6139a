"""What ``prune`` and ``quotas`` share: the options that name the data, and recalls from them."""

import argparse
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, NamedTuple, Protocol, TextIO

from dropkit.commands import _output
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
  read a part at a time, so that they may be larger than the memory. Groups, such as
  label and background, take the place of classes with --groups: a group's recall is the accuracy
  within it.

recalls:
  Measure them on samples that the predicting model was not trained on: predictions for a
  validation set (--val-labels), or cross-validated predictions for the training set itself.
  Of a table, --recalls table.csv:class:recall takes them by the names of the classes, in any
  order; a list without names is in the order of the sorted classes.
"""


class Data(NamedTuple):
    """Labels, or groups, and what is known of each class; arrays have one entry a class."""

    labels: "Column"
    encode: "Encoder"
    classes: "np.ndarray"
    sizes: "np.ndarray"
    recalls: "np.ndarray"
    val_sizes: "np.ndarray"


def add_options(command: argparse.ArgumentParser, *, recalls: bool = True) -> None:
    """Add the options that `read` uses and `class_table` takes; the `recalls` may be a must."""
    command.epilog = FILE_FORMATS
    add = command.add_argument
    add("--labels", required=True, metavar="FILE", help="class of each training sample")
    source = command.add_mutually_exclusive_group(required=recalls)
    about = "predicted classes, of --val-labels or else --labels"
    source.add_argument("--predictions", metavar="FILE", help=about)
    about = "validation recalls in place of predictions, one a class: by name, or as sorted"
    source.add_argument("--recalls", metavar="FILE", help=about)
    add("--val-labels", metavar="FILE", help="true classes of the samples that were predicted")
    about = "group of each training sample: quotas go by these, not by the labels"
    add("--groups", metavar="FILE", help=about)
    add("--val-groups", metavar="FILE", help="groups of the samples of --val-labels")
    about = "pseudo-count in the recalls; 0 is the paper's rule, which deletes a class of recall 1"
    about += " (default: 10; 1 is Laplace's)"
    add("--smoothing", type=float, default=10.0, metavar="A", help=about)
    about = "classes in the printed table, those of lowest recall; 0 for all (default: 40)"
    add("--rows", type=int, default=40, metavar="N", help=about)
    about = "print one object a class and line, all of them, which --recalls reads as .jsonl"
    _output.add_options(command, about)


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
    """Return the classes of the labels, or the groups, and their recalls, NaN without any.

    Raises ValueError for data that do not fit.
    """
    import numpy as np

    from dropkit._common.labels import check_predictions
    from dropkit.commands._chunks import CHUNK, check_paired, classes_of, encoder, recalls_of
    from dropkit.commands._columns import column, recalls as read_recalls
    from dropkit.sampler.keeping import notice_perfect

    if options.rows < 0:
        raise ValueError(f"--rows is {options.rows}: it must be a number of classes, or 0 for all")
    if options.val_labels and options.recalls:
        raise ValueError("--val-labels go with --predictions: recalls are already measured")
    if options.val_groups and not (options.groups and options.val_labels):
        raise ValueError("--val-groups go with --groups and --val-labels")
    if options.groups and options.val_labels and not options.val_groups:
        raise ValueError("--groups and --val-labels are given: --val-groups must be, too")
    named = options.groups or options.labels  # what the quotas go by
    labels = Watched(column(named), bar)
    if options.groups:
        check_paired(column(options.labels), labels, "groups")
    measured = options.predictions and not options.val_labels
    bar.total = len(labels) * (4 if measured else 3)  # how often a whole run reads them
    classes, sizes = classes_of(labels)
    encode = encoder(classes, named)
    if options.recalls:
        recalls = read_recalls(options.recalls, classes)
        if recalls.shape != classes.shape:
            raise ValueError(
                f"{options.recalls} has {recalls.size} recalls and {named} "
                f"{classes.size} classes: expected one recall a class"
            )
        notice_perfect(recalls)
        return Data(labels, encode, classes, sizes, recalls, sizes)
    if not options.predictions:
        return Data(labels, encode, classes, sizes, np.full(classes.size, np.nan), sizes)
    truth, strata, known = column(options.labels) if options.groups else labels, labels, encode
    answers = classes_of(truth)[0] if options.groups else classes
    if options.val_labels:
        truth = strata = column(options.val_labels)
        known = encoder(classes, options.val_labels)
    if options.val_groups:
        strata, known = column(options.val_groups), encoder(classes, options.val_groups)
    predictions = column(options.predictions)
    recalls, val_sizes = recalls_of(truth, predictions, strata, known, classes.size)
    check_predictions(predictions[:CHUNK], answers)
    notice_perfect(recalls)
    return Data(labels, encode, classes, sizes, recalls, val_sizes)


@contextmanager
def progress(quiet: bool = False) -> Iterator[Bar]:
    """A bar on stderr, where it is a terminal and the work takes longer than a second.

    tqdm draws it, and nothing does where only what is needed is installed.
    """
    try:
        from tqdm import tqdm
    except ModuleNotFoundError:
        yield SimpleNamespace(total=None, update=lambda n: None)
        return
    with tqdm(disable=quiet or None, delay=1, unit=" labels", unit_scale=True, leave=False) as bar:
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
    """Print what is known of the `--rows` classes of lowest recall, 0 for all, and the columns.

    Without recalls, in the order of the classes.
    """
    import numpy as np

    shown = {"class": data.classes, "size": data.sizes, "recall": data.recalls, **columns}
    if options.json:
        for row in zip(*(values.tolist() for values in shown.values()), strict=True):
            known = [None if value != value else value for value in row]  # JSON has no NaN
            names = [name.replace(" ", "_") for name in shown]
            print(json.dumps(dict(zip(names, known, strict=True))), file=file)
        return
    if np.isnan(data.recalls).all():
        del shown["recall"]
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
