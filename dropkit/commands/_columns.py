"""Columns of labels and numbers in files and pipes, named as FILE[:COLUMN]."""

import io
import re
import sys
from collections.abc import Iterable
from contextlib import suppress
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.lib.format import open_memmap, write_array_header_1_0

from dropkit.commands._files import TEXT, is_pipe, kind_of, piped_array, text_rows
from dropkit.store.records import write_atomically

FORMATS = "FILE.npy, FILE.csv[:COLUMN], .tsv, .jsonl or .parquet, of text also .gz, or -"


class NpyColumn:
    """A one-dimensional .npy file, of which only the parts asked for are read.

    Read, not mapped: mapped pages count as the process's memory until the system wants them back.
    """

    def __init__(self, path: Path) -> None:
        mapped = array(path)
        if mapped.ndim != 1:
            hint = ": take the argmax of probabilities" if mapped.ndim == 2 else ""
            raise ValueError(f"{path} has shape {mapped.shape}: expected (n,){hint}")
        self.path, self.dtype, self.offset = path, mapped.dtype, mapped.offset
        self.length = mapped.shape[0]

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, part: slice) -> np.ndarray:
        start, stop, _ = part.indices(self.length)
        offset = self.offset + start * self.dtype.itemsize
        return np.fromfile(self.path, self.dtype, max(stop - start, 0), offset=offset)


def column(reference: str) -> "NpyColumn | np.ndarray":
    """Open a column: integers, whole floats or text, at least one.

    Raises ValueError, or OSError for a file that cannot be read.
    """
    return _column(*_split(reference), reference)


def numbers(reference: str) -> np.ndarray:
    """Return a column of numbers as (n,) floats; ValueError if it holds anything else."""
    return _numbers(column(reference)[:], reference)


def features(reference: str) -> np.ndarray:
    """Return as (n, d) floats what else the table of a column holds: all that are numbers."""
    path, name = _split(reference)
    found = []
    for other in [each for each in _header(path) if each != name]:
        with suppress(ValueError):  # text
            found.append(numbers(f"{path}:{other}"))
    if not found:
        raise ValueError(f"{path} has no other column of numbers: name the features")
    return np.column_stack(found)


def recalls(reference: str, classes: np.ndarray) -> np.ndarray:
    """Return the recall of each class (K,): by the names in a table, or by order in a bare list.

    ``FILE:CLASS:RECALL`` says which column names the classes; ``FILE:RECALL`` finds it among the
    others of the table, and raises ValueError where there are others and none or several do.
    """
    path, name = _split(reference)
    header = _header(path)
    if len(header) < 2 or name is None:
        return numbers(reference)
    naming, _, value = ("", "", name) if name in header else name.rpartition(":")
    values = _numbers(_column(path, value, reference)[:], reference)
    wanted = [str(each) for each in classes.tolist()]
    if naming:
        rows = _rows_of(path, naming)
        if lacking := [each for each in wanted if each not in rows]:
            raise ValueError(f"{path} has no recall of class {lacking[0]}, by its {naming!r}")
        return values[[rows[each] for each in wanted]]
    found = {}
    for other in set(header) - {value}:
        with suppress(ValueError):  # what cannot be read, or has one name twice, names no classes
            if (rows := _rows_of(path, other)).keys() == set(wanted):
                found[other] = rows
    if len(found) != 1:
        which = f"{' and '.join(map(repr, sorted(found)))} name" if found else "none names"
        raise ValueError(
            f"{path} has other columns than {value!r}, of which {which} the classes of the labels: "
            f"say which does, as {path}:CLASS:{value}"
        )
    (rows,) = found.values()
    return values[[rows[each] for each in wanted]]


def _rows_of(path: Path, name: str) -> dict[str, int]:
    """Return the row of each name in a column; ValueError if one is there twice."""
    names = [str(each) for each in _column(path, name, f"{path}:{name}")[:].tolist()]
    rows = {each: row for row, each in enumerate(names)}
    if len(rows) < len(names):
        twice = next(each for row, each in enumerate(names) if rows[each] != row)
        raise ValueError(f"{path} has class {twice} more than once in {name!r}")
    return rows


