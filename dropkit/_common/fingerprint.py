"""What tells functions of a user apart: their source, and every value that they take with them."""

import builtins
import dis
import functools
import hashlib
import inspect
import itertools
import random
import re
import sys
import sysconfig
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from dropkit._common.errors import UserError

_PLAIN: tuple[type, ...] = (bool, int, float, complex, str, bytes, range, slice, type(None))
_PLAIN += (type(...), date, datetime, time, timedelta, Decimal, Fraction, PurePath)
_PLAIN += (np.dtype, np.generic, re.Pattern, Enum)
_DRAWS = (np.random.Generator, np.random.RandomState, random.Random)  # other after each call
_LIBRARIES = [Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "purelib", "platlib")]
_LIBRARIES.append(Path(__file__).resolve().parents[1])

Seen = dict[int, list[Any]]  # what was met, by id: the value, and its text when that is known


def fingerprint(function: Callable, what: str = "the function") -> str:
    """Eight hexadecimal digits of a function's source and of what it depends on.

    That is closures, defaults, arguments of partials, attributes of objects, and the global values
    and helpers that the code names; of libraries, names alone. Raises UserError, which asks for
    a version, for what cannot be told apart by its value, such as an open file or a generator.
    """
    try:
        text = "\n".join(_parts(function, {id(function): [function, None]}))
    except _Unknown as unknown:
        raise UserError(
            f"{what} depends on {unknown}, which no value tells apart from another: register it "
            "with version="
        ) from None
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def pinned(function: Callable, what: str, version: str | None = None) -> Callable[[], str]:
    """Return what returns the version, by default the fingerprint at this time.

    It raises UserError once the function's values are no longer those, as of a global that changed
    or a cache that was filled; this function does as `fingerprint`.
    """
    if version is not None:
        return lambda: version
    first = fingerprint(function, what)

    def current() -> str:
        if fingerprint(function, what) != first:
            raise UserError(
                f"{what} depends on values that changed since it was registered: register it "
                "again, or with version="
            )
        return first

    return current


class _Unknown(Exception):
    """Names a kind of object that has no description."""


def _described(value: Any, seen: Seen) -> str:
    """Return a text that is the same for equal values, in any process."""
    if isinstance(value, _PLAIN):
        return f"{type(value).__name__} {value!r}"
    known = seen.setdefault(id(value), [value, None])
    if len(known) == 2:
        known.append("begun")
        known[1] = hashlib.sha256("\n".join(_parts(value, seen)).encode()).hexdigest()
    return known[1] or "a circle"


def _parts(value: Any, seen: Seen) -> Iterator[str]:
    name = type(value).__name__
    if isinstance(value, types.FunctionType):
        yield from _function(value, seen)
    elif isinstance(value, types.BuiltinFunctionType | np.ufunc):
        yield f"library {getattr(value, '__module__', '')} {value.__name__}"
        owner = getattr(value, "__self__", None)
        yield "" if isinstance(owner, types.ModuleType) else _described(owner, seen)
    elif isinstance(value, types.ModuleType):
        yield f"module {value.__name__}"
    elif isinstance(value, type):
        yield from _class(value, seen)
    elif isinstance(value, functools.partial):
        yield from _each((name, value.func, value.args, value.keywords), seen)
    elif isinstance(value, types.MethodType):
        yield from _each((name, value.__self__, value.__func__), seen)
    elif isinstance(value, Mapping):
        yield from _each([name, *itertools.chain.from_iterable(value.items())], seen)
    elif isinstance(value, list | tuple):
        yield from _each([name, *value], seen)
    elif isinstance(value, set | frozenset):
        yield from [name, *sorted(_each(value, seen))]
    else:
        yield from _object(value, seen)


def _each(values: Iterable[Any], seen: Seen) -> Iterator[str]:
    return (_described(value, seen) for value in values)


def _function(function: types.FunctionType, seen: Seen) -> Iterator[str]:
    if not _own(function):
        yield f"library {function.__module__} {function.__qualname__}"
        return
    code = function.__code__
    try:
        yield inspect.getsource(code)
        exact = function.__name__ == "<lambda>"  # its lines may hold another
    except (OSError, TypeError):
        exact = True
    if exact:
        yield _bytecode(code)
    yield from _each(function.__defaults__ or (), seen)
    yield from _each((function.__kwdefaults__ or {}).values(), seen)
    for cell in function.__closure__ or ():
        with suppress(ValueError):  # an empty one
            yield _described(cell.cell_contents, seen)
    yield from _named(code, function.__globals__, seen)


def _bytecode(code: types.CodeType) -> str:
    constants = [
        _bytecode(each) if isinstance(each, types.CodeType) else repr(each)
        for each in code.co_consts
    ]
    return f"{code.co_code!r} {constants} {code.co_names} {code.co_varnames}"


def _named(code: types.CodeType, known: dict[str, Any], seen: Seen) -> Iterator[str]:
    """Describe the globals that code names; of a user's module, the attributes that it takes."""
    taken: Any = None
    for step in dis.get_instructions(code):
        if step.opname == "EXTENDED_ARG":
            continue
        if step.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            taken = known.get(step.argval)
        elif isinstance(taken, types.ModuleType) and step.opname in ("LOAD_ATTR", "LOAD_METHOD"):
            taken = getattr(taken, step.argval, None)
        else:
            taken = None
        if not _own(taken):
            taken = None
        if taken is not None and not isinstance(taken, types.ModuleType):
            yield f"{step.argval} {_described(taken, seen)}"
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _named(constant, known, seen)


def _class(kind: type, seen: Seen) -> Iterator[str]:
    yield f"class {kind.__module__} {kind.__qualname__}"
    if not _own(kind):
        return
    for name, value in sorted(vars(kind).items()):
        if isinstance(value, property | functools.cached_property):
            value = value.fget if isinstance(value, property) else value.func
        value = getattr(value, "__func__", value)  # of a static or class method
        hidden = name.startswith("__") or name == "_abc_impl"
        if isinstance(value, types.FunctionType) or not (hidden or inspect.isdatadescriptor(value)):
            yield f"{name} {_described(value, seen)}"
    yield from _each(kind.__bases__, seen)


def _object(value: Any, seen: Seen) -> Iterator[str]:
    kind = type(value)
    yield _described(kind, seen)
    if hasattr(value, "detach") and hasattr(value, "numpy"):  # a tensor
        value = value.detach().cpu().numpy()
    if hasattr(value, "to_numpy"):  # a frame or series
        yield from _each((list(getattr(value, "columns", ())), value.to_numpy()), seen)
    elif isinstance(value, np.ndarray) and value.dtype != object:
        yield f"{value.dtype} {value.shape}"
        yield hashlib.sha256(np.ascontiguousarray(value).data).hexdigest()
    elif isinstance(value, np.ndarray):
        yield _described(value.tolist(), seen)
    elif hasattr(value, "__wrapped__"):  # of functools.cache
        yield _described(value.__wrapped__, seen)
    else:
        parts = None
        with suppress(TypeError):  # of what cannot be pickled
            if not isinstance(value, _DRAWS):
                simple = _own(kind) and hasattr(value, "__dict__")
                parts = vars(value) if simple else value.__reduce_ex__(2)
        if parts is None:
            raise _Unknown(f"an object of {kind.__module__}.{kind.__qualname__}")
        yield _described(parts, seen)


def _own(value: Any) -> bool:
    """False for a function, class or module of a library, or of Python's own."""
    if isinstance(value, types.BuiltinFunctionType | np.ufunc):
        return False
    if not isinstance(value, types.FunctionType | types.ModuleType | type):
        return True
    is_module = isinstance(value, types.ModuleType)
    name = value.__name__ if is_module else value.__module__
    if name == "builtins" and not is_module:  # or of exec, which calls its own so
        return not (isinstance(value, type) and vars(builtins).get(value.__name__) is value)
    file = getattr(sys.modules.get(name), "__file__", None)
    if name not in sys.modules or name == "__main__":
        return True
    path = Path(file).resolve() if file else None
    return path is not None and not any(path.is_relative_to(folder) for folder in _LIBRARIES)