def _numbers(values: np.ndarray, reference: str) -> np.ndarray:
    try:
        return values.astype(np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{reference} holds {values.dtype}: expected numbers") from None


def _column(path: Path, name: str | None, reference: str) -> "NpyColumn | np.ndarray":
    kind = kind_of(path)
    found: NpyColumn | np.ndarray
    if kind == "npy" and name is None:
        found = piped_array(path) if is_pipe(path) else NpyColumn(path)
    elif kind == "parquet":
        found = _parquet_column(path, name)
    elif kind in TEXT:
        found = _text_column(path, kind, name)
    else:
        raise ValueError(f"{reference} cannot be read: expected {FORMATS}")
    if len(found) == 0:
        raise ValueError(f"{reference} is empty: expected at least one sample")
    if found.dtype.kind not in "iufbUSO":
        raise ValueError(f"{reference} holds {found.dtype}: expected numbers or text")
    return found


def array(path: str | Path) -> np.memmap:
    """Return a .npy array of any shape, mapped into memory."""
    try:
        return open_memmap(path, mode="r")
    except ValueError as error:  # no .npy file, cut short, or Python objects
        if "Python objects" in str(error):  # a frame's column of text is saved like this
            raise ValueError(
                f"{path} holds Python objects: save numbers or text, such as labels.astype(str)"
            ) from None
        raise ValueError(f"{path} is no .npy file of numbers or text ({error})") from None


def check_target(path: str, inputs: Iterable[str | None] = ()) -> None:
    """Raise ValueError unless a .npy file can be written here, over none of the inputs."""
    if path == "-":
        return
    if not path.lower().endswith(".npy"):
        raise ValueError(f"{path} cannot be written: the name must end in .npy, or be -")
    if not Path(path).parent.is_dir():
        raise ValueError(f"{path} cannot be written: there is no folder {Path(path).parent}")
    if any(name and Path(path).resolve() == _split(name)[0].resolve() for name in inputs):
        raise ValueError(f"{path} cannot be written: it is one of the files that are read")


def write_indices(path: str, parts: Iterable[np.ndarray], total: int) -> None:
    """Write parts of `total` indices as one .npy file, which appears only when it is whole.

    "-" is standard output, which takes one index a line.
    """
    if path == "-":
        for part in parts:
            sys.stdout.writelines(f"{index}\n" for index in part.tolist())
        return
    header = io.BytesIO()
    write_array_header_1_0(header, {"descr": "<i8", "fortran_order": False, "shape": (total,)})
    content = (part.astype("<i8").tobytes() for part in parts)
    write_atomically(Path(path), chain([header.getvalue()], content))


def _split(reference: str) -> tuple[Path, str | None]:
    form = r"(-|/dev/[^:]+|.+\.(?:csv|tsv|jsonl|parquet)(?:\.gz)?):(.+)"
    found = re.fullmatch(form, reference, re.IGNORECASE)
    return (Path(found[1]), found[2]) if found else (Path(reference), None)


def _header(path: Path) -> list[str]:
    """Return the names of a table's columns; none of what is no table."""
    kind = kind_of(path)
    if kind in TEXT:
        with text_rows(path, kind) as rows:
            return next(rows, (1, []))[1]
    if kind == "parquet":
        from pyarrow import ArrowException, parquet

        with suppress(OSError, ArrowException):  # which reading a column says in a sentence
            return parquet.ParquetFile(path).schema_arrow.names
    return []


def _text_column(path: Path, kind: str, name: str | None) -> np.ndarray:
    values = []
    with text_rows(path, kind) as rows:
        header = next(rows, (1, []))[1]
        place = _place(path, header, name)
        if _whole(header[place : place + 1]) is not None and kind != "jsonl":
            raise ValueError(f"{path} begins with {header[place]}: its first row must name columns")
        for line, row in rows:
            if len(row) > place and row[place] != "":
                values.append(row[place])
            elif row:  # the reader gives an empty list for an empty line
                raise ValueError(f"{path}, line {line}: {header[place]!r} is missing")
    return whole if (whole := _whole(values)) is not None else np.array(values, dtype=str)


def _parquet_column(path: Path, name: str | None) -> np.ndarray:
    from pyarrow import ArrowException, parquet

    with path.open("rb") as file:
        try:
            table = parquet.ParquetFile(file)
        except ArrowException as error:
            raise ValueError(f"{path} is no parquet file ({error})") from None
        header = table.schema_arrow.names
        chosen = header[_place(path, header, name)]
        values = table.read(columns=[chosen]).column(0)
    if values.null_count:
        row = values.is_null().index(True).as_py()
        others = f", the first of {values.null_count} missing values" * (values.null_count > 1)
        raise ValueError(f"{path}, row {row}: {chosen!r} is missing{others}")
    array = values.to_numpy()
    return array.astype(str) if array.dtype == object else array


def _place(path: Path, header: list[str], name: str | None) -> int:
    """Return where the named column stands, or the only one."""
    if name in header:
        return header.index(name)
    if name is None and len(header) == 1:
        return 0
    if not header:
        raise ValueError(f"{path} is empty: expected a first row that names the columns")
    problem = "has several columns" if name is None else f"has no column {name!r}"
    raise ValueError(f"{path} {problem}: add one of :{', :'.join(header)}")


def _whole(values: list[str]) -> np.ndarray | None:
    """Return text as int64 where all of it is whole numbers, be they written 2 or 2.0."""
    text = np.array(values, dtype=str)
    with suppress(ValueError, OverflowError):
        return text.astype(np.int64)
    with suppress(ValueError):
        numbers = text.astype(np.float64)
        if (np.abs(numbers) < 2**53).all() and (numbers % 1 == 0).all():
            return numbers.astype(np.int64)
    return None
